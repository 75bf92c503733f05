import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../../src/clock.ts";
import { generateKey } from "../../../src/http/keys.ts";
import { openRouterProcess, untilRefused } from "../../support/router-process.ts";
import type { RouterProcess, RouterProcessOptions } from "../../support/router-process.ts";
import { json } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";

const { key, sha256 } = generateKey();
let stub: StubWorker;
/** Lets the stub answer. */
let answer: () => void;

beforeEach(async () => {
  const gate = Promise.withResolvers<void>();
  answer = gate.resolve;
  const whenLet = json();
  stub = await startStubWorker({
    behaviour: async (exchange) => {
      await gate.promise;
      await whenLet(exchange);
    },
  });
});

afterEach(() => stub.close());

function routerInFront(options: RouterProcessOptions = {}): RouterProcess {
  const config = `
    api: { host: 127.0.0.1 }
    gpu_monitoring: { url: null }
    workers: [{ id: stub, url: "${stub.url}" }]
    auth: { keys: [{ id: alice-1, user: alice, role: admin, sha256: ${sha256} }] }`;
  return openRouterProcess({ config, ...options });
}

function ask(address: string): Promise<Response> {
  return fetch(`${address}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "stub-model", messages: [] }),
  });
}

async function untilNotReady(address: string): Promise<void> {
  while ((await fetch(`${address}/health/ready`)).status !== 503);
}

/** A request that the worker has and has not answered. */
async function underWay(router: RouterProcess) {
  const address = await router.address();
  await router.printed(/"to":"up"/);
  const answered = ask(address).then(async (response) => ({
    status: response.status,
    text: await response.text(),
  }));
  answered.catch(() => {});
  await stub.nextRequest();
  return { address, answered };
}

describe("a signal", () => {
  test("SIGINT refuses newcomers at once, finishes what runs, and ends with 0", async () => {
    const router = routerInFront();
    const { address, answered } = await underWay(router);
    router.signal("SIGINT");
    await untilRefused(address);
    answer();
    expect(await answered).toMatchObject({
      status: 200,
      text: expect.stringContaining("hello from the stub"),
    });
    expect(await router.exit).toBe(0);
    expect(router.log.map(({ msg }) => msg)).toEqual([
      "listening",
      "worker state changed",
      "stopping",
      "request",
    ]);
    expect(router.stderr).toBe("");
  });

  test("SIGTERM says that it is not ready, serves on for a while, and then does the same", async () => {
    const router = routerInFront();
    const { address, answered } = await underWay(router);
    router.signal("SIGTERM");
    await untilNotReady(address);
    answer();
    expect(await answered).toMatchObject({ status: 200 });
    const newcomer = await ask(address);
    expect(newcomer.status).toBe(200);
    // Whoever comes again should come to another instance.
    expect(newcomer.headers.get("connection")).toBe("close");
    const health = await fetch(`${address}/health`);
    expect([health.status, await health.text()]).toEqual([
      200,
      expect.stringContaining("the router will stop in a few seconds"),
    ]);
    await untilRefused(address);
    expect(await router.exit).toBe(0);
    expect(router.log.map(({ msg }) => msg)).toEqual([
      "listening",
      "worker state changed",
      "not ready any more, serving on",
      "request",
      "request",
      "stopping",
    ]);
    const [serving, stopping] = ["not ready any more, serving on", "stopping"].map((message) =>
      Number(router.log.find(({ msg }) => msg === message)?.["time"]),
    );
    expect(stopping! - serving!).toBeGreaterThanOrEqual(4_900);
  });

  test("that comes twice at once, as npm passes a Ctrl-C on, still lets requests finish", async () => {
    const preload =
      'process.on("SIGUSR2",()=>{for(const s of ["SIGINT","SIGINT"])process.kill(process.pid,s)})';
    const router = routerInFront({ preload });
    const { address, answered } = await underWay(router);
    router.signal("SIGUSR2");
    await untilRefused(address);
    answer();
    expect(await answered).toMatchObject({ status: 200 });
    expect(await router.exit).toBe(0);
  });

  test("to npm, which hands it to the script's shell, reaches the router", async () => {
    const router = routerInFront({ as: "npm start" });
    const { address, answered } = await underWay(router);
    router.signal("SIGINT");
    await untilRefused(address);
    answer();
    expect(await answered).toMatchObject({ status: 200 });
    expect(await router.exit).toBe(0);
  });

  test("ends it even where nobody reads its log any more, as when a Ctrl-C ended `tee`", async () => {
    const router = routerInFront();
    const address = await router.address();
    await router.printed(/"to":"up"/);
    router.stopReading();
    router.signal("SIGINT");
    await untilRefused(address);
    expect(await router.exit).toBe(0);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "that comes again later, as %s, ends it at once, whatever runs",
    async (second) => {
      const router = routerInFront();
      const { address, answered } = await underWay(router);
      router.signal("SIGINT");
      await untilRefused(address);
      // Longer than the half second within which a second one is taken for the same key press.
      await sleep(systemClock, 600);
      router.signal(second);
      expect(await router.exit).toBe(1);
      await expect(answered).rejects.toThrow("fetch failed");
    },
  );

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it at once while it serves on after a SIGTERM",
    async (second) => {
      const router = routerInFront();
      const { address, answered } = await underWay(router);
      router.signal("SIGTERM");
      await untilNotReady(address);
      await sleep(systemClock, 600);
      router.signal(second);
      expect(await router.exit).toBe(1);
      await expect(answered).rejects.toThrow("fetch failed");
      expect(router.log.map(({ msg }) => msg)).not.toContain("stopping");
    },
  );

  test("ends it even where whoever reads its log has stopped, and the pipe is full", async () => {
    const router = routerInFront({ preload: FILL_STDOUT });
    const address = await router.address();
    await fillStdout(router, address);
    router.signal("SIGINT");
    await untilRefused(address);
    expect(await router.ended).toBe(0);
  });

  test("that comes again ends it even there", async () => {
    const router = routerInFront({ preload: FILL_STDOUT });
    const { address } = await underWay(router);
    await fillStdout(router, address);
    router.signal("SIGINT");
    await untilRefused(address);
    await sleep(systemClock, 600);
    router.signal("SIGINT");
    expect(await router.ended).toBe(1);
  });
});

/** Past process.stdout, which to look at would already change the pipe. */
const FILL_STDOUT = encodeURIComponent(`
  import { write } from "node:fs";
  const fill = () => write(1, "x".repeat(1e5), (error) => error ?? fill());
  process.on("SIGUSR2", fill);`);

/** Its log goes on into a pipe that nobody reads. */
async function fillStdout(router: RouterProcess, address: string): Promise<void> {
  router.pauseReading();
  router.signal("SIGUSR2");
  // Answered after the signal was: both come to the same loop.
  await fetch(`${address}/health`);
}

describe("a defect that nobody caught", () => {
  test.each([
    ["an error", 'throw new Error("a defect")'],
    ["a rejection", 'void Promise.reject(new Error("a defect"))'],
  ])("%s ends the process with 1, after its log is written", async (_, defect) => {
    const router = routerInFront({ preload: `process.on("SIGUSR2",()=>{${defect}})` });
    const { address, answered } = await underWay(router);
    answer();
    await answered;
    router.signal("SIGUSR2");
    expect(await router.exit).toBe(1);
    expect(router.stderr).toContain("Error: a defect");
    expect(router.log.map(({ msg }) => msg)).toContain("request");
    await untilRefused(address);
  });

  test("ends the process also where nobody reads its log", async () => {
    const fill = 'process.stdout.write("x".repeat(1e6));';
    const preload = `process.on("SIGUSR2",()=>{${fill}throw new Error("a defect")})`;
    const router = routerInFront({ preload });
    await underWay(router);
    router.pauseReading();
    router.signal("SIGUSR2");
    expect(await router.ended).toBe(1);
  });
});
