import { expect, test } from "vitest";
import { pageHeaders } from "../../../src/http/response-headers.ts";
import { makeFrontDoorApp } from "../../support/front-door-app.ts";

test("JSON answers are not sniffed and not stored, errors included", async () => {
  const app = await makeFrontDoorApp();
  for (const url of ["/public", "/user", "/nothing", "/defect"]) {
    const { headers } = await app.inject({ url, headers: { "x-request-id": "r-1" } });
    expect(headers, url).toMatchObject({
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "x-request-id": "r-1",
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
});

test("a route may say how its answer is cached", async () => {
  const app = await makeFrontDoorApp();
  app.get("/cached", { config: { access: "public" } }, (_request, reply) => {
    void reply.header("cache-control", "max-age=60");
    return {};
  });
  expect((await app.inject("/cached")).headers["cache-control"]).toBe("max-age=60");
});

test("hijacked answers carry only what their handler writes", async () => {
  const app = await makeFrontDoorApp();
  app.get("/raw", { config: { access: "public" } }, (_request, reply) => {
    reply.hijack();
    reply.raw.end("raw");
  });
  const { headers } = await app.inject("/raw");
  expect(headers["cache-control"]).toBeUndefined();
  expect(headers["x-content-type-options"]).toBeUndefined();
});

test("pages run only their own scripts and are framed by nobody", async () => {
  const app = await makeFrontDoorApp();
  await app.register((docs, _options, done) => {
    docs.addHook("onSend", pageHeaders);
    docs.get("/docs", (_request, reply) => reply.type("text/html").send("<p>hello"));
    done();
  });
  const { headers } = await app.inject("/docs");
  const policy = String(headers["content-security-policy"]);
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain("unsafe");
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
  });
});
