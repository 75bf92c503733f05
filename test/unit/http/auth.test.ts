import type { LightMyRequestResponse } from "fastify";
import { describe, expect, test } from "vitest";
import { createKeyDirectory, generateKey, ROLES } from "../../../src/http/keys.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { makeFrontDoorApp } from "../../support/front-door-app.ts";

const app = await makeFrontDoorApp();
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

function errorOf(answer: LightMyRequestResponse): { code: string; message: string } {
  return answer.json<{ error: { code: string; message: string } }>().error;
}

describe("roles", () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    user: ["user", "service", "operator", "admin"],
    service: ["service", "admin"],
    operator: ["operator", "admin"],
    admin: ["admin"],
  };
  const cases = ROLES.flatMap((route) => ROLES.map((role) => ({ route, role })));

  test.each(cases)("a key with the role $role on a route for $route", async ({ route, role }) => {
    const may = allowed[route]?.includes(role) === true;
    const request = { url: `/${route}`, headers: bearer(`${role}-key`) };
    const answer = await app.inject(request);
    expect(answer.statusCode).toBe(may ? 200 : 403);
    if (may) expect(answer.json()).toEqual({ keyId: `${role}-1`, user: `${role}-name`, role });
    else expect(errorOf(answer).code).toBe("FORBIDDEN");
    expect((await app.inject({ ...request, method: "HEAD" })).statusCode).toBe(may ? 200 : 403);
  });

  test("a refusal names the roles that may", async () => {
    const answer = await app.inject({ url: "/operator", headers: bearer("user-key") });
    expect(errorOf(answer).message).toBe(
      "this route needs a key with the role operator or admin, not user",
    );
  });

  test("without a key only public routes answer", async () => {
    expect((await app.inject("/public")).statusCode).toBe(200);
    for (const role of ROLES) expect((await app.inject(`/${role}`)).statusCode).toBe(401);
  });
});

describe("a route that does not declare its access", () => {
  const handler = () => "secret";

  test("stops the start", async () => {
    const bare = await makeFrontDoorApp();
    expect(() => bare.get("/forgotten", handler)).toThrow(
      "route GET /forgotten must declare config.access",
    );
    expect(() => bare.get("/docsecret", handler)).toThrow("must declare config.access");
  });

  test("is public below a prefix for plugins", async () => {
    const withDocs = await makeFrontDoorApp();
    withDocs.get("/docs", handler);
    withDocs.get("/docs/json", handler);
    expect((await withDocs.inject("/docs/json")).statusCode).toBe(200);
    expect((await withDocs.inject("/docs")).statusCode).toBe(200);
  });

  test("is refused inside a plugin too", async () => {
    const nested = await makeFrontDoorApp();
    await expect(
      nested.register(async (scope) => {
        await scope.after();
        scope.get("/forgotten", handler);
      }),
    ).rejects.toThrow("must declare config.access");
  });
});

test("a route's own hooks run after the key was checked", async () => {
  const hooked = await makeFrontDoorApp();
  let seen: string | undefined;
  hooked.get(
    "/hooked",
    {
      config: { access: "user" },
      onRequest: (request, _reply, done) => {
        seen = request.identity?.user;
        done();
      },
    },
    () => ({}),
  );
  await hooked.inject("/hooked");
  expect(seen).toBeUndefined();
  await hooked.inject({ url: "/hooked", headers: bearer("user-key") });
  expect(seen).toBe("user-name");
});

describe("refused keys", () => {
  const mistyped = `${generateKey().key.slice(0, -1)}x`;

  test.each([
    ["no header", {}, "no API key: send `Authorization: Bearer <key>`"],
    ["another scheme", { authorization: "Basic dXNlcjp4" }, "must have the form"],
    ["no scheme", { authorization: "user-key" }, "must have the form"],
    ["an unknown key", bearer("other"), "unknown or revoked API key"],
    ["a mistyped key", bearer(mistyped), "its checksum does not match"],
    ["an unknown key of our form", bearer(generateKey().key), "unknown or revoked API key"],
    ["an over-long key", bearer("a".repeat(513)), "unknown or revoked API key"],
    ["an Anthropic header", { "x-api-key": "user-key" }, "x-api-key is not read"],
  ])("%s", async (_name, headers, message) => {
    const fresh = await makeFrontDoorApp();
    const answer = await fresh.inject({ url: "/user", headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(errorOf(answer).code).toBe("UNAUTHORIZED");
    expect(errorOf(answer).message).toContain(message);
  });

  test("the scheme's case and spaces around the key do not matter", async () => {
    const headers = { authorization: "bEARER  user-key " };
    expect((await app.inject({ url: "/user", headers })).statusCode).toBe(200);
  });

  test.each(["api_key", "API-Key", "apikey", "key", "access_token", "token"])(
    "?%s= is refused even with a good key in the header",
    async (name) => {
      const url = `/user?a=1&${name}=user-key`;
      const answer = await app.inject({ url, headers: bearer("user-key") });
      expect(answer.statusCode).toBe(401);
      expect(errorOf(answer).message).toContain("not accepted in the query");
    },
  );

  test("other query parameters are none of its business", async () => {
    const url = "/user?monkey=1&tokens=2&x=key";
    expect((await app.inject({ url, headers: bearer("user-key") })).statusCode).toBe(200);
  });

  test("without any configured key, the answer says how to make one", async () => {
    const keyless = await makeFrontDoorApp({ keys: createKeyDirectory([]) });
    const answer = await keyless.inject({ url: "/user", headers: bearer("demo") });
    expect(answer.statusCode).toBe(401);
    expect(errorOf(answer).message).toBe(
      "no API keys configured: run npm run key -- --user <name> --role admin " +
        "and paste its output into config.yaml",
    );
    expect((await keyless.inject("/public")).statusCode).toBe(200);
  });
});

test("after ten bad keys an address must wait, but its good keys still work", async () => {
  const clock = new FakeClock();
  const busy = await makeFrontDoorApp({ clock });
  const ask = (key: string, remoteAddress = "203.0.113.9") =>
    busy.inject({ url: "/user", headers: bearer(key), remoteAddress });
  for (let count = 0; count < 10; count++) expect((await ask("bad")).statusCode).toBe(401);
  clock.advance(500);

  const throttled = await ask("bad");
  expect(throttled.statusCode).toBe(429);
  expect(throttled.headers["retry-after"]).toBe("60");
  expect(errorOf(throttled).code).toBe("AUTH_THROTTLED");
  expect((await ask("user-key")).statusCode).toBe(200);
  expect((await ask("bad", "203.0.113.10")).statusCode).toBe(401);
  clock.advance(60_000);
  expect((await ask("bad")).statusCode).toBe(401);
});

test("a request without a key does not count as a bad key", async () => {
  const quiet = await makeFrontDoorApp();
  for (let count = 0; count < 20; count++) {
    expect((await quiet.inject("/user")).statusCode).toBe(401);
  }
});
