import { hash } from "node:crypto";
import { Socket } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { createKeyDirectory, type Identity, type KeyDirectory } from "../../../src/http/keys.ts";
import { ConnectionKeys } from "../../../src/http/connection-keys.ts";

const sha256 = hash("sha256", "key-of-alice", "hex");
const directory = (): KeyDirectory =>
  createKeyDirectory([{ id: "alice", user: "alice", role: "user", sha256 }]);
const HEADER = "Bearer key-of-alice";

let keys: KeyDirectory;
let identity: Identity;
let known: ConnectionKeys;
let connection: Socket;

beforeEach(() => {
  keys = directory();
  identity = keys.find("key-of-alice")!;
  known = new ConnectionKeys();
  connection = new Socket();
  known.remember(connection, HEADER, { keys, identity });
});

test("the header of the first good key says whose it is", () => {
  expect(known.identityOf(connection, HEADER, keys)).toBe(identity);
  expect(known.identityOf(connection, HEADER, keys)).toBe(identity);
});

test.each([
  "Bearer key-of-alicf",
  "Bearer key-of-alice1",
  "Bearer key-of-alic",
  "bearer key-of-alice",
  "",
])("%j says nothing", (header) => {
  expect(known.identityOf(connection, header, keys)).toBeNull();
});

test("another connection says nothing, and another key does not take the place of the first", () => {
  expect(known.identityOf(new Socket(), HEADER, keys)).toBeNull();
  known.remember(connection, "Bearer other", { keys, identity });
  expect(known.identityOf(connection, "Bearer other", keys)).toBeNull();
  expect(known.identityOf(connection, HEADER, keys)).toBe(identity);
});

test("it ends with the keys that it was found in, and is found anew: a reload may have taken it out", () => {
  const reloaded = directory();
  expect(known.identityOf(connection, HEADER, reloaded)).toBeNull();
  expect(known.identityOf(connection, HEADER, keys)).toBeNull();
  known.remember(connection, HEADER, { keys: reloaded, identity });
  expect(known.identityOf(connection, HEADER, reloaded)).toBe(identity);
});
