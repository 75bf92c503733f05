import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyDirectory, generateKey, isMistyped } from "../../../src/http/keys.ts";

const digest = (key: string) => hash("sha256", key, "hex");
const entry = (id: string, key: string) =>
  ({ id, user: `${id}-user`, role: "user", sha256: digest(key) }) as const;

describe("a generated key", () => {
  test("has the prefix, 256 random bits and a checksum", () => {
    const { key, sha256, lastFour } = generateKey();
    expect(key).toMatch(/^gr_live_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$/);
    expect(sha256).toBe(digest(key));
    expect(key.endsWith(lastFour)).toBe(true);
    expect(lastFour).toHaveLength(4);
    expect(generateKey().key).not.toBe(key);
  });

  test("is found again as the identity of its entry", () => {
    const { key, sha256 } = generateKey();
    const keys = createKeyDirectory([
      entry("other", "another"),
      { id: "laptop", user: "alice", role: "operator", sha256: sha256.toUpperCase() },
    ]);
    expect(keys.size).toBe(2);
    expect(keys.find(key)).toEqual({ keyId: "laptop", user: "alice", role: "operator" });
  });

  test("is told as mistyped after any change of one character", () => {
    const { key } = generateKey();
    expect(isMistyped(key)).toBe(false);
    fc.assert(
      fc.property(fc.nat({ max: key.length - 9 }), (offset) => {
        const at = 8 + offset;
        const changed = key[at] === "a" ? "b" : "a";
        expect(isMistyped(key.slice(0, at) + changed + key.slice(at + 1))).toBe(true);
      }),
    );
    expect(isMistyped(key.slice(0, -1))).toBe(true);
    expect(isMistyped("gr_live_")).toBe(true);
  });
});

test("keys of another form may be configured and are never called mistyped", () => {
  expect(createKeyDirectory([entry("demo", "demo")]).find("demo")?.keyId).toBe("demo");
  expect(isMistyped("demo")).toBe(false);
});

test.each([
  ["unknown", "other"],
  ["empty", ""],
  ["with a space", "known key"],
  ["with a line feed", "known\n"],
  ["beyond ASCII", "knöwn"],
])("a key that is %s is nobody's", (_name, key) => {
  const keys = createKeyDirectory([entry("a", "known")]);
  expect(keys.find("known")).not.toBeNull();
  expect(keys.find(key)).toBeNull();
});

test("over-long and ill-formed keys are refused even where their digest is configured", () => {
  const longest = "a".repeat(512);
  const keys = createKeyDirectory([
    entry("longest", longest),
    entry("longer", `${longest}a`),
    entry("space", "a b"),
  ]);
  expect(keys.find(longest)?.keyId).toBe("longest");
  expect(keys.find(`${longest}a`)).toBeNull();
  expect(keys.find("a b")).toBeNull();
});

test("two entries with the same key are refused by name", () => {
  expect(() => createKeyDirectory([entry("one", "k"), entry("two", "k")])).toThrow(
    'auth.keys: "one" and "two" hold the same key',
  );
});
