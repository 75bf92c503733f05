import "../../src/v8-flags.ts";
import { createApp, KNOWN_NAMES } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { benchConfig } from "./bench-config.ts";

/** The product as it is shipped, with few slots, so that most requests wait in its queue. */
const env = { ...benchConfig(process.argv.slice(2), 8), ROUTER__QUEUE__USER_SHARE: "1" };
const { config } = loadConfig({ env, cwd: "/nonexistent", names: KNOWN_NAMES });
const destination = "/dev/null";
const { log } = createLogger({ clock: systemClock, level: "warn", destination, ship: null });
const app = await createApp({ config, clock: systemClock, log, version: "0", demoKey: null });
const url = await app.listen();
await app.start();
process.send?.({ urls: [url] });
process.on("SIGINT", () => process.exit(0));

/** What could leak, beside what the metrics of the router itself tell. */
export interface SoakSample {
  readonly heapBytes: number;
  readonly sockets: number;
  readonly timers: number;
  readonly listeners: number;
}

process.on("message", () => {
  globalThis.gc?.();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string): number => resources.filter((name) => name === kind).length;
  const sample: SoakSample = {
    heapBytes: process.memoryUsage().heapUsed,
    sockets: count("TCPSocketWrap"),
    timers: count("Timeout"),
    listeners: listenersOf(process) + listenersOf(app.server.server),
  };
  process.send?.(sample);
});

function listenersOf(emitter: NodeJS.EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}
