import { hash } from "node:crypto";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { createKeyDirectory, type KeyDirectory } from "../../../src/http/keys.ts";
import { LatestKeys } from "../../../src/http/latest-keys.ts";

/** A directory that counts how often it is asked. */
function directoryOf(...users: readonly string[]): KeyDirectory & { asked: number } {
  const directory = createKeyDirectory(
    users.map((user) => {
      const sha256 = hash("sha256", `key-of-${user}`, "hex");
      return { id: user, user, role: "user", sha256 };
    }),
  );
  return {
    asked: 0,
    size: directory.size,
    find(key) {
      this.asked += 1;
      return directory.find(key);
    },
  };
}

test("a connection's key is looked up once, and others' keys are others'", () => {
  const keys = directoryOf("alice", "bob");
  const latest = new LatestKeys();
  const connection = new Socket();
  for (let i = 0; i < 3; i++) {
    expect(latest.find("key-of-alice", connection, keys)?.user).toBe("alice");
  }
  expect(keys.asked).toBe(1);
  expect(latest.find("key-of-bob", connection, keys)?.user).toBe("bob");
  expect(latest.find("key-of-alice", connection, keys)?.user).toBe("alice");
  expect(keys.asked).toBe(3);
});

test("what one connection brought says nothing about another", () => {
  const keys = directoryOf("alice");
  const latest = new LatestKeys();
  latest.find("key-of-alice", new Socket(), keys);
  latest.find("key-of-alice", new Socket(), keys);
  expect(keys.asked).toBe(2);
});

test("a bad key after a good one is refused, also one that is longer, shorter or much the same", () => {
  const keys = directoryOf("alice");
  const latest = new LatestKeys();
  const connection = new Socket();
  latest.find("key-of-alice", connection, keys);
  for (const bad of ["key-of-alicf", "key-of-alice1", "key-of-alic", "", "xey-of-alice"]) {
    expect(latest.find(bad, connection, keys)).toBeNull();
  }
  expect(latest.find("key-of-alice", connection, keys)?.user).toBe("alice");
});

test("a key that was taken out of the configuration ends on open connections, too", () => {
  const latest = new LatestKeys();
  const connection = new Socket();
  expect(latest.find("key-of-alice", connection, directoryOf("alice", "bob"))).not.toBeNull();
  expect(latest.find("key-of-alice", connection, directoryOf("bob"))).toBeNull();
});
