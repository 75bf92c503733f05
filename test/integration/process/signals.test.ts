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

/** A request that the worker has and has not answered. */
async function underWay(router: RouterProcess) {
  const address = await router.address();
  await router.printed(/"to":"up"/);
  const answered = fetch(`${address}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "stub-model", messages: [] }),
  }).then(async (response) => ({ status: response.status, text: await response.text() }));
  answered.catch(() => {});
  await stub.nextRequest();
  return { address, answered };
}

describe("a signal", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s refuses newcomers, finishes what runs, and ends with 0",
    async (signal) => {
      const router = routerInFront();
      const { address, answered } = await underWay(router);
      router.signal(signal);
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
    },
  );

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
    router.signal("SIGTERM");
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

  test("that comes again later ends it at once, whatever runs", async () => {
    const router = routerInFront();
    const { address, answered } = await underWay(router);
    router.signal("SIGINT");
    await untilRefused(address);
    // Longer than the half second within which a second one is taken for the same key press.
    await sleep(systemClock, 600);
    router.signal("SIGINT");
    expect(await router.exit).toBe(1);
    await expect(answered).rejects.toThrow("fetch failed");
  });
});

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
});
