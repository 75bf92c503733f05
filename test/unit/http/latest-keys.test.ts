import { hash } from "node:crypto";
import { Socket } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { createKeyDirectory, type Identity, type KeyDirectory } from "../../../src/http/keys.ts";
import { LatestKeys } from "../../../src/http/latest-keys.ts";

const sha256 = hash("sha256", "key-of-alice", "hex");
const directory = (): KeyDirectory =>
  createKeyDirectory([{ id: "alice", user: "alice", role: "user", sha256 }]);
const HEADER = "Bearer key-of-alice";

let keys: KeyDirectory;
let identity: Identity;
let latest: LatestKeys;
let connection: Socket;

beforeEach(() => {
  keys = directory();
  identity = keys.find("key-of-alice")!;
  latest = new LatestKeys();
  connection = new Socket();
  latest.remember(connection, HEADER, { keys, identity });
});

test("the header of the latest good key says whose it is", () => {
  expect(latest.identityOf(connection, HEADER, keys)).toBe(identity);
  expect(latest.identityOf(connection, HEADER, keys)).toBe(identity);
});

test.each([
  "Bearer key-of-alicf",
  "Bearer key-of-alice1",
  "Bearer key-of-alic",
  "bearer key-of-alice",
  "",
])("%j says nothing", (header) => {
  expect(latest.identityOf(connection, header, keys)).toBeNull();
});

test("another connection says nothing, and another key takes the place of the first", () => {
  expect(latest.identityOf(new Socket(), HEADER, keys)).toBeNull();
  latest.remember(connection, "Bearer other", { keys, identity });
  expect(latest.identityOf(connection, HEADER, keys)).toBeNull();
});

test("it ends with the keys that it was found in: a reload may have taken it out", () => {
  expect(latest.identityOf(connection, HEADER, directory())).toBeNull();
});
