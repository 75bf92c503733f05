import { hash } from "node:crypto";
import { expect } from "vitest";
import type * as z from "zod";
import { createApp, KNOWN_NAMES } from "../../src/app.ts";
import type { App } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { Config } from "../../src/config/schema.ts";
import { ROLES } from "../../src/http/keys.ts";
import type { Role } from "../../src/http/keys.ts";
import { keepingLog } from "./fleet-builders.ts";
import type { LogLine } from "./fleet-builders.ts";
import { heldIn } from "./open-sums.ts";
import { expectHealthAnswers, expectNothingUnhandled } from "./quiet.ts";
import { StubWorker } from "./stub-worker.ts";

/** What a config file could say; every key optional, defaults from the schema. */
type ConfigDocument = z.input<ReturnType<typeof configSchema>>;
type WorkerSetting = NonNullable<ConfigDocument["workers"]>[number];

export interface TestRouterOptions {
  /** Stubs become worker-1, worker-2, … in this order; a setting needs only its `url`. */
  readonly workers: readonly (StubWorker | (Partial<WorkerSetting> & { readonly url: string }))[];
  /** Merged over the defaults section by section. */
  readonly config?: ConfigDocument;
  /** Further keys beside the four in `TestRouter.keys`. */
  readonly keys?: readonly { readonly key: string; readonly user: string; readonly role: Role }[];
  /** Where the config's `…_env` settings find their secrets. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestRouter {
  readonly url: string;
  readonly port: number;
  readonly app: App;
  readonly config: Config;
  /** Every line logged so far. */
  readonly logs: readonly LogLine[];
  /** One key per role; the key of the role user belongs to the user "user". */
  readonly keys: Readonly<Record<Role, string>>;
  /** With the user's key, unless `headers` bring another. Text and bytes go out as they are. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Prometheus text, as an admin gets it. */
  metricsText(): Promise<string>;
  openLeases(): Promise<number>;
  runningJobs(): Promise<number>;
  /** Attempts so far by class: success, neutral, failure, connection. */
  attemptClasses(): Promise<Readonly<Record<string, number>>>;
  /** The lines of requests that ended, once there are `count` of them. */
  requestLines(count: number): Promise<readonly LogLine[]>;
  readonly isClosed: boolean;
  /** Twice is once. */
  close(): Promise<void>;
}

/** The whole router on a free port of loopback, its workers asked once. */
export async function startTestRouter(options: TestRouterOptions): Promise<TestRouter> {
  const config = testConfig(options);
  const { log, lines } = keepingLog();
  const app = await createApp({ config, clock: systemClock, log, version: "0.0.0", demoKey: null });
  const url = await app.listen();
  await app.start();
  const admin = { authorization: `Bearer ${KEYS.admin}`, accept: "application/json" };
  let closed: Promise<void> | null = null;
  async function metricsText(): Promise<string> {
    const headers = { ...admin, accept: "text/plain" };
    return (await app.server.inject({ url: "/api/v1/metrics", headers })).body;
  }
  return {
    url,
    port: Number(new URL(url).port),
    app,
    config,
    logs: lines,
    keys: KEYS,
    post: (path, body, headers = {}) =>
      fetch(url + path, { method: "POST", headers: jsonHeaders(headers), body: asBody(body) }),
    get: (path, headers = {}) =>
      fetch(url + path, { headers: { authorization: `Bearer ${KEYS.user}`, ...headers } }),
    metricsText,
    async openLeases() {
      const answer = await app.server.inject({ url: "/api/v1/metrics", headers: admin });
      return answer.json<{ active_requests: number }>().active_requests;
    },
    async runningJobs() {
      return Number(/^router_running_jobs (\d+)$/m.exec(await metricsText())?.[1]);
    },
    async attemptClasses() {
      const classes: Record<string, number> = {};
      for (const [, name = "", count] of (await metricsText()).matchAll(ATTEMPTS)) {
        classes[name] = (classes[name] ?? 0) + Number(count);
      }
      return classes;
    },
    async requestLines(count) {
      const ended = (): LogLine[] => lines.filter(({ message }) => message === "request");
      await expect.poll(() => ended().length, SOON).toBeGreaterThanOrEqual(count);
      return ended();
    },
    get isClosed() {
      return closed !== null;
    },
    close: () => (closed ??= app.close()),
  };
}

/**
 * The invariant after every fault: no lease, reservation, waiter or job is left, no worker has a
 * request under way, /health answers, nothing was logged as our defect, and no promise was forgotten.
 * What the last answer set in motion gets a moment to end. Of a closed router, its workers tell.
 */
export async function assertQuiet(
  router: TestRouter,
  stubs: readonly StubWorker[] = [],
): Promise<void> {
  const underWay = async () => ({
    held: router.isClosed ? {} : heldIn(await router.metricsText()),
    requests: stubs.map((stub) => stub.openRequests),
  });
  await expect.poll(underWay, SOON).toEqual({ held: {}, requests: stubs.map(() => 0) });
  if (!router.isClosed) await expectHealthAnswers(router.url);
  expect(router.logs.filter(({ level }) => level === "error")).toEqual([]);
  expectNothingUnhandled();
}

const ATTEMPTS = /^router_attempts_total\{.*class="(\w+)".*\} ([1-9]\d*)$/gm;

/** For expect.poll: a generous cap on what takes milliseconds. */
export const SOON = { timeout: 5_000, interval: 5 };

const KEYS = Object.fromEntries(ROLES.map((role) => [role, `${role}-key`])) as Record<Role, string>;

const NO_LIMITS = {
  default_gpu_limit: 100_000,
  default_request_limit: 1_000_000_000,
  default_priority_limit: 5,
};

function testConfig({ workers, config = {}, keys = [], env = {} }: TestRouterOptions): Config {
  const all = [...ROLES.map((role) => ({ key: KEYS[role], user: role, role })), ...keys];
  const document = {
    ...config,
    api: { host: "127.0.0.1", port: 0, drain_timeout: 1, ...config.api },
    gpu_monitoring: { url: null, ...config.gpu_monitoring },
    request_router: { retry_delay: 0.01, ...config.request_router },
    // Tests of limits set their own.
    user_quota_manager: { ...NO_LIMITS, ...config.user_quota_manager },
    workers: workers.map((worker, index) => ({
      id: `worker-${index + 1}`,
      gpus: [],
      ...(worker instanceof StubWorker ? { url: worker.url } : worker),
    })),
    auth: {
      keys: all.map(({ key, user, role }, index) => ({
        id: `key-${index + 1}`,
        user,
        role,
        sha256: hash("sha256", key, "hex"),
      })),
    },
  };
  return configSchema({ names: KNOWN_NAMES, env }).parse(document);
}

function jsonHeaders(changes: Readonly<Record<string, string>>): Record<string, string> {
  const basics = { authorization: `Bearer ${KEYS.user}`, "content-type": "application/json" };
  return { ...basics, ...changes };
}

function asBody(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body);
}
