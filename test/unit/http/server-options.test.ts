import { once } from "node:events";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { answerMalformed } from "../../../src/http/server-options.ts";
import { makeFrontDoorApp } from "../../support/front-door-app.ts";

test("the limits reach the server that listens", async () => {
  const { server, initialConfig } = await makeFrontDoorApp();
  expect(server).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
  });
  expect(initialConfig).toMatchObject({ bodyLimit: 1024 * 1024, onProtoPoisoning: "error" });
});

/** A connection that keeps what is written to it. */
class RecordingSocket extends Socket {
  written = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString();
    done();
  }

  override _final(done: () => void): void {
    done();
  }
}

test.each([
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout", "did not arrive in time"],
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large", "larger than 16 KiB"],
  ["HPE_INVALID_METHOD", "400 Bad Request", "not a valid HTTP/1.1 request"],
])("%s is answered with %s, and the connection closed", async (code, status, message) => {
  const socket = new RecordingSocket();
  Object.defineProperty(socket, "writable", { value: true });
  answerMalformed(Object.assign(new Error("parse error"), { code }), socket, () => {});
  await once(socket, "close");
  const [head = "", body = ""] = socket.written.split("\r\n\r\n");
  expect(head).toContain(`HTTP/1.1 ${status}\r\n`);
  expect(head).toContain(`content-length: ${String(body.length)}\r\n`);
  expect(body).toContain(message);
});

test("a reset connection gets no answer", () => {
  const socket = new RecordingSocket();
  Object.defineProperty(socket, "writable", { value: true });
  answerMalformed(Object.assign(new Error("reset"), { code: "ECONNRESET" }), socket, () => {});
  expect(socket.written).toBe("");
  expect(socket.destroyed).toBe(true);
});
