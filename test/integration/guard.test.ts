import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FastifyInstance } from "fastify";
import { listen, makeFrontDoorApp } from "../support/front-door-app.ts";
import { sendRaw } from "../support/raw-http.ts";

let app: FastifyInstance;
let port: number;

beforeAll(async () => {
  app = await makeFrontDoorApp();
  port = await listen(app);
});
afterAll(() => app.close());

const KEY = "Authorization: Bearer user-key";
const JSON_TYPE = "Content-Type: application/json";

function get(target: string, ...headers: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: router:8000", ...headers, "", ""].join("\r\n");
}

function post(headers: readonly string[], body = "{}"): string {
  const head = ["POST /echo HTTP/1.1", "Host: router:8000", KEY, ...headers];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

interface Case {
  readonly name: string;
  readonly text: string;
  readonly status: number;
  readonly code?: string;
}

const hosts: readonly Case[] = [
  {
    name: "no Host",
    text: "GET /public HTTP/1.1\r\n\r\n",
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "no Host in HTTP/1.0",
    text: "GET /public HTTP/1.0\r\n\r\n",
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "two Hosts",
    text: get("/public", "hOST: other"),
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "an empty Host",
    text: "GET /public HTTP/1.1\r\nHost:\r\n\r\n",
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "a Host with a path",
    text: "GET /public HTTP/1.1\r\nHost: router/x\r\n\r\n",
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "a Host with user information",
    text: "GET /public HTTP/1.1\r\nHost: a@router\r\n\r\n",
    status: 400,
    code: "INVALID_REQUEST",
  },
  {
    name: "an IPv6 Host",
    text: "GET /public HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
    status: 200,
  },
  {
    name: "a Compose service as Host",
    text: "GET /public HTTP/1.1\r\nHost: gpu_router:8000\r\n\r\n",
    status: 200,
  },
];

const targets: readonly Case[] = [
  { name: "the same host in absolute form", text: get("http://ROUTER:8000/public"), status: 200 },
  ...[
    ["another host in absolute form", "http://evil/public"],
    ["another port in absolute form", "http://router:9/public"],
    ["another scheme in absolute form", "ftp://router:8000/public"],
    ["no target", "*"],
    ["a fragment", "/public#x"],
    ["a backslash", "/a\\b"],
    ["an encoded backslash", "/items/%5C"],
    ["a control character", "/a\u0001b"],
    ["a byte above ASCII", "/a\u00e9b"],
    ["an encoded zero byte", "/items/%00"],
    ["an encoded line feed", "/items/%0a"],
    ["a .. segment", "/items/../public"],
    ["an encoded .. segment", "/items/%2e%2E/public"],
    ["a .. segment behind an encoded slash", "/items/a%2f..%2fpublic"],
    ["a .. segment at the end", "/items/.."],
    ["a . segment", "/./public"],
    ["a broken percent-encoding", "/items/%zz"],
    ["a cut percent-encoding", "/items/%E0%A4"],
    ["a parameter longer than any id", `/items/${"a".repeat(300)}`],
  ].map(([name = "", target = ""]) => ({
    name,
    text: get(target),
    status: 400,
    code: "INVALID_REQUEST",
  })),
  { name: "a model id with a slash", text: get("/items/meta-llama%2FLlama-3-8B"), status: 200 },
  { name: "dots inside a name", text: get("/items/a..b...c"), status: 200 },
  { name: "dots in the query", text: get("/public?path=/../x"), status: 200 },
];

const framing: readonly Case[] = [
  ...[
    ["both lengths", [JSON_TYPE, "Content-Length: 2", "Transfer-Encoding: chunked"]],
    ["both lengths the other way", [JSON_TYPE, "Transfer-Encoding: chunked", "Content-Length: 2"]],
    ["two Content-Length", [JSON_TYPE, "Content-Length: 2", "Content-Length: 2"]],
    ["a Content-Length list", [JSON_TYPE, "Content-Length: 2, 2"]],
    ["a signed Content-Length", [JSON_TYPE, "Content-Length: +2"]],
    ["a space before the colon", [JSON_TYPE, "Content-Length : 2"]],
    ["a folded header", [JSON_TYPE, "Content-Length: 2", "X-A: b\r\n c"]],
    ["chunked twice", [JSON_TYPE, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    ["another transfer coding", [JSON_TYPE, "Transfer-Encoding: gzip, chunked"]],
    ["an unknown transfer coding", [JSON_TYPE, "Transfer-Encoding: xchunked"]],
    ["two Authorization", [JSON_TYPE, "Content-Length: 2", "authorization: Bearer other"]],
    ["two Content-Type", [JSON_TYPE, "Content-Length: 2", "content-type: text/plain"]],
    ["an unknown Expect", [JSON_TYPE, "Content-Length: 2", "Expect: tea"]],
  ].map(([name, headers]) => ({
    name: String(name),
    text: post(headers as string[]),
    status: 400,
    code: "INVALID_REQUEST",
  })),
  {
    name: "a Transfer-Encoding in HTTP/1.0",
    text: post([JSON_TYPE, "Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n").replace(
      "HTTP/1.1",
      "HTTP/1.0",
    ),
    status: 400,
    code: "INVALID_REQUEST",
  },
  { name: "an unknown method", text: "FOO / HTTP/1.1\r\n\r\n", status: 400 },
  { name: "HTTP/2 without TLS", text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 400 },
  { name: "only carriage returns", text: "GET / HTTP/1.1\rHost: a\r\r", status: 400 },
  {
    name: "chunked JSON",
    text: post([JSON_TYPE, "Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"),
    status: 200,
  },
];

const bodies: readonly Case[] = [
  ...[
    "text/plain",
    "application/json2",
    "application/json x",
    "application/json; charset=latin1",
    "application/json; charset=utf-8; a=b",
    "application/json, text/plain",
    "application/problem+json",
    "application/x-www-form-urlencoded",
  ].map((type) => ({
    name: type,
    text: post([`Content-Type: ${type}`, "Content-Length: 2"]),
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  })),
  {
    name: "no Content-Type",
    text: post(["Content-Length: 2"]),
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  {
    name: "no Content-Type on chunks",
    text: post(["Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n"),
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  {
    name: "a compressed body",
    text: post([JSON_TYPE, "Content-Encoding: gzip", "Content-Length: 2"]),
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  ...[
    "application/json",
    "Application/JSON; charset=UTF-8",
    'application/json ;charset="utf-8"',
  ].map((type) => ({
    name: type,
    text: post([`Content-Type: ${type}`, "Content-Length: 2"]),
    status: 200,
  })),
  { name: "no body and no type", text: post(["Content-Length: 0"], ""), status: 200 },
];

describe.each([
  ["Host", hosts],
  ["the target", targets],
  ["framing", framing],
  ["the body", bodies],
] as const)("%s", (_name, cases) => {
  test.each(cases)("$name -> $status", async ({ text, status, code }) => {
    const answer = await sendRaw(port, text);
    expect(answer.status, answer.body).toBe(status);
    if (status < 400) return;
    const { error } = JSON.parse(answer.body) as { error: { code: string; request_id: string } };
    expect(error.code).toBe(code ?? "INVALID_REQUEST");
    expect(answer.headers.get("x-request-id")).toBe(error.request_id);
    if (cases === framing) expect(answer.headers.get("connection")).toBe("close");
  });
});
