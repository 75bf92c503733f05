import type { RequestListener } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/clock.ts";
import { createAskWorkers } from "../../../../src/fleet/engines/ask-worker.ts";
import { WorkerUnreachable } from "../../../../src/fleet/engines/engine.ts";
import { listenOnLoopback } from "../../../support/stub-server.ts";

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = await listenOnLoopback(0, listener);
  closing.push(() => server.close());
  return server.url;
}

function asker(timeoutMs = 2000) {
  const workers = createAskWorkers({ clock: systemClock, timeoutMs });
  closing.push(() => workers.close());
  return workers;
}

describe("asking a worker", () => {
  test("sends its key and brings status and text", async () => {
    const url = await serve((request, response) => {
      response.writeHead(202).end(`${request.url} ${request.headers.authorization}`);
    });
    const answer = await asker().ask({ url: `${url}/base`, apiKey: "k1" }, "/v1/models");
    expect(answer).toEqual({ status: 202, text: "/base/v1/models Bearer k1" });
  });

  test("without a key sends none", async () => {
    const url = await serve((request, response) => {
      response.end(String(request.headers.authorization));
    });
    expect((await asker().ask({ url, apiKey: null }, "/")).text).toBe("undefined");
  });

  test("does not follow a redirect", async () => {
    const url = await serve((_, response) => {
      response.writeHead(302, { location: "http://169.254.169.254/" }).end();
    });
    expect((await asker().ask({ url, apiKey: null }, "/")).status).toBe(302);
  });

  test("keeps no connection open", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request, response) => {
      request.socket.once("close", () => closed.resolve());
      response.end("x");
    });
    await asker().ask({ url, apiKey: null }, "/");
    await closed.promise;
  });

  test("of a port where nothing listens is unreachable, and keeps its address out of the reason", async () => {
    const url = await serve(() => undefined);
    for (const close of closing.splice(0)) await close();
    const asked = asker().ask({ url, apiKey: "secret" }, "/v1/models");
    await expect(asked).rejects.toThrow(WorkerUnreachable);
    await expect(asked).rejects.toThrow(
      /^GET \/v1\/models: connection refused \(ECONNREFUSED\); start the worker, or correct its url$/,
    );
  });

  test("of one that is slow is an error, but not unreachable", async () => {
    const url = await serve((_, response) => void response.writeHead(200).write("half"));
    const asked = asker(50).ask({ url, apiKey: null }, "/");
    await expect(asked).rejects.toThrow("no complete answer within 50 ms");
    await expect(asked).rejects.not.toThrow(WorkerUnreachable);
  });

  test("is cut at 4 MiB", async () => {
    const url = await serve((_, response) => void response.end(Buffer.alloc(4 * 1024 * 1024 + 1)));
    await expect(asker().ask({ url, apiKey: null }, "/")).rejects.toThrow("larger than 4194304");
  });
});
