import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateKey } from "../../src/http/keys.ts";
import { lackOfNamespaces, Network } from "../support/network-namespaces.ts";
import { ask, startProxy } from "../support/namespace-http.ts";
import type { Namespace } from "../support/network-namespaces.ts";
import { RouterProcess } from "../support/router-process.ts";

const lack = lackOfNamespaces();
const title = "the network gate, before machines with addresses of their own";

const { key, sha256 } = generateKey();
const GOOD = { authorization: `Bearer ${key}` };
const BAD = { authorization: "Bearer nobody-has-this" };

function configFor(host: string): string {
  return `
    api: { host: "${host}", port: 0 }
    gpu_monitoring: { url: null }
    network:
      allowed_cidrs: [10.77.1.0/24, 10.78.1.0/24, "fd77:1::/64", "fe80::77:a"]
      trusted_proxies: [10.77.9.2]
    auth: { keys: [{ id: alice-1, user: alice, role: admin, sha256: ${sha256} }] }`;
}

describe.skipIf(lack !== null)(lack === null ? title : `${title}: ${lack}`, () => {
  let network: Network;
  let [inside, outside, home, proxy]: Namespace[] = [];
  const routers: RouterProcess[] = [];
  const stops: (() => Promise<void>)[] = [];
  let ipv4Port: number;
  let dualPort: number;

  async function startRouter(host: string): Promise<number> {
    const router = new RouterProcess({ config: configFor(host), within: home!.within });
    routers.push(router);
    return Number(/:(\d+)$/.exec(await router.printed(/"address":"http:\S+?:\d+/))![1]);
  }

  beforeAll(async () => {
    network = await Network.create();
    home = await network.add("home");
    inside = await network.add("inside");
    outside = await network.add("outside");
    proxy = await network.add("proxy");
    await network.join(
      {
        space: inside,
        interface: "eth0",
        addresses: ["10.77.1.2/24", "fd77:1::2/64", "fe80::77:a/64"],
      },
      {
        space: home,
        interface: "in",
        addresses: ["10.77.1.1/24", "fd77:1::1/64", "fe80::77:1/64"],
      },
    );
    await network.join(
      {
        space: outside,
        interface: "eth0",
        addresses: ["10.77.2.2/24", "fd77:2::2/64", "fe80::77:b/64"],
      },
      {
        space: home,
        interface: "out",
        addresses: ["10.77.2.1/24", "fd77:2::1/64", "fe80::77:1/64"],
      },
    );
    await network.join(
      { space: proxy, interface: "eth0", addresses: ["10.77.9.2/24"] },
      { space: home, interface: "side", addresses: ["10.77.9.1/24"] },
    );
    await network.join(
      { space: inside, interface: "px", addresses: ["10.78.1.2/24", "10.78.1.3/24"] },
      { space: proxy, interface: "in", addresses: ["10.78.1.1/24"] },
    );
    await network.join(
      { space: outside, interface: "px", addresses: ["10.78.2.2/24"] },
      { space: proxy, interface: "out", addresses: ["10.78.2.1/24"] },
    );
    ipv4Port = await startRouter("0.0.0.0");
    dualPort = await startRouter("::");
    stops.push(await startProxy(proxy, 8001, { host: "10.77.9.1", port: ipv4Port }));
    // The second of a chain: it reaches the first by the address that the router trusts.
    stops.push(await startProxy(proxy, 8002, { host: "10.77.9.2", port: 8001 }));
  });

  afterAll(async () => {
    await Promise.all(routers.map((router) => router.close()));
    await Promise.all(stops.map((stop) => stop()));
    await network.remove();
  });

  const refused = (address: string) => ({
    status: 403,
    code: "NETWORK_DENIED",
    message: expect.stringContaining(`the address ${address} may not use the router`) as string,
  });
  const passed = { status: 200, code: null, message: null };

  test("IPv4 inside the range passes to the key, outside is refused before it, and everywhere", async () => {
    const paths = ["/health/live", "/docs", "/api/v1/gpus", "/no-such-route"];
    const asksAt = (host: string) => {
      const to = { host, port: ipv4Port };
      return [
        ...paths.map((path) => ({ ...to, path })),
        { ...to, headers: GOOD },
        { ...to, headers: BAD },
      ];
    };
    const within = await ask(inside!, ...asksAt("10.77.1.1"));
    expect(within.map(({ status }) => status)).toEqual([200, 200, 401, 404, 200, 401]);
    const without = await ask(outside!, ...asksAt("10.77.2.1"));
    expect(without).toEqual(asksAt("").map(() => refused("10.77.2.2")));
    const [own] = await ask(home!, { host: "127.0.0.1", port: ipv4Port, headers: GOOD });
    expect(own).toEqual(passed);
    expect(routers[0]!.stdout).not.toContain("network.allowed_cidrs is empty");
  });

  test("a listener on :: knows IPv4 clients by their IPv4 addresses, and its own machine by both", async () => {
    const to = { port: dualPort, headers: GOOD };
    expect(await ask(inside!, { ...to, host: "10.77.1.1" })).toEqual([passed]);
    expect(await ask(outside!, { ...to, host: "10.77.2.1" })).toEqual([refused("10.77.2.2")]);
    const own = await ask(home!, { ...to, host: "127.0.0.1" }, { ...to, host: "::1" });
    expect(own).toEqual([passed, passed]);
  });

  test("IPv6 is held to its ranges, link-local with its zone too", async () => {
    const to = { port: dualPort, headers: GOOD };
    // Clients leave the zone out of the Host header: it means nothing to the server.
    const linkLocal = {
      ...to,
      host: "fe80::77:1%eth0",
      headers: { ...GOOD, host: "[fe80::77:1]" },
    };
    expect(await ask(inside!, { ...to, host: "fd77:1::1" }, linkLocal)).toEqual([passed, passed]);
    expect(await ask(outside!, { ...to, host: "fd77:2::1" }, linkLocal)).toEqual([
      refused("fd77:2::2"),
      refused("fe80::77:b"),
    ]);
  });

  test("behind a proxy the gate is for its clients, whatever they forward themselves", async () => {
    const forging = (address: string) => ({ ...GOOD, "x-forwarded-for": address });
    for (const port of [8001, 8002]) {
      const fromInside = { host: "10.78.1.1", port };
      const fromOutside = { host: "10.78.2.1", port };
      expect(
        await ask(
          inside!,
          { ...fromInside, headers: GOOD },
          { ...fromInside, headers: forging("10.78.2.2") },
        ),
      ).toEqual([passed, passed]);
      expect(
        await ask(
          outside!,
          { ...fromOutside, headers: GOOD },
          { ...fromOutside, headers: forging("10.78.1.2") },
          { ...fromOutside, headers: forging("127.0.0.1, 10.77.9.2") },
        ),
      ).toEqual([refused("10.78.2.2"), refused("10.78.2.2"), refused("10.78.2.2")]);
    }
  });

  test("X-Forwarded-For is believed from nobody but the proxy", async () => {
    const asA = (host: string, forged: string) => {
      return { host, port: ipv4Port, headers: { ...GOOD, "x-forwarded-for": forged } };
    };
    const outsiders = [asA("10.77.2.1", "10.77.1.2"), asA("10.77.2.1", "127.0.0.1")];
    expect(await ask(outside!, ...outsiders)).toEqual([refused("10.77.2.2"), refused("10.77.2.2")]);
    expect(await ask(inside!, asA("10.77.1.1", "10.77.2.2"))).toEqual([passed]);
    // The proxy's own address is outside the ranges, so what it does not forward is refused.
    const own = { host: "10.77.9.1", port: ipv4Port, headers: GOOD };
    expect(await ask(proxy!, own)).toEqual([refused("10.77.9.2")]);
  });

  test("bad keys throttle the client behind the proxy that sent them, and no other", async () => {
    const guess = { host: "10.78.1.1", port: 8001, headers: BAD, localAddress: "10.78.1.2" };
    const guesses = await ask(inside!, ...Array.from({ length: 11 }, () => guess));
    expect(guesses.map(({ status }) => status)).toEqual([...Array<number>(10).fill(401), 429]);
    // Another address each time, written by the guesser itself, helps nothing.
    const headers = { ...BAD, "x-forwarded-for": "10.78.1.77" };
    expect((await ask(inside!, { ...guess, headers }))[0]?.status).toBe(429);
    const other = { ...guess, localAddress: "10.78.1.3" };
    expect((await ask(inside!, other))[0]?.status).toBe(401);
    expect(await ask(inside!, { ...guess, headers: GOOD })).toEqual([passed]);
    await routers[0]!.printed(/"address":"10\.78\.1\.2".*"too many bad keys"/);
  });
});
