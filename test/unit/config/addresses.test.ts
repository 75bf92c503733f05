import { describe, expect, test } from "vitest";
import {
  isLoopbackHost,
  parseCidr,
  parseHost,
  parseHttpUrl,
  parseListenHost,
} from "../../../src/config/addresses.ts";

const refused = { mustBe: expect.stringMatching(/^must be /) };

describe("URLs", () => {
  test.each([
    ["http://Host:80/", "http://host"],
    ["https://h/a/b//", "https://h/a/b"],
    ["http://[::1]:8000", "http://[::1]:8000"],
  ])("%s is %s", (text, url) => expect(parseHttpUrl(text)).toEqual({ ok: url }));

  test.each(["", "host:8000", "ftp://h", "http://", "http://u@h", "http://:p@h", "http://h#x"])(
    "%j is refused",
    (text) => expect(parseHttpUrl(text)).toEqual(refused),
  );
});

describe("hosts", () => {
  test.each([
    ["Node-1.example", "node-1.example"],
    ["10.0.0.1", "10.0.0.1"],
    ["fd00::1", "[fd00::1]"],
    ["[FD00::1]", "[fd00::1]"],
  ])("%s is %s", (text, host) => expect(parseHost(text)).toEqual({ ok: host }));

  test.each([
    "",
    "h:80",
    "http://h",
    "a b",
    "10.0.0",
    "10.0.0.300",
    "-a",
    "fe80::1%eth0",
    "a..b",
    "127.x.0.1",
  ])("%j is refused", (text) => expect(parseHost(text)).toEqual(refused));

  test("to listen on have no brackets", () => {
    expect(parseListenHost("[::]")).toEqual({ ok: "::" });
    expect(parseListenHost("::1")).toEqual({ ok: "::1" });
  });
});

describe("address ranges", () => {
  test.each([
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["fd00::/8", "fd00::/8"],
    ["10.0.0.1", "10.0.0.1/32"],
    ["::1", "::1/128"],
  ])("%s is %s", (text, cidr) => expect(parseCidr(text)).toEqual({ ok: cidr }));

  test.each(["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/8", "host/8", "/8"])(
    "%j is refused",
    (text) => expect(parseCidr(text)).toEqual(refused),
  );
});

test.each([
  ["127.0.0.1", true],
  ["127.8.9.1", true],
  ["::1", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["127.example", false],
])("only this machine reaches %s: %s", (host, loopback) => {
  expect(isLoopbackHost(host)).toBe(loopback);
});
