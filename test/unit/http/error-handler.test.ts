import { describe, expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import { captureLog, makeFrontDoorApp } from "../../support/front-door-app.ts";
import type { LogLine } from "../../support/front-door-app.ts";

const lines: LogLine[] = [];
const app = await makeFrontDoorApp({ log: captureLog(lines) });
app.get("/busy", { config: { access: "public" } }, () => {
  throw new RouterError("QUEUE_FULL", "every slot is taken", {
    param: "model",
    retryAfterMs: 1_001,
  });
});
app.get("/own-defect", { config: { access: "public" } }, () => {
  throw new RouterError("INTERNAL", "the password is swordfish");
});
app.get("/thrown-text", { config: { access: "public" } }, () => {
  // oxlint-disable-next-line typescript/only-throw-error -- libraries do this.
  throw "the password is swordfish";
});
app.get("/failing-library", { config: { access: "public" } }, () => {
  throw Object.assign(new Error("the password is swordfish"), { statusCode: 418 });
});

app.get("/broken-connection", { config: { access: "public" } }, () => {
  throw Object.assign(new Error("the password is swordfish"), { code: "ECONNRESET" });
});

const JSON_TYPE = { "content-type": "application/json" };

function post(url: string, body: string, headers: Readonly<Record<string, string>> = JSON_TYPE) {
  return app.inject({ method: "POST", url, headers, body });
}

test("an error of the table keeps its status, message, param and time to wait", async () => {
  const answer = await app.inject({ url: "/busy", headers: { "x-request-id": "r-1" } });
  expect(answer.statusCode).toBe(503);
  expect(answer.headers["retry-after"]).toBe("2");
  expect(answer.headers["x-request-id"]).toBe("r-1");
  expect(answer.json()).toEqual({
    error: {
      code: "QUEUE_FULL",
      message: "every slot is taken",
      type: "overloaded_error",
      param: "model",
      request_id: "r-1",
    },
  });
});

test.each(["/defect", "/own-defect", "/thrown-text", "/failing-library", "/broken-connection"])(
  "%s is logged in full and answered without a word of it",
  async (url) => {
    lines.length = 0;
    const answer = await app.inject({ url, headers: { "x-request-id": "r-2" } });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ error: { code: "INTERNAL", request_id: "r-2" } });
    expect(answer.body).not.toMatch(/swordfish|\.ts/);
    expect(lines).toMatchObject([{ level: "error", fields: { requestId: "r-2", route: url } }]);
    expect(String(lines[0]?.fields["err"])).toContain("swordfish");
  },
);

describe("invalid bodies", () => {
  test.each([
    ["not JSON", "{", undefined, "not valid JSON"],
    ["empty", "", undefined, "the body is empty"],
    ["no field", "{}", "model_id", "model_id is missing: send a value of type string"],
    ["wrong type", '{"model_id":5}', "model_id", "has the wrong type: expected string"],
    ["out of range", '{"model_id":"m","priority":9}', "priority", "priority is not valid: too big"],
    ["deep", '{"model_id":"m","requests":[{}]}', "requests[0].timeout", "is missing"],
    ["unknown", '{"model_id":"m","modle":1}', "modle", "unknown field: modle"],
    [
      "unknown and deep",
      '{"model_id":"m","requests":[{"timeout":1,"x":1,"y":2}]}',
      "requests[0].x",
      "unknown fields: requests[0].x, requests[0].y",
    ],
    ["not an object", '"text"', "body", "body has the wrong type: expected object"],
  ])("%s", async (...[, body, param, message]) => {
    lines.length = 0;
    const answer = await post("/strict", body);
    expect(answer.statusCode).toBe(400);
    const { error } = answer.json<{ error: Record<string, string | null> }>();
    expect(error["code"]).toBe("INVALID_REQUEST");
    expect(error["param"]).toBe(param ?? null);
    expect(error["message"]).toContain(message);
    expect(lines).toEqual([]);
  });

  test("too large names the setting", async () => {
    const answer = await post("/strict", JSON.stringify({ model_id: "m".repeat(1024 * 1024) }));
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({
      error: { code: "BODY_TOO_LARGE", message: "the body is too large: api.body_limit_mb is 1" },
    });
  });

  test("an empty one of another type", async () => {
    const answer = await post("/strict", "", {
      "content-type": "image/png",
      "content-length": "0",
    });
    expect(answer.statusCode).toBe(415);
    expect(answer.json()).toMatchObject({ error: { code: "UNSUPPORTED_MEDIA_TYPE" } });
  });
});

describe("unknown routes", () => {
  test("point to the documentation", async () => {
    const answer = await app.inject({ url: "/nothing", headers: { "x-request-id": "r-3" } });
    expect(answer.statusCode).toBe(404);
    expect(answer.headers.allow).toBeUndefined();
    expect(answer.json()).toMatchObject({
      error: {
        code: "ROUTE_NOT_FOUND",
        message: "there is no such route: /docs lists all of them",
        request_id: "r-3",
      },
    });
  });

  test("on a path with other methods, name those", async () => {
    const answer = await app.inject({ method: "PUT", url: "/echo?x=1" });
    expect(answer.statusCode).toBe(404);
    expect(answer.headers.allow).toBe("POST, DELETE");
    expect(answer.body).toContain("this path has no PUT: use POST or DELETE");
    expect((await app.inject({ method: "POST", url: "/items/7" })).headers.allow).toBe("GET");
  });

  test("are what a trailing slash, another case or a cross-origin preflight asks for", async () => {
    expect((await app.inject("/public/")).statusCode).toBe(404);
    expect((await app.inject("/Public")).statusCode).toBe(404);
    expect((await app.inject("//public")).statusCode).toBe(404);
    const preflight = await app.inject({
      method: "OPTIONS",
      url: "/public",
      headers: { origin: "http://evil", "access-control-request-method": "GET" },
    });
    expect(preflight.statusCode).toBe(404);
    expect(Object.keys(preflight.headers).filter((name) => name.startsWith("access-"))).toEqual([]);
  });
});
