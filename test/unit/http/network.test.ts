import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { createNetworkGate, createProxyMatcher, denyOutsiders } from "../../../src/http/network.ts";
import { makeFrontDoorApp, type DoorChanges } from "../../support/front-door-app.ts";

describe("the network gate", () => {
  const gate = createNetworkGate({ allowedCidrs: ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"] });

  test.each([
    "10.255.0.1",
    "192.0.2.7",
    "2001:db8:5::1",
    "2001:db8:5::1%no-such-interface",
    "::ffff:10.1.2.3",
    "::ffff:a01:203",
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "::ffff:127.0.0.1",
    "10.0.0.1:80",
    "[2001:db8::7]:4711",
    "[2001:db8::7]",
  ])("allows %s", (address) => {
    expect(gate.allows(address)).toBe(true);
  });

  test.each([
    "11.0.0.1",
    "192.0.2.8",
    "2001:db9::1",
    "::ffff:11.0.0.1",
    "",
    "x",
    "11.0.0.1:80",
    "10.0.0.1:x",
    "[10.0.0.1",
  ])("denies %o", (address) => {
    expect(gate.allows(address)).toBe(false);
  });

  test("denies a connection that has no address any more", () => {
    expect(gate.allows(undefined)).toBe(false);
  });

  test("allows everyone when the list is empty", () => {
    const open = createNetworkGate({ allowedCidrs: [] });
    expect(open.allows("203.0.113.9")).toBe(true);
    expect(open.allows(undefined)).toBe(true);
  });

  test.each([
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/x",
    "10.0.0/8",
    "::1/129",
    "a/8",
    "1.2.3.4/8/8",
  ])("is not made with %o", (cidr) => {
    expect(() => createNetworkGate({ allowedCidrs: [cidr] })).toThrow(
      `network.allowed_cidrs: "${cidr}" is not an address or CIDR such as 10.0.0.0/8`,
    );
    expect(() => createProxyMatcher([cidr])).toThrow(`network.trusted_proxies: "${cidr}"`);
  });
});

interface Sender {
  readonly from: string;
  readonly forwardedFor?: string | string[];
}

async function ask(door: DoorChanges, { from, forwardedFor }: Sender) {
  const app = await makeFrontDoorApp(door);
  const headers = forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor };
  return app.inject({ url: "/public", remoteAddress: from, headers });
}

const PROXIED = { trustedProxies: ["192.0.2.0/24"] };

describe("the client's address", () => {
  test.each([
    ["without trusted proxies, is the peer's", {}, "203.0.113.9", "10.0.0.1", "203.0.113.9"],
    ["from a stranger, is the stranger's", PROXIED, "203.0.113.9", "10.0.0.1", "203.0.113.9"],
    ["from a proxy, is what it forwards", PROXIED, "192.0.2.1", "203.0.113.9", "203.0.113.9"],
    ["from a mapped proxy too", PROXIED, "::ffff:192.0.2.1", "203.0.113.9", "203.0.113.9"],
    [
      "skips what a client wrote itself",
      PROXIED,
      "192.0.2.1",
      "10.0.0.1, 203.0.113.9",
      "203.0.113.9",
    ],
    [
      "skips proxies behind the proxy",
      PROXIED,
      "192.0.2.1",
      "203.0.113.9, 192.0.2.2",
      "203.0.113.9",
    ],
    [
      "skips in repeated headers too",
      PROXIED,
      "192.0.2.1",
      ["10.0.0.1", "203.0.113.9"],
      "203.0.113.9",
    ],
    ["without the header, is the proxy's", PROXIED, "192.0.2.1", undefined, "192.0.2.1"],
  ])("%s", async (...[, door, from, forwardedFor, expected]) => {
    const answer = await ask(door, forwardedFor === undefined ? { from } : { from, forwardedFor });
    expect(answer.json()).toEqual({ ip: expected });
  });

  test("decides about the network, before the key is looked at", async () => {
    const door = { ...PROXIED, allowedCidrs: ["10.0.0.0/8"] };
    const outside = await ask(door, { from: "192.0.2.1", forwardedFor: "10.0.0.1, 203.0.113.9" });
    expect(outside.statusCode).toBe(403);
    expect(outside.json()).toMatchObject({ error: { code: "NETWORK_DENIED" } });
    const inside = await ask(door, { from: "192.0.2.1", forwardedFor: "203.0.113.9, 10.0.0.1" });
    expect(inside.statusCode).toBe(200);
    const garbage = await ask(door, { from: "192.0.2.1", forwardedFor: "not an address" });
    expect(garbage.statusCode).toBe(403);
  });

  test.each([
    ["203.0.113.9", "the address 203.0.113.9 may not"],
    ["::ffff:203.0.113.9", "the address 203.0.113.9 may not"],
    ["203.0.113.9:4711", "the address 203.0.113.9 may not"],
    ["fe80::9%eth0", "the address fe80::9 may not"],
    ["<b>", "a client without an IP address may not"],
  ])("from %s, is named in the refusal as people write it", async (forwardedFor, says) => {
    const door = { ...PROXIED, allowedCidrs: ["10.0.0.0/8"] };
    const answer = await ask(door, { from: "192.0.2.1", forwardedFor });
    const { error } = answer.json<{ error: { message: string } }>();
    expect(error.message).toContain(says);
    expect(error.message).toContain("network.allowed_cidrs, or to network.trusted_proxies if");
  });

  test("is not there where the connection has gone: refused, and nothing breaks", () => {
    const refused: unknown[] = [];
    const hook = denyOutsiders(() => createNetworkGate({ allowedCidrs: ["10.0.0.0/8"] }));
    const gone = { ip: undefined } as unknown as FastifyRequest;
    hook.call({} as never, gone, {} as never, (error) => refused.push(error));
    expect(refused).toMatchObject([{ code: "NETWORK_DENIED" }]);
  });

  test("skips proxies that are named with their ports", async () => {
    const forwardedFor = "203.0.113.9:4711, 192.0.2.2:5000";
    expect((await ask(PROXIED, { from: "192.0.2.1", forwardedFor })).json()).toEqual({
      ip: "203.0.113.9:4711",
    });
  });

  test("outside the network hides whether a route, a key or the form was wrong", async () => {
    const app = await makeFrontDoorApp({ allowedCidrs: ["10.0.0.0/8"] });
    for (const url of ["/user", "/nothing"]) {
      const headers = { "content-encoding": "gzip" };
      const answer = await app.inject({ url, headers, remoteAddress: "203.0.113.9" });
      expect(answer.json(), url).toMatchObject({ error: { code: "NETWORK_DENIED" } });
    }
  });
});
