import { hostname, networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { hostOf } from "../../../src/fleet/this-machine.ts";

const own = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .map(({ address, family }) => (family === "IPv6" ? `[${address.replace(/%.*/, "")}]` : address));

test.each(["localhost", "127.0.0.1", "[::1]", hostname(), ...own])("%s is this machine", (host) => {
  expect(hostOf(`http://${host}:8000/v1`)).toBe("localhost");
});

test.each([
  ["http://198.51.100.7:8000", "198.51.100.7"],
  ["http://[2001:db8::7]:8000", "[2001:db8::7]"],
  ["https://GPU-Box.example/llm", "gpu-box.example"],
  // Where tunnels to other machines end.
  ["http://127.0.0.2:8000", "127.0.0.2"],
  ["http://127.0.0.3:8000", "127.0.0.3"],
  ["http://box1.localhost:8000", "box1.localhost"],
  ["http://localhost.example", "localhost.example"],
  ["http://127.0.0.1.example", "127.0.0.1.example"],
])("%s is another one", (url, host) => {
  expect(hostOf(url)).toBe(host);
});
