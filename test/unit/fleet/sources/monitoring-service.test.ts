import { createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { createMonitoringService } from "../../../../src/fleet/sources/monitoring-service.ts";
import type { Clock } from "../../../../src/clock.ts";
import type { GpuSource } from "../../../../src/fleet/sources/source.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { reportedGpu } from "../../../support/stub-monitoring-service.ts";
import { listenOnLoopback, type StubServer } from "../../../support/stub-server.ts";

const closing: (() => Promise<unknown>)[] = [];
const TOKEN = "monitor-token-canary";

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function sourceOf(url: string, options: { timeoutMs?: number; clock?: Clock } = {}): GpuSource {
  const source = createMonitoringService({ name: "monitor", url, token: TOKEN, ...options });
  closing.push(() => source.close());
  return source;
}

async function serve(listener: RequestListener): Promise<StubServer> {
  const server = await listenOnLoopback(0, listener);
  closing.push(() => server.close());
  return server;
}

/** A source whose service answers this text with 200. */
async function answering(text: string): Promise<GpuSource> {
  return sourceOf((await serve((_, response) => void response.end(text))).url);
}

/** A source whose service writes these bytes and hangs up. */
async function writing(bytes: string): Promise<GpuSource> {
  const server = createTcpServer((socket) => {
    socket.once("data", () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return sourceOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

async function failureOf(poll: Promise<unknown>): Promise<string> {
  return poll.then(
    () => "did not fail",
    (error: unknown) => (error as Error).message,
  );
}

describe("a question to the monitoring service", () => {
  test("goes below the configured path with the token, and asks for plain text", async () => {
    const asked: unknown[] = [];
    const { url } = await serve((request, response) => {
      const { authorization, "accept-encoding": encoding } = request.headers;
      asked.push([request.url, authorization, encoding]);
      response.end(JSON.stringify({ gpus: [] }));
    });
    await sourceOf(`${url}/monitor/`).poll();
    expect(asked).toEqual([["/monitor/gpus", `Bearer ${TOKEN}`, "identity"]]);
  });

  test("about a GPU's health has its id encoded", async () => {
    const asked: unknown[] = [];
    const { url } = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(404).end();
    });
    expect(await sourceOf(url).health("GPU/../1 #2?")).toBeNull();
    expect(asked).toEqual(["/gpus/GPU%2F..%2F1%20%232%3F/health"]);
  });

  test("leaves no connection behind", async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await serve((request, response) => {
      request.socket.once("close", () => closed.resolve());
      response.end(JSON.stringify({ gpus: [] }));
    });
    await sourceOf(url).poll();
    await closed.promise;
  });

  test("is given up when the whole answer takes too long, however it drips", async () => {
    const clock = new FakeClock();
    // Each sip of the answer lets half of the time pass.
    const { url } = await serve((_, response) => {
      response.write(" ", () => clock.advance(1000));
      response.write(" ", () => clock.advance(1000));
    });
    const failure = await failureOf(sourceOf(url, { timeoutMs: 2000, clock }).poll());
    expect(failure).toContain(`GET ${url}/gpus: no complete answer within 2000 ms; `);
  });
});

describe("an answer that is no list of GPUs is refused with its reason:", () => {
  test.each([
    ["HTML", "<!doctype html>", "answered 200 with HTML, expected JSON"],
    ["nothing", "", "answered 200 with an empty body, expected JSON"],
    ["text", "gpu 0: ok", "answered 200 with text that is not JSON"],
    ["cut JSON", '{"gpus":[{"gpu_id":', "answered 200 with text that is not JSON"],
    ["another shape", "[]", 'answered 200 with JSON without a list "gpus"'],
    ["deep nesting", "[".repeat(100_000), "answered 200 with text that is not JSON"],
  ])("%s", async (_, text, words) => {
    expect(await failureOf((await answering(text)).poll())).toContain(words);
  });

  test.each([
    [302, "redirects are not followed"],
    [401, "refused our token; set gpu_monitoring.token_env"],
    [403, "refused our token"],
    [404, "expected 200; check gpu_monitoring.url"],
    [500, "answered 500, expected 200"],
  ])("status %i", async (status, words) => {
    const { url } = await serve((_, response) => {
      response.writeHead(status, { location: "http://127.0.0.1:1/gpus" }).end("{}");
    });
    const failure = await failureOf(sourceOf(url).poll());
    expect(failure).toContain(`GET ${url}/gpus`);
    expect(failure).toContain(words);
    expect(failure).not.toContain(TOKEN);
  });

  test("one that says why it cannot", async () => {
    const message = "nvidia-smi not found: install the NVIDIA driver on this machine";
    const { url } = await serve((_, response) => {
      response.writeHead(503).end(JSON.stringify({ error: { message } }));
    });
    const failure = await failureOf(sourceOf(url).poll());
    expect(failure).toBe(`GET ${url}/gpus answered 503: ${message}`);
  });

  test("a compressed one, which was not asked for", async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end("x");
    });
    expect(await failureOf(sourceOf(url).poll())).toContain("answered compressed (gzip)");
  });

  test("one that ends before its announced length", async () => {
    const source = await writing('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"gpus":[]}');
    expect(await failureOf(source.poll())).toContain("before the answer was complete");
  });

  test("bytes that are not HTTP", async () => {
    expect(await failureOf((await writing("SSH-2.0-OpenSSH\r\n")).poll())).toContain("/gpus: ");
  });

  test("a refused connection, with what to do about it", async () => {
    const server = await listenOnLoopback(0, () => undefined);
    await server.close();
    const failure = await failureOf(sourceOf(server.url).poll());
    expect(failure).toContain(`GET ${server.url}/gpus: connection refused (ECONNREFUSED); `);
    expect(failure).toContain("correct gpu_monitoring.url (null = no telemetry)");
  });

  test("an unknown state of health", async () => {
    const source = await answering('{"status":"fine"}');
    expect(await failureOf(source.health("a"))).toContain("expected healthy, warning or critical");
  });
});

describe("the size of an answer", () => {
  test("of up to 5 MiB and 10,000 GPUs is read without a noticeable stall", async () => {
    const gpus = Array.from({ length: 10_000 }, (_, index) => reportedGpu(`gpu-${index}`));
    const { length } = (await (await answering(JSON.stringify({ gpus }))).poll()).gpus;
    expect(length).toBe(10_000);
  });

  test("above 5 MiB is cut while it is read, and the connection closed", async () => {
    const closed = Promise.withResolvers<number>();
    const chunk = Buffer.alloc(64 * 1024, " ");
    const { url } = await serve((_, response) => {
      let sent = 0;
      const send = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        sent += chunk.length;
      };
      response.on("drain", send).once("close", () => closed.resolve(sent));
      send();
    });
    expect(await failureOf(sourceOf(url).poll())).toContain("answer is larger than 5242880 bytes");
    expect(await closed.promise).toBeLessThan(100 * 1024 * 1024);
  });
});

describe("NaN in an answer", () => {
  test("costs one field, not the whole poll, and is named", async () => {
    const text = '{"gpus":[{"gpu_id":"a","status":"busy","temperature":NaN,"uptime":1e999}]}';
    const { gpus, problems } = await (await answering(text)).poll();
    expect(gpus[0]).toMatchObject({ id: "a", temperatureC: null, uptimeS: null });
    expect(problems[0]).toContain("NaN or Infinity");
  });
});
