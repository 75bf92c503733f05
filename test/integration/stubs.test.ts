import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as stub from "../support/stub-behaviours.ts";
import type { Behaviour } from "../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../support/stub-monitoring-service.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";

let worker: StubWorker;

beforeEach(async () => {
  worker = await startStubWorker();
});

afterEach(() => worker.close());

function post(signal?: AbortSignal): Promise<Response> {
  const url = `${worker.url}/v1/chat/completions`;
  return fetch(url, { method: "POST", body: '{"a":1}', ...(signal ? { signal } : {}) });
}

async function textOf(pending: Promise<Response>): Promise<string> {
  return (await pending).text();
}

/** The answer as bytes until the stub ends the connection, with the error code if that is harsh. */
function rawAnswer(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(worker.port, "127.0.0.1");
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString()));
  socket.on("error", (error: NodeJS.ErrnoException) => (text += error.code));
  socket.on("close", () => resolve(text));
  socket.write("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  return promise;
}

describe("a stub worker", () => {
  test("answers a chat completion, and keeps what it was sent", async () => {
    const answer = await (await post()).json();
    expect(answer).toEqual(stub.chatCompletion());
    const [request] = worker.requests;
    expect(request).toMatchObject({
      method: "POST",
      path: "/v1/chat/completions",
      body: '{"a":1}',
    });
    expect(request?.rawHeaders).toContain("content-length");
    expect(worker.aborted).toBe(0);
  });

  test("follows the next behaviours first, then the standing one", async () => {
    worker.always(stub.invalidJson);
    worker.next(stub.unauthorized, stub.overloaded("7"));
    const [first, second, third] = [await post(), await post(), await post()];
    expect([first.status, second.status, third.status]).toEqual([401, 503, 200]);
    expect(second.headers.get("retry-after")).toBe("7");
    await expect(third.json()).rejects.toThrow(SyntaxError);
  });

  test.each<[string, Behaviour, RegExp]>([
    ["closes before headers", stub.destroyBeforeHeaders, /^$/],
    ["resets before headers", stub.resetBeforeHeaders, /^ECONNRESET$/],
    ["closes after headers", stub.destroyAfterHeaders, /^HTTP\/1.1 200[^{]*\r\n\r\n$/],
    ["closes mid-stream", stub.destroyMidStream(2), /token0(?!.*\[DONE\]).*token1[^[]*$/s],
    ["closes mid-body", stub.truncated, /^HTTP\/1.1 200.*"id":"chatcmpl-stub"(?!.*usage)/s],
  ])("%s, which is not an abort of the client's", async (_case, behaviour, seen) => {
    worker.next(behaviour);
    expect(await rawAnswer()).toMatch(seen);
    expect(worker.aborted).toBe(0);
    worker.next(behaviour);
    await expect(textOf(post())).rejects.toThrow();
  });

  test("streams whole, or step by step", async () => {
    worker.next(stub.stream(2), stub.steppedStream(1));
    expect(await textOf(post())).toMatch(/token0.*token1.*"usage".*data: \[DONE\]\n\n$/s);
    const pending = post();
    worker.stream.step();
    const reader = (await pending).body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe(stub.chatChunk(0));
    worker.stream.step();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain("[DONE]");
  });

  test.each<[string, Behaviour]>([
    ["before headers", stub.hangBeforeHeaders],
    ["mid-stream", stub.hangMidStream(1)],
    ["between steps", stub.steppedStream()],
  ])("tells of a client that goes away while it hangs %s", async (_case, behaviour) => {
    worker.next(behaviour);
    const client = new AbortController();
    const pending = post(client.signal).then((response) => response.text());
    const request = await worker.nextRequest();
    expect(worker.openConnections).toBe(1);
    client.abort();
    await expect(pending).rejects.toThrow();
    expect(await worker.nextAbort()).toBe(request);
    expect(worker.aborted).toBe(1);
  });

  test("gives a step to a living stream when another's client is gone", async () => {
    worker.next(stub.steppedStream(1), stub.steppedStream(1));
    const client = new AbortController();
    const gone = post(client.signal).catch(() => null);
    await worker.nextRequest();
    client.abort();
    await Promise.all([gone, worker.nextAbort()]);
    const living = post();
    await worker.nextRequest();
    worker.stream.step(2);
    expect(await textOf(living)).toContain("[DONE]");
  });

  test("answers probes from its settings, apart from requests", async () => {
    const get = async (path: string) => {
      const response = await fetch(worker.url + path);
      return [response.status, await response.text()];
    };
    expect(await get("/v1/models")).toEqual([200, expect.stringContaining('"id":"stub-model"')]);
    worker.models = "starting";
    expect((await get("/v1/models"))[0]).toBe(503);
    worker.models = "missing";
    expect((await get("/v1/models"))[0]).toBe(404);
    expect((await get("/metrics"))[0]).toBe(404);
    worker.metricsText = "vllm:num_requests_running 1\n";
    worker.ollamaTags = { models: [] };
    worker.ollamaPs = { models: [{ name: "a" }] };
    worker.llamaProps = { total_slots: 4 };
    expect(await get("/metrics")).toEqual([200, "vllm:num_requests_running 1\n"]);
    expect(await get("/api/tags")).toEqual([200, '{"models":[]}']);
    expect(await get("/api/ps")).toEqual([200, '{"models":[{"name":"a"}]}']);
    expect(await get("/props")).toEqual([200, '{"total_slots":4}']);
    expect([worker.probes.length, worker.requests.length]).toEqual([8, 0]);
  });

  test("refuses connections when closed, and can come back on its port", async () => {
    worker.next(stub.hangBeforeHeaders);
    const pending = post().catch(() => "cut");
    await worker.seen(1);
    await worker.close();
    expect([await pending, worker.aborted]).toEqual(["cut", 0]);
    await expect(post()).rejects.toThrow();
    await worker.listen(worker.port);
    expect((await post()).status).toBe(200);
  });
});

describe("a stub monitoring service", () => {
  test("reports what it is told, counts polls and sees the token", async () => {
    const service = await startStubMonitoringService({ gpus: [reportedGpu("a", { uptime: 1 })] });
    const gpusUrl = `${service.url}/gpus`;
    const first = await fetch(gpusUrl, { headers: { authorization: "Bearer secret" } });
    expect(await first.json()).toEqual({ gpus: [reportedGpu("a", { uptime: 1 })] });
    service.rawBody = "<html>";
    service.status = 502;
    const second = await fetch(gpusUrl);
    expect([second.status, await second.text()]).toEqual([502, "<html>"]);
    expect([service.polls, service.tokens]).toEqual([2, ["secret", null]]);
    await service.close();
  });

  test("answers health for the GPUs it knows", async () => {
    const service = await startStubMonitoringService();
    service.health.set("GPU 1", { status: "critical", errors: ["XID 79"] });
    const known = await fetch(`${service.url}/gpus/GPU%201/health`);
    expect(await known.json()).toEqual({ gpu_id: "GPU 1", status: "critical", errors: ["XID 79"] });
    expect((await fetch(`${service.url}/gpus/other/health`)).status).toBe(404);
    expect(service.healthChecks).toEqual(["GPU 1", "other"]);
    await service.close();
  });

  test("holds its answers until it is let go", async () => {
    const service = await startStubMonitoringService();
    const release = service.hold();
    let answered = false;
    const pending = fetch(`${service.url}/gpus`).then(() => (answered = true));
    await service.nextPoll();
    await fetch(`${service.url}/elsewhere`);
    expect(answered).toBe(false);
    release();
    await pending;
    await service.close();
  });
});
