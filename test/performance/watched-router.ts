import "../../src/v8-flags.ts";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createApp, KNOWN_NAMES } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Log } from "../../src/log.ts";
import { benchConfig } from "./bench-config.ts";

/** What its parent gives it, as JSON. */
export interface WatchedRouterSettings {
  readonly workerUrls: readonly string[];
  /** Of each worker. */
  readonly slots: number;
  /** Further settings, as environment variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** The product as it is shipped, with a log that is kept to be counted. */
const settings = JSON.parse(process.argv[2] ?? "{}") as WatchedRouterSettings;
const { workerUrls, slots } = settings;
const env = { ...benchConfig(workerUrls, slots), ROUTER__QUEUE__USER_SHARE: "1", ...settings.env };

/** What a request's log line said of its end. */
export interface LoggedEnd {
  readonly id: string;
  readonly status: number;
  readonly errorCode: string | null;
  readonly attempts: number;
}

/** A try on a worker that failed, and was maybe tried again elsewhere. */
export interface LoggedFailure {
  readonly requestId: string;
  readonly workerId: string;
  readonly failure: string;
  readonly atMs: number;
}

/** A worker gets no more requests: cooling down, or found to be gone. */
export interface LoggedOut {
  readonly workerId: string;
  readonly atMs: number;
}

/** All that the router has said and holds, when it is asked. */
export interface RouterSample {
  /** Since the last sample. */
  readonly ends: readonly LoggedEnd[];
  /** Since the last sample. */
  readonly failures: readonly LoggedFailure[];
  /** Since the last sample. */
  readonly outs: readonly LoggedOut[];
  /** Lines of level error since the start. */
  readonly errors: readonly string[];
  readonly sockets: number;
  readonly timers: number;
  readonly listeners: number;
  /** The longest that its event loop was late since the last sample. */
  readonly lateMs: number;
}

let ends: LoggedEnd[] = [];
let failures: LoggedFailure[] = [];
let outs: LoggedOut[] = [];
const errors: string[] = [];
const log: Log = {
  debug() {},
  info(fields, message) {
    if (message !== "request") return;
    const { requestId, ...end } = fields as LoggedEnd & { readonly requestId: string };
    const { status, errorCode, attempts } = end;
    ends.push({ id: requestId, status, errorCode, attempts });
  },
  warn(fields, message) {
    const line = { ...(fields as LoggedFailure), atMs: performance.now() };
    if (message === "attempt failed") failures.push(line);
    else if (/^worker (?:cooling down|state changed)$/.test(message)) outs.push(line);
  },
  error: (fields, message) => void errors.push(`${message} ${JSON.stringify(fields)}`),
};

const { config } = loadConfig({ env, cwd: "/nonexistent", names: KNOWN_NAMES });
const app = await createApp({ config, clock: systemClock, log, version: "0", demoKey: null });
const url = await app.listen();
await app.start();
for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error: unknown) => void errors.push(`${event}: ${String(error)}`));
}
process.send?.({ urls: [url] });

const lateness = monitorEventLoopDelay({ resolution: 10 });
lateness.enable();

process.on("message", () => {
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string): number => resources.filter((name) => name === kind).length;
  const sample: RouterSample = {
    ends,
    failures,
    outs,
    errors,
    sockets: count("TCPSocketWrap"),
    timers: count("Timeout"),
    listeners: listenersOf(process) + listenersOf(app.server.server),
    lateMs: lateness.max / 1e6,
  };
  ends = [];
  failures = [];
  outs = [];
  lateness.reset();
  process.send?.(sample);
});

function listenersOf(emitter: NodeJS.EventEmitter): number {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}
