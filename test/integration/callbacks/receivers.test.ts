import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import { makeJobEnd, SECRET } from "../../support/callback-builders.ts";
import type { CallbackReceiver } from "../../support/callback-receiver.ts";
import { answersWith, happens, makeScene, startReceiver } from "./callbacks-setup.ts";

const MIB = 1024 * 1024;

const to = ({ port }: CallbackReceiver, path = "/done?job=1") =>
  makeJobEnd({ url: new URL(`http://127.0.0.1:${port}${path}`) });

test("a receiver gets a signed POST that the reference library verifies", async () => {
  const receiver = await startReceiver();
  const { callbacks } = makeScene();
  callbacks.send(to(receiver));
  await happens(() => callbacks.pendingCount === 0);
  const [{ path, headers, body } = { path: "", headers: {}, body: null }] = receiver.received;
  expect(path).toBe("/done?job=1");
  expect(new Webhook(SECRET).verify(body ?? "", headers as Record<string, string>)).toMatchObject({
    type: "job.completed",
    data: { request_id: "job-1" },
  });
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "user-agent": "gpu-request-router",
    host: `127.0.0.1:${receiver.port}`,
  });
  expect(Object.keys(headers)).not.toContain("cookie");
});

test("retries keep the id, and are signed anew", async () => {
  const receiver = await startReceiver();
  receiver.answer = (_request, response) => void response.writeHead(500).end();
  const { callbacks, clock } = makeScene();
  callbacks.send(to(receiver));
  for (const [attempt, waitMs] of [5_000, 30_000, 120_000].entries()) {
    await happens(() => clock.pendingTimers === 1 && receiver.received.length === attempt + 1);
    await clock.advanceAsync(waitMs);
  }
  await happens(() => receiver.received.length === 4);
  const sent = (name: string) => receiver.received.map(({ headers }) => headers[name]);
  expect(new Set(sent("webhook-id")).size).toBe(1);
  expect(sent("webhook-id")[0]).toMatch(/^msg_[0-9a-f-]{36}$/);
  const [first = 0] = sent("webhook-timestamp").map(Number);
  expect(sent("webhook-timestamp").map((at) => Number(at) - first)).toEqual([0, 5, 35, 155]);
  for (const { headers, body } of receiver.received) {
    new Webhook(SECRET).verify(body ?? "", headers as Record<string, string>);
  }
});

test("each callback has an id of its own", async () => {
  const receiver = await startReceiver();
  const { callbacks } = makeScene();
  callbacks.send(to(receiver));
  callbacks.send(to(receiver));
  await happens(() => callbacks.pendingCount === 0);
  expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
});

test.each([301, 302, 303, 307, 308])(
  "a redirect (%i) is a failure, never followed",
  async (status) => {
    const receiver = await startReceiver();
    const elsewhere = await startReceiver();
    receiver.answer = (_request, response) => {
      response.writeHead(status, { location: `http://127.0.0.1:${elsewhere.port}/` }).end();
    };
    const { callbacks, said } = makeScene();
    callbacks.send(to(receiver));
    await happens(() => said("callback failed").length === 1);
    expect(said("callback failed")).toMatchObject([{ fields: { why: `answered ${status}` } }]);
    expect(elsewhere.connections).toBe(0);
  },
);

test("410 ends it; 429 is tried again when it says", async () => {
  const gone = await startReceiver();
  gone.answer = (_request, response) => void response.writeHead(410).end();
  const busy = await startReceiver();
  busy.answer = (_request, response) => void response.writeHead(429, { "retry-after": "60" }).end();
  const { callbacks, clock, said } = makeScene();
  callbacks.send(to(gone));
  callbacks.send(to(busy));
  await happens(() => said("callback given up").length === 1 && clock.pendingTimers === 1);
  await clock.advanceAsync(59_999);
  expect(busy.received).toHaveLength(1);
  await clock.advanceAsync(1);
  await happens(() => busy.received.length === 2);
  expect(gone.received).toHaveLength(1);
});

test("Retry-After counts up to ten minutes", async () => {
  const receiver = await startReceiver();
  receiver.answer = (_request, response) =>
    void response.writeHead(503, { "retry-after": "86400" }).end();
  const { callbacks, said } = makeScene();
  callbacks.send(to(receiver));
  await happens(() => said("callback failed").length === 1);
  expect(said("callback failed")).toMatchObject([{ fields: { delayMs: 600_000 } }]);
});

describe("a receiver that cannot be waited for", () => {
  test("because it refuses connections is tried again", async () => {
    const receiver = await startReceiver();
    await receiver.close();
    const { callbacks, said } = makeScene();
    callbacks.send(to(receiver));
    await happens(() => said("callback failed").length === 1);
    expect(said("callback failed")).toMatchObject([{ fields: { why: "ECONNREFUSED" } }]);
  });

  test("because it does not answer is left after 15 s", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => {};
    const { callbacks, clock, said } = makeScene();
    callbacks.send(to(receiver));
    await happens(() => receiver.received.length === 1);
    await clock.advanceAsync(14_999);
    expect(said("callback failed")).toEqual([]);
    await clock.advanceAsync(1);
    await happens(() => said("callback failed").length === 1 && receiver.openConnections === 0);
    expect(said("callback failed")).toMatchObject([
      { fields: { why: "no answer within 15000 ms", attempts: 1 } },
    ]);
  });

  test("because TLS does not begin is left after 2 s", async () => {
    const receiver = await startReceiver();
    const { callbacks, clock, said } = makeScene({
      allowedHosts: ["hooks.lan"],
      lookup: answersWith("127.0.0.1"),
    });
    // A listener that never speaks: the handshake is part of connecting.
    receiver.muteConnections();
    callbacks.send(makeJobEnd({ url: new URL(`https://hooks.lan:${receiver.port}/`) }));
    await happens(() => receiver.firstBytes.length > 0);
    expect(receiver.firstBytes.toString("latin1")).toContain("hooks.lan");
    await clock.advanceAsync(2_000);
    await happens(() => said("callback failed").length === 1 && receiver.openConnections === 0);
    expect(said("callback failed")).toMatchObject([
      { fields: { why: "no connection within 2000 ms" } },
    ]);
  });

  test("because its name is not found in time is left after 2 s", async () => {
    const { callbacks, clock, said } = makeScene({ lookup: () => new Promise(() => {}) });
    callbacks.send(makeJobEnd());
    await clock.advanceAsync(2_000);
    await happens(() => said("callback failed").length === 1);
    expect(said("callback failed")).toMatchObject([
      { fields: { why: "no connection within 2000 ms" } },
    ]);
  });
});

test("of an endless answer only the beginning is read, and its status counts", async () => {
  const receiver = await startReceiver();
  let sentBytes = 0;
  receiver.answer = (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    const flood = (): void => {
      const chunk = Buffer.alloc(64 * 1024);
      while (!response.destroyed && sentBytes < 1024 * MIB) {
        sentBytes += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.on("drain", flood);
    flood();
  };
  const { callbacks, lines, said } = makeScene();
  callbacks.send(to(receiver));
  await happens(() => said("callback delivered").length === 1 && receiver.openConnections === 0);
  // Some more was on its way in the buffers of both ends.
  expect(sentBytes).toBeLessThan(32 * MIB);
  expect(JSON.stringify(lines)).not.toContain("\\u0000");
});

test("a host gets at most four at once", async () => {
  const receiver = await startReceiver();
  const waiting: (() => void)[] = [];
  receiver.answer = (_request, response) => void waiting.push(() => response.writeHead(200).end());
  const { callbacks } = makeScene();
  for (let i = 0; i < 9; i++) callbacks.send(to(receiver));
  await happens(() => waiting.length === 4);
  expect(callbacks.inFlightCount).toBe(4);
  expect(receiver.connections).toBe(4);
  waiting.shift()?.();
  await happens(() => receiver.connections === 5);
  expect(callbacks.pendingCount).toBe(8);
});

test("closing leaves no socket and no timer, in whatever state they are", async () => {
  const receiver = await startReceiver();
  receiver.answer = () => {};
  const failing = await startReceiver();
  failing.answer = (_request, response) => void response.writeHead(500).end();
  const allowedHosts = ["127.0.0.1", "slow.lan"];
  const lookup = () => new Promise<never>(() => {});
  const { callbacks, clock, said } = makeScene({ allowedHosts, lookup });
  for (const end of [to(receiver), to(failing), makeJobEnd()]) callbacks.send(end);
  await happens(() => receiver.received.length === 1 && said("callback failed").length === 1);
  await callbacks.close();
  expect(clock.pendingTimers).toBe(0);
  expect(callbacks).toMatchObject({ pendingCount: 0, inFlightCount: 0 });
  await happens(() => receiver.openConnections === 0 && failing.openConnections === 0);
});

test("a user without a secret is told at the submission what to do", () => {
  const { callbacks } = makeScene();
  const check = (user: string) => () => callbacks.check("https://example.com/", user);
  expect(check("alice")().href).toBe("https://example.com/");
  for (const user of ["bob", "constructor"]) {
    expect(check(user)).toThrow(RouterError);
    expect(check(user)).toThrow(
      `callback_url needs a signing secret for the user ${user}: ` +
        `an operator adds callbacks.secrets.${user}`,
    );
  }
});

test("the log names the host, and nothing else of the URL", async () => {
  const receiver = await startReceiver();
  receiver.answer = (_request, response) => void response.writeHead(410).end("canary");
  const { callbacks, lines } = makeScene();
  callbacks.send(to(receiver, "/canary?token=canary"));
  await happens(() => callbacks.pendingCount === 0);
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain("canary");
});
