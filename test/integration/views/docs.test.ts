import { runInNewContext } from "node:vm";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp, KNOWN_NAMES } from "../../../src/app.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { startDemoFleet } from "../../../src/demo/demo-fleet.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

interface ApiCall {
  readonly headers: Record<string, string>;
}

/** What the page gives to Swagger UI. */
interface UiConfig {
  readonly layout: string;
  readonly requestInterceptor?: (call: ApiCall) => ApiCall;
}

async function openDocs(demoKey: string | null) {
  const config = configSchema({ names: KNOWN_NAMES, env: {} }).parse({
    gpu_monitoring: { url: null },
  });
  const { log } = keepingLog();
  const app = await createApp({ config, clock: new FakeClock(), log, version: "0", demoKey });
  onTestFinished(() => app.close());
  return (path: string) => app.server.inject({ url: path, headers: { host: "router" } });
}

/** Runs the page's own script, as a browser would, up to the point where Swagger UI takes over. */
function uiConfigOf(script: string): UiConfig {
  const configs: UiConfig[] = [];
  const bundle = (config: UiConfig) => {
    configs.push(config);
    return { initOAuth: () => {} };
  };
  const window = { onload: () => {}, location: { href: "http://router/docs" } };
  runInNewContext(`${script}; window.onload()`, {
    window,
    document: { createElement: () => ({}), querySelector: () => null },
    SwaggerUIBundle: Object.assign(bundle, { presets: {}, plugins: {} }),
    SwaggerUIStandalonePreset: {},
  });
  return configs[0]!;
}

const INITIALIZER = "/docs/static/swagger-initializer.js";

describe("/docs", () => {
  test("is a page that needs nothing inline, and nothing from elsewhere", async () => {
    const get = await openDocs(null);
    const page = await get("/docs");
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain("<title>gpu-request-router</title>");
    expect(page.body).not.toMatch(/<style|style=|<script(?![^>]* src=)|="https?:/);
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'self'; /);
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    expect(sources.length).toBeGreaterThan(4);
    for (const path of sources) expect([path, (await get(path)).statusCode]).toEqual([path, 200]);
  });

  test("of the demo sends the demo's key, where the reader has given no other", async () => {
    const get = await openDocs("demo");
    const { requestInterceptor: send = (call) => call } = uiConfigOf((await get(INITIALIZER)).body);
    expect(send({ headers: {} }).headers).toEqual({ Authorization: "Bearer demo" });
    const own = { Authorization: "Bearer mine" };
    expect(send({ headers: { ...own } }).headers).toEqual(own);
    expect((await get("/docs/json")).body).toContain("This is the demo");
  });

  test("of a router with keys of its own knows none of them", async () => {
    const get = await openDocs(null);
    const script = (await get(INITIALIZER)).body;
    expect(uiConfigOf(script).requestInterceptor).toBeUndefined();
    expect(script).not.toContain("Bearer");
    expect((await get("/docs/json")).body).not.toContain("demo:");
  });

  test.each([
    ["127.0.0.1", "demo"],
    ["0.0.0.0", null],
  ])("of a demo on %s knows the key %s: what all can read keeps no secret", async (host, key) => {
    const makeKey = (): string => "a-secret";
    const fleet = await startDemoFleet({ clock: new FakeClock(), host, makeKey });
    onTestFinished(() => fleet.close());
    expect(fleet.docsKey).toBe(key);
  });
});
