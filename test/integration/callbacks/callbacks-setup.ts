import net from "node:net";
import { onTestFinished, vi } from "vitest";
import { systemClock, until } from "../../../src/clock.ts";
import { createCallbacks } from "../../../src/requests/callbacks.ts";
import { signingKey } from "../../../src/requests/callback-message.ts";
import type { Lookup } from "../../../src/requests/callback-lookup.ts";
import { SECRET } from "../../support/callback-builders.ts";
import { CallbackReceiver } from "../../support/callback-receiver.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

export async function startReceiver(): Promise<CallbackReceiver> {
  const receiver = await new CallbackReceiver().listen();
  onTestFinished(() => receiver.close());
  return receiver;
}

export interface SceneOptions {
  readonly allowedHosts?: readonly string[];
  /** Names that are not in it cannot be looked up. */
  readonly lookup?: Lookup;
}

/** Callbacks on a clock that stands still until it is told to move; sockets are real. */
export function makeScene({
  allowedHosts = ["127.0.0.1"],
  lookup = knowsNobody,
}: SceneOptions = {}) {
  const clock = new FakeClock(systemClock.wallMs());
  const { log, lines } = keepingLog();
  const settings = () => ({
    allowedHosts: new Set(allowedHosts),
    keys: new Map([["alice", signingKey(SECRET)]]),
  });
  const random = (): number => 0.5;
  const callbacks = createCallbacks({ clock, log, settings, lookup, random });
  onTestFinished(() => callbacks.close());
  const said = (message: string) => lines.filter((line) => line.message === message);
  return { callbacks, clock, lines, said };
}

const knowsNobody: Lookup = () => Promise.reject(new Error("no such name"));

/** A look-up that answers with these addresses, whatever the name. */
export function answersWith(...addresses: readonly string[]): Lookup {
  return () =>
    Promise.resolve(addresses.map((address) => ({ address, family: net.isIP(address) })));
}

/** Waits in real time for what sockets do. */
export async function happens(what: () => boolean): Promise<void> {
  if (!(await until(systemClock, what, 5_000))) throw new Error(`did not happen: ${String(what)}`);
}

/**
 * A network that lies: whatever the router connects to, it reaches the receiver. So connections to
 * addresses that do not exist here are counted as well.
 */
export function leadAllTo(receiver: CallbackReceiver): void {
  const connect = net.connect;
  const spy = vi.spyOn(net, "connect").mockImplementation(((options: net.TcpNetConnectOpts) => {
    const { lookup: _unused, ...others } = options;
    return connect({ ...others, host: "127.0.0.1", port: receiver.port });
  }) as typeof net.connect);
  onTestFinished(() => spy.mockRestore());
}
