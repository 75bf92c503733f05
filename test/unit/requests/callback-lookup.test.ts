import { describe, expect, test } from "vitest";
import { createLookup, queryDns } from "../../../src/requests/callback-lookup.ts";

const never = new AbortController().signal;

/** Answers as a name server would; an Error is what c-ares says of a family without addresses. */
function resolverOf(ipv4: readonly string[] | Error, ipv6: readonly string[] | Error) {
  const say = (answer: readonly string[] | Error): Promise<string[]> =>
    answer instanceof Error ? Promise.reject(answer) : Promise.resolve([...answer]);
  const resolver = {
    cancelled: 0,
    resolve4: () => say(ipv4),
    resolve6: () => say(ipv6),
    cancel: () => void resolver.cancelled++,
  };
  return resolver as typeof resolver & Parameters<typeof queryDns>[1];
}

describe("DNS is asked for both families", () => {
  test("and all of their addresses count", async () => {
    const resolver = resolverOf(["1.1.1.1", "1.0.0.1"], ["2606:4700::1"]);
    expect(await queryDns("example.com", resolver, never)).toEqual([
      { address: "1.1.1.1", family: 4 },
      { address: "1.0.0.1", family: 4 },
      { address: "2606:4700::1", family: 6 },
    ]);
  });

  test("and one without an answer does not matter", async () => {
    const none = new Error("queryAaaa ENODATA");
    expect(await queryDns("example.com", resolverOf(["1.1.1.1"], none), never)).toEqual([
      { address: "1.1.1.1", family: 4 },
    ]);
    expect(await queryDns("example.com", resolverOf(none, ["2606::1"]), never)).toEqual([
      { address: "2606::1", family: 6 },
    ]);
  });

  test("and none of either is an error", async () => {
    const none = new Error("queryA ENOTFOUND");
    await expect(queryDns("example.com", resolverOf(none, none), never)).rejects.toBe(none);
  });

  test("and an abort cancels the question", async () => {
    const abort = new AbortController();
    const resolver = resolverOf(["1.1.1.1"], ["2606::1"]);
    const asked = queryDns("example.com", resolver, abort.signal);
    abort.abort();
    await asked;
    expect(resolver.cancelled).toBe(1);
    const later = new AbortController();
    await queryDns("example.com", resolver, later.signal);
    later.abort();
    expect(resolver.cancelled).toBe(1);
  });
});

test("an allowed host is looked up with the hosts file", async () => {
  const lookup = createLookup((host) => host === "localhost");
  const addresses = await lookup("localhost", never);
  expect(addresses.map(({ address }) => address)).toContain("127.0.0.1");
});
