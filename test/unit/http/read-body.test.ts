import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { beforeEach, expect, test, vi } from "vitest";
import { readBody, type BodyRead } from "../../../src/http/read-body.ts";

const LIMIT_BYTES = 1024 * 1024;

let request: IncomingMessage;
const done = vi.fn<BodyRead>();

const read = (headers: Record<string, string> = {}): void => {
  Object.assign(request.headers, headers);
  readBody(request, 1, done);
};

/** As Node's parser does: what it pushes is heard in later ticks. */
const arrive = async (...chunks: (Buffer | null)[]): Promise<void> => {
  for (const chunk of chunks) request.push(chunk);
  await new Promise(setImmediate);
};

beforeEach(() => {
  request = new IncomingMessage(new Socket());
  done.mockReset();
});

test("a body in one piece is that piece, and no copy of it", async () => {
  read();
  const piece = Buffer.from('{"model":"a"}');
  await arrive(piece, null);
  expect(done).toHaveBeenCalledExactlyOnceWith(null, piece);
  expect(done.mock.calls[0]?.[1]).toBe(piece);
});

test("pieces are joined in their order", async () => {
  read({ "content-length": "6" });
  await arrive(Buffer.from("ab"), Buffer.from("cd"));
  expect(done).not.toHaveBeenCalled();
  await arrive(Buffer.from("ef"), null);
  expect(done).toHaveBeenCalledExactlyOnceWith(null, Buffer.from("abcdef"));
});

test("where none was sent it is empty", async () => {
  read();
  await arrive(null);
  expect(done).toHaveBeenCalledExactlyOnceWith(null, Buffer.alloc(0));
});

test("exactly the limit passes", async () => {
  read({ "content-length": String(LIMIT_BYTES) });
  await arrive(Buffer.alloc(LIMIT_BYTES, "x"), null);
  expect(done).toHaveBeenCalledExactlyOnceWith(null, Buffer.alloc(LIMIT_BYTES, "x"));
});

test("a limit between two bytes is rounded up", async () => {
  readBody(request, 1.5 / LIMIT_BYTES, done);
  await arrive(Buffer.from("ab"), null);
  expect(done).toHaveBeenCalledExactlyOnceWith(null, Buffer.from("ab"));
});

const TOO_LARGE = expect.objectContaining({
  code: "BODY_TOO_LARGE",
  message: "the body is too large: api.body_limit_mb is 1",
});

test("one that says it is larger is not read at all", () => {
  read({ "content-length": String(LIMIT_BYTES + 1) });
  expect(done).toHaveBeenCalledExactlyOnceWith(TOO_LARGE, Buffer.alloc(0));
  expect(request.listenerCount("data")).toBe(0);
});

test("one that does not say so is refused once, with the piece that is too much", async () => {
  read();
  await arrive(Buffer.alloc(LIMIT_BYTES));
  expect(done).not.toHaveBeenCalled();
  await arrive(Buffer.alloc(1));
  expect(done).toHaveBeenCalledExactlyOnceWith(TOO_LARGE, Buffer.alloc(0));
  await arrive(Buffer.alloc(1), null);
  expect(done).toHaveBeenCalledTimes(1);
});

test("a client that vanishes amid it is told of once, and no defect", async () => {
  read();
  await arrive(Buffer.from("ab"));
  request.destroy(new Error("aborted"));
  await arrive();
  const message = "the body ended early";
  const error = expect.objectContaining({ code: "INVALID_REQUEST", message });
  expect(done).toHaveBeenCalledExactlyOnceWith(error, Buffer.alloc(0));
});
