import { connect } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FastifyInstance } from "fastify";
import { captureLog, listen, makeFrontDoorApp } from "../support/front-door-app.ts";
import type { LogLine } from "../support/front-door-app.ts";
import { sendRaw } from "../support/raw-http.ts";

let app: FastifyInstance;
let port: number;

beforeAll(async () => {
  app = await makeFrontDoorApp();
  app.get("/half", { config: { access: "public" } }, (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "content-length": "10" }).write("half ");
  });
  port = await listen(app);
});
afterAll(() => app.close());

const START = "GET /public HTTP/1.1\r\nHost: router\r\n";

test.each([
  ["16 KiB of headers", `${START}x-a: ${"a".repeat(17_000)}\r\n\r\n`],
  ["thousands of headers", `${START}${"a:b\r\n".repeat(2_500)}\r\n`],
])("%s are refused with 431 in the form of our errors", async (_name, text) => {
  const answer = await sendRaw(port, text);
  expect(answer.status).toBe(431);
  const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
  expect(error).toMatchObject({
    code: "INVALID_REQUEST",
    type: "invalid_request_error",
    request_id: answer.headers.get("x-request-id"),
  });
});

test("more headers than anyone needs are refused before Node could drop some of them", async () => {
  const withPadding = (count: number) => sendRaw(port, `${START}${"a:b\r\n".repeat(count)}\r\n`);
  expect((await withPadding(255)).status).toBe(200);
  const answer = await withPadding(256);
  expect(answer.status).toBe(400);
  expect(answer.body).toContain("at most 256 headers");
});

test("a client that is already gone is no error", async () => {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("not http\r\n\r\n");
  socket.resetAndDestroy();
  expect((await sendRaw(port, `${START}\r\n`)).status).toBe(200);
});

test("nonsense after a request does not write into the answer that is under way", async () => {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    if (received.endsWith("half ")) socket.write("not http\r\n\r\n");
  });
  socket.on("error", () => {});
  socket.write("GET /half HTTP/1.1\r\nHost: router\r\n\r\n");
  await once(socket, "close");
  expect(received.endsWith("half ")).toBe(true);
});

test("__proto__ as a header changes nothing", async () => {
  const answer = await sendRaw(port, `${START}__proto__: x\r\nconstructor: y\r\n\r\n`);
  expect(answer.status).toBe(200);
});

test.each(['{"__proto__":{"role":"admin"}}', '{"constructor":{"prototype":{"role":"admin"}}}'])(
  "%s in a body is refused",
  async (body) => {
    const answer = await sendRaw(
      port,
      "POST /echo HTTP/1.1\r\nHost: router\r\nAuthorization: Bearer user-key\r\n" +
        `Content-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
    );
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("INVALID_REQUEST");
  },
);

test("a request id of the client's comes back, a dangerous or repeated one is replaced", async () => {
  const idFor = async (...lines: readonly string[]) =>
    (await sendRaw(port, `${START}${lines.join("")}\r\n`)).headers.get("x-request-id");
  expect(await idFor("X-Request-Id: my.id-1_2\r\n")).toBe("my.id-1_2");
  expect(await idFor(`X-Request-Id: ${"a".repeat(64)}\r\n`)).toBe("a".repeat(64));
  const fresh = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  expect(await idFor()).toMatch(fresh);
  expect(await idFor("X-Request-Id: a b\r\n")).toMatch(fresh);
  expect(await idFor(`X-Request-Id: ${"a".repeat(65)}\r\n`)).toMatch(fresh);
  expect(await idFor("X-Request-Id: one\r\n", "X-Request-Id: two\r\n")).toMatch(fresh);
});

test("a client that vanishes amid its body is no defect of ours", async () => {
  const lines: LogLine[] = [];
  const fresh = await makeFrontDoorApp({ log: captureLog(lines) });
  const answered = Promise.withResolvers<number>();
  fresh.addHook("preParsing", (request) => {
    request.socket.resetAndDestroy();
    return Promise.resolve();
  });
  // The hook of an answer runs after the error handler has seen the error.
  fresh.addHook("onSend", (_request, reply) => {
    answered.resolve(reply.statusCode);
    return Promise.resolve();
  });
  const socket = connect(await listen(fresh), "127.0.0.1");
  socket.on("error", () => {});
  const type = "Content-Type: application/json\r\nContent-Length: 9";
  socket.write(`POST /strict HTTP/1.1\r\nHost: router\r\n${type}\r\n\r\n{}`);
  expect(await answered.promise).toBe(400);
  expect(lines).toEqual([]);
  await fresh.close();
});

test("while the server closes, requests on open connections still get our answers", async () => {
  const fresh = await makeFrontDoorApp();
  const entered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<object>();
  fresh.get("/slow", { config: { access: "public" } }, () => {
    entered.resolve();
    return released.promise;
  });
  const closing = Promise.withResolvers<void>();
  fresh.addHook("preClose", (done) => {
    closing.resolve();
    done();
  });
  const socket = connect(await listen(fresh), "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => (received += chunk.toString("latin1")));
  socket.write("GET /slow HTTP/1.1\r\nHost: router\r\n\r\n");
  await entered.promise;
  const closed = fresh.close();
  await closing.promise;
  fresh.server.once("request", () => released.resolve({}));
  socket.write("GET /public HTTP/1.1\r\nHost: router\r\n\r\n");
  await once(socket, "close");
  await closed;
  expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
});
