import net from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { RouterError } from "../../../src/errors.ts";
import type { Lookup } from "../../../src/requests/callback-lookup.ts";
import { makeJobEnd } from "../../support/callback-builders.ts";
import { answersWith, happens, leadAllTo, makeScene, startReceiver } from "./callbacks-setup.ts";

/** Spellings of addresses that a callback must never reach. */
const ADDRESSES = [
  "127.0.0.1",
  "127.1",
  "0x7f.1",
  "0x7f000001",
  "017700000001",
  "2130706433",
  "0",
  "①②⑦.⓪.⓪.①",
  "127.0.0.1.",
  "169.254.169.254",
  "169.254.169.254.",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "100.100.100.200",
  "192.0.0.192",
  "192.0.2.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "168.63.129.16",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:a9fe:a9fe]",
  "[::127.0.0.1]",
  "[fd00:ec2::254]",
  "[fc00::1]",
  "[fe80::1]",
  "[ff02::1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b:1::a9fe:a9fe]",
  "[2002:a9fe:a9fe::1]",
  "[2001::1]",
  "[2001:db8::1]",
];
const NAMES = ["localhost", "localhost.", "metadata.google.internal", "api.default.svc", "a.local"];

const open = { user: "alice" };

describe.each([...ADDRESSES, ...NAMES])("https://%s/", (host) => {
  test("is refused at the submission", () => {
    const { callbacks } = makeScene({ allowedHosts: [] });
    expect(() => callbacks.check(`https://${host}/`, open.user)).toThrow(RouterError);
  });

  test("is not even connected to, and the refusal is final", async () => {
    const receiver = await startReceiver();
    leadAllTo(receiver);
    const { callbacks, said } = makeScene({ allowedHosts: [], lookup: answersWith("10.0.0.1") });
    callbacks.send(makeJobEnd({ url: new URL(`http://${host}/`) }));
    await happens(() => callbacks.pendingCount === 0);
    expect(receiver.connections).toBe(0);
    expect(said("callback given up")).toMatchObject([
      { fields: { attempts: 1, why: expect.stringMatching(/ is not a public address: add the/) } },
    ]);
  });

  test("is connected to when its host is allowed, which shows that connections count", async () => {
    const receiver = await startReceiver();
    leadAllTo(receiver);
    const url = new URL(`http://${host}/`);
    const allowedHosts = [url.hostname.replace(/\.$/, "")];
    const { callbacks } = makeScene({ allowedHosts, lookup: answersWith("10.0.0.1") });
    callbacks.send(makeJobEnd({ url: callbacks.check(url.href, open.user) }));
    await happens(() => callbacks.pendingCount === 0);
    expect(receiver.connections).toBe(1);
    expect(receiver.received).toHaveLength(1);
  });
});

describe("a public name", () => {
  const url = new URL("http://hooks.example.com/");

  test.each(ADDRESSES.map((host) => new URL(`http://${host}`).hostname.replace(/[[\]]/g, "")))(
    "that leads to %s is not connected to, even if it has a public address too",
    async (address) => {
      const receiver = await startReceiver();
      leadAllTo(receiver);
      for (const addresses of [[address], ["93.184.215.14", address], [address, "2606:4700::1"]]) {
        const scene = makeScene({ allowedHosts: [], lookup: answersWith(...addresses) });
        scene.callbacks.send(makeJobEnd({ url }));
        await happens(() => scene.callbacks.pendingCount === 0);
      }
      expect(receiver.connections).toBe(0);
    },
  );

  test("is looked up once for an attempt, and only what was checked is connected to", async () => {
    const receiver = await startReceiver();
    const answers = ["93.184.215.14", "127.0.0.1", "127.0.0.1"];
    const lookup = vi.fn<Lookup>((_hostname, signal) =>
      answersWith(answers.shift() ?? "127.0.0.1")(_hostname, signal),
    );
    const connectedTo = recordTargets();
    const { callbacks, clock, said } = makeScene({ allowedHosts: [], lookup });
    callbacks.send(makeJobEnd({ url: new URL(`http://hooks.example.com:${receiver.port}/`) }));
    await happens(() => said("callback failed").length === 1);
    expect(lookup).toHaveBeenCalledTimes(1);
    expect(connectedTo).toEqual([[{ address: "93.184.215.14", family: 4 }]]);
    await clock.advanceAsync(5_000);
    await happens(() => callbacks.pendingCount === 0);
    expect(lookup).toHaveBeenCalledTimes(2);
    expect(connectedTo).toHaveLength(1);
    expect(receiver.connections).toBe(0);
  });

  test("whose connection ends at a private address is sent nothing", async () => {
    const receiver = await startReceiver();
    leadAllTo(receiver);
    const lookup = answersWith("93.184.215.14");
    const { callbacks, said } = makeScene({ allowedHosts: [], lookup });
    callbacks.send(makeJobEnd({ url }));
    await happens(() => callbacks.pendingCount === 0);
    await happens(() => receiver.connections === 1 && receiver.openConnections === 0);
    expect(receiver.received).toEqual([]);
    expect(said("callback given up")).toMatchObject([
      { fields: { why: expect.stringMatching(/^127\.0\.0\.1 is not a public address/) } },
    ]);
  });
});

/** What each connection would have tried; none is made. */
function recordTargets(): unknown[] {
  const targets: unknown[] = [];
  const connect = net.connect;
  const spy = vi.spyOn(net, "connect").mockImplementation(((options: net.TcpNetConnectOpts) =>
    connect({
      ...options,
      lookup: (hostname, lookupOptions, done) =>
        options.lookup?.(hostname, lookupOptions, (_error, addresses) => {
          targets.push(addresses);
          done(new Error("unreachable"), []);
        }),
    })) as typeof net.connect);
  onTestFinished(() => spy.mockRestore());
  return targets;
}
