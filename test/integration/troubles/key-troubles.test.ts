import { describe, expect, onTestFinished, test } from "vitest";
import { generateKey } from "../../../src/http/keys.ts";
import { words } from "../../support/documented-words.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import type { Trouble } from "../../support/expect-trouble.ts";
import { CHAT } from "../../support/live-request.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import { openScene } from "../../support/router-scene.ts";

const chat = "/v1/chat/completions";
const cut = generateKey().key.slice(0, -1);

describe("a key is refused", () => {
  const states: readonly (Trouble & { what: string; path?: string; authorization?: string })[] = [
    {
      what: "because there is none",
      code: "UNAUTHORIZED",
      says: words("no API key: send … <key>"),
    },
    {
      what: "because nobody has it",
      authorization: "Bearer nobody-has-this",
      code: "UNAUTHORIZED",
      says: words("unknown or revoked API key: ask an operator for one (npm run key)"),
    },
    {
      what: "because it was cut off",
      authorization: `Bearer ${cut}`,
      code: "UNAUTHORIZED",
      says: words("the key is mistyped: its checksum does not match; copy it again"),
    },
    {
      what: "because it stands in the address",
      path: `${chat}?api_key=user-key`,
      code: "UNAUTHORIZED",
      says: words("keys are not accepted in the query"),
    },
    {
      what: "because its role may not",
      path: "/api/v1/quotas/user",
      authorization: "Bearer user-key",
      code: "FORBIDDEN",
      says: words("this route needs a key with the role …, not …"),
    },
  ];

  test.each(states)("$what", async ({ what: _what, path = chat, authorization, ...expected }) => {
    const { router } = await openScene();
    const headers = authorization === undefined ? {} : { authorization };
    const method = expected.code === "FORBIDDEN" ? "DELETE" : "POST";
    await expectTrouble(await fetch(router.url + path, { method, headers }), expected);
  });

  test("because the config has none at all", async () => {
    const config = 'gpu_monitoring: { url: null }\napi: { host: "127.0.0.1" }\n';
    const router = openRouterProcess({ config });
    const answer = await fetch(`${await router.address()}${chat}`, { method: "POST" });
    const says = words("no API keys configured: run npm run key -- --user <name> --role admin");
    await expectTrouble(answer, { code: "UNAUTHORIZED", says });
  });

  test("because its address tried too many, while good keys pass, and the log names it", async () => {
    const { router } = await openScene();
    const bad = { authorization: "Bearer nobody-has-this" };
    for (let tried = 0; tried < 10; tried++) await router.post(chat, CHAT, bad);
    await expectTrouble(await router.post(chat, CHAT, bad), {
      code: "AUTH_THROTTLED",
      says: words("too many bad keys from this address: wait, or send a valid key"),
    });
    expect((await router.post(chat, CHAT)).status).toBe(200);
    const told = router.logs.filter(({ message }) => words("too many bad keys").test(message));
    expect(told.map(({ fields }) => fields)).toEqual([{ address: "127.0.0.1" }]);
  });
});

describe("a quota is used up", () => {
  test("of requests: the 429 names the setting that holds, and the override that can change it", async () => {
    const { router } = await openScene({
      config: { user_quota_manager: { default_request_limit: 1 } },
    });
    await (await router.post(chat, CHAT)).text();
    const code = "QUOTA_EXCEEDED";
    const says = words("… has used … of request_limit … in 60 s: wait … s, or have it raised (…)");
    const refused = await router.post(chat, CHAT);
    await expectTrouble(refused, { code, says, param: "request_limit" });
    const admin = { authorization: `Bearer ${router.keys.admin}` };
    const raised = await fetch(`${router.url}/api/v1/quotas/user`, {
      method: "PUT",
      headers: { ...admin, "content-type": "application/json" },
      body: JSON.stringify({ request_limit: 1000 }),
    });
    expect(raised.status).toBe(200);
    expect((await router.post(chat, CHAT)).status).toBe(200);
    expect(await (await router.get("/api/v1/quotas")).json()).toMatchObject({ user_id: "user" });
  });

  test("of tokens", async () => {
    const { router } = await openScene({ config: { users: [{ id: "user", token_limit: 1 }] } });
    await (await router.post(chat, CHAT)).text();
    const says = words("… has used … of token_limit …");
    const expected = { code: "QUOTA_EXCEEDED", says, param: "token_limit" } as const;
    await expectTrouble(await router.post(chat, CHAT), expected);
  });

  test("or does not reach so far: a priority above the limit", async () => {
    const { router } = await openScene({ config: { users: [{ id: "user", priority_limit: 2 }] } });
    const says = words("… is above this user's priority_limit of …");
    const refused = await router.post(chat, CHAT, { "x-priority": "5" });
    await expectTrouble(refused, { code: "PRIORITY_LIMIT_EXCEEDED", says, param: "x-priority" });
  });
});

test("an address outside the network is refused by name, before any key", async () => {
  onTestFinished(() => router.close());
  const { router } = await openScene({
    // The test's own address is loopback, which always passes, unless it is a proxy's.
    config: { network: { allowed_cidrs: ["10.0.0.0/8"], trusted_proxies: ["127.0.0.0/8"] } },
  });
  const says = words(
    "the address … may not use the router: an operator can add it to network.allowed_cidrs",
  );
  for (const path of ["/health", "/docs", chat]) {
    const answer = await router.get(path, { "x-forwarded-for": "203.0.113.9" });
    await expectTrouble(answer, { code: "NETWORK_DENIED", says });
  }
  expect((await router.get("/health", { "x-forwarded-for": "10.0.0.9" })).status).toBe(200);
});
