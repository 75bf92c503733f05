import { randomBytes } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { loadApi, operationsOf } from "../support/api-document.ts";
import type { LogLine } from "../support/fleet-builders.ts";
import {
  destroyAfterHeaders,
  destroyBeforeHeaders,
  destroyMidStream,
  error,
  hangBeforeHeaders,
  html,
  invalidJson,
  json,
  unauthorized,
} from "../support/stub-behaviours.ts";
import type { Behaviour } from "../support/stub-behaviours.ts";
import { startStubMonitoringService } from "../support/stub-monitoring-service.ts";
import type { StubMonitoringService } from "../support/stub-monitoring-service.ts";
import { startStubWorker } from "../support/stub-worker.ts";
import type { StubWorker } from "../support/stub-worker.ts";
import { startTestRouter } from "../support/test-router.ts";
import type { TestRouter } from "../support/test-router.ts";

/** Recognised by a beginning so short that no excerpt of it goes unseen. */
const secret = (what: string): string => `zq${randomBytes(3).toString("hex")}-${what}`;
const BEGINNING_CHARS = 8;

/** What a deployment and its clients know that must not spread. */
const SECRETS = {
  key: secret("key"),
  wrongKey: secret("wrong-key"),
  workerKey: secret("worker-key"),
  monitorToken: secret("monitor-token"),
  prompt: secret("prompt"),
  query: secret("query"),
  callback: secret("callback"),
};

/** What the worker does, and the status of the first chat that meets it. */
const BEHAVIOURS: readonly (readonly [what: string, behaviour: Behaviour, status: number])[] = [
  ["answers", json(), 200],
  ["refuses our key", unauthorized, 502],
  ["fails", error(500, "CUDA error"), 502],
  ["refuses the body", error(400, "no"), 400],
  ["dies before its answer", destroyBeforeHeaders, 502],
  ["dies in its answer", destroyAfterHeaders, 502],
  ["dies in its stream", destroyMidStream(), 502],
  ["answers half a JSON", invalidJson, 502],
  ["answers a page", html, 502],
  ["hangs", hangBeforeHeaders, 504],
];

const { key, wrongKey, prompt, query, callback } = SECRETS;

/** Bodies that are good, wrong, and no JSON at all, each with the prompt where prompts are. */
const messages = [{ role: "user", content: prompt }];
const callback_url = `https://me:${callback}@example.org/done?token=${callback}`;
const BODIES: readonly string[] = [
  JSON.stringify({ model: "stub-model", messages, metadata: { callback_url } }),
  JSON.stringify({ model: "stub-model", messages, stream: true }),
  JSON.stringify({ model: 7, messages }),
  JSON.stringify({ model_id: "stub-model", payload: { messages } }),
  JSON.stringify({ model_id: "stub-model", payload: { messages }, callback_url }),
  JSON.stringify({ model_id: "stub-model", payload: { messages, model: prompt } }),
  JSON.stringify({ model_id: "stub-model", payload: prompt }),
  JSON.stringify({ model_id: "stub-model", payload: { text: prompt }, timeout: prompt }),
  `{"model": "stub-model", "messages": ${prompt}}`,
  prompt,
  `{"model": "stub-model", "prompt": "${prompt}`,
  `{"__proto__": "${prompt}"}`,
];

const AUTHORIZATIONS: readonly Readonly<Record<string, string>>[] = [
  { authorization: `Bearer ${key}` },
  { authorization: `Bearer ${wrongKey}` },
  { authorization: `Basic ${key}` },
  { "x-api-key": key },
  { authorization: `Bearer ${key}`, cookie: `session=${wrongKey}`, prefer: "wait=1" },
];

let operations: readonly string[];

beforeAll(async () => {
  operations = operationsOf((await loadApi()).document).map(([name]) => name);
});

test.each(BEHAVIOURS)(
  "no secret is in a log line or an error when a worker %s",
  async (_what, behaviour, status) => {
    const [worker, monitor] = await Promise.all([
      startStubWorker({ behaviour }),
      startStubMonitoringService(),
    ]);
    monitor.status = 500;
    const router = await openRouter(worker, monitor);
    await expect
      .poll(async () => (await router.get("/health")).status, { timeout: 10_000 })
      .toBe(200);
    const chat = { method: "POST", path: "/v1/chat/completions", body: BODIES[0]! };
    const patience = { "x-timeout-ms": status === 504 ? "50" : "10000" };
    const first = await send(router, { ...chat, headers: { ...AUTHORIZATIONS[0]!, ...patience } });
    const errors = [errorIn(first), ...(await callEverything(router))];
    await router.close();
    await Promise.all([worker.close(), monitor.close()]);

    expect(first.status).toBe(status);
    expect(errors.join("\n")).toMatch(/^400 [^]*^401 /m);
    // The secrets were where they belong.
    expect(worker.requests[0]?.headers.authorization).toBe(`Bearer ${SECRETS.workerKey}`);
    expect(worker.requests[0]?.body).toContain(prompt);
    expect(monitor.tokens).toContain(SECRETS.monitorToken);

    const logged = router.logs.map(asText);
    expect(router.logs.map(({ message }) => message)).toContain("decision");
    for (const [name, value] of Object.entries(SECRETS)) {
      const beginning = value.slice(0, BEGINNING_CHARS);
      const found = [...logged, ...errors].filter((text) => text.includes(beginning));
      expect(found, name).toEqual([]);
    }
  },
);

function openRouter(worker: StubWorker, monitor: StubMonitoringService): Promise<TestRouter> {
  return startTestRouter({
    workers: [{ url: worker.url, api_key_env: "WORKER_KEY" }],
    config: {
      api: { debug: true },
      gpu_monitoring: { url: monitor.url, token_env: "MONITOR_TOKEN", update_interval: 0.1 },
      request_router: { request_timeout: 0.2, max_retries: 1 },
      error_handler: { gpu_cooldown_period: 0.01, max_retries: 0 },
    },
    keys: [{ key, user: "ann", role: "admin" }],
    env: { WORKER_KEY: SECRETS.workerKey, MONITOR_TOKEN: SECRETS.monitorToken },
  });
}

/** Every operation with every body, and with every authorization. Resolves with the errors. */
async function callEverything(router: TestRouter): Promise<string[]> {
  const errors: string[] = [];
  for (const operation of operations) {
    const [method = "", template = ""] = operation.split(" ");
    const path = template.replaceAll(/\{\w+\}/g, "stub-model");
    const bodies = method === "POST" ? BODIES : [undefined];
    const withBodies = bodies.map((body) => ({ method, path, headers: AUTHORIZATIONS[0]!, body }));
    const [body] = bodies;
    const withKeys = AUTHORIZATIONS.map((headers) => ({ method, path, headers, body }));
    const inQuery = { method, path: `${path}?api_key=${query}`, headers: {}, body };
    const calls = [...withBodies, ...withKeys, inQuery];
    const answers = await Promise.all(calls.map((call) => send(router, call)));
    errors.push(...answers.map(errorIn));
  }
  return errors;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

interface Sent {
  readonly status: number;
  readonly text: string;
}

async function send(router: TestRouter, { method, path, headers, body }: Call): Promise<Sent> {
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const init = { method, headers: { ...headers, ...type }, ...(body !== undefined && { body }) };
  const answer = await fetch(router.url + path, init);
  return { status: answer.status, text: await answer.text().catch(() => "") };
}

/** Status and body of an error; empty where there is none. */
function errorIn({ status, text }: Sent): string {
  return status >= 400 || text.includes("event: error") ? `${status} ${text}` : "";
}

/** As a log would write it, with all that an error knows. */
function asText({ message, fields }: LogLine): string {
  const whole = (_name: string, value: unknown): unknown =>
    value instanceof Error
      ? { ...Object.fromEntries(Object.entries(value)), stack: value.stack, cause: value.cause }
      : value;
  return `${message} ${JSON.stringify(fields, whole)}`;
}
