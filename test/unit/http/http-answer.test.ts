import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HttpAnswer } from "../../../src/http/http-answer.ts";
import { serving } from "../../support/routing-builders.ts";

const TAGS = { worker: serving(0), attempts: 1, queueMs: 0 };

/** Answers one request with a body of this size, to a client that never reads. */
async function answerUnread(bytes: number): Promise<ServerResponse> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, response) => {
    const answer = { status: 200, contentType: "application/json", retryAfterMs: null };
    new HttpAnswer(response, "id", () => []).whole(
      { ...answer, body: Buffer.alloc(bytes, "x") },
      TAGS,
    );
    resolve(response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.pause();
  client.write("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return promise;
}

test("a client that stops reading is given a minute for the rest of its answer, then cut", async () => {
  const response = await answerUnread(32 * 1024 * 1024);
  expect(response.socket?.timeout).toBe(60_000);
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  response.socket?.emit("timeout");
  await closed;
  expect(response.writableFinished).toBe(false);
});

test("an answer that left at once sets no timeout of its own", async () => {
  const response = await answerUnread(10);
  expect(response.socket?.timeout ?? 0).not.toBe(60_000);
});
