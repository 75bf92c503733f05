import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { generateKey } from "../../../src/http/keys.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import type { RouterProcess } from "../../support/router-process.ts";

const { key, sha256 } = generateKey();

function configWith(lines = ""): string {
  return `
api: { host: 127.0.0.1 }
gpu_monitoring: { url: null }
auth: { keys: [{ id: alice-1, user: alice, role: admin, sha256: ${sha256} }] }
${lines}`;
}

/** In the place of the file, as careful editors do it. */
function put(router: RouterProcess, text: string): void {
  const path = join(router.folder, "config.yaml");
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

async function requestLimit(router: RouterProcess): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${await router.address()}/api/v1/quotas/alice`, { headers });
  const { requests } = (await answer.json()) as { requests: { limit: number } };
  return requests.limit;
}

async function running(): Promise<RouterProcess> {
  const router = openRouterProcess({ config: configWith() });
  await router.printed(/"msg":"listening"/);
  return router;
}

const users = (limit: number) => configWith(`users: [{ id: alice, request_limit: ${limit} }]`);

test("SIGHUP reads the config again, and the log names what changed", async () => {
  const router = await running();
  put(router, users(7));
  router.signal("SIGHUP");
  await router.printed(/"changed":\["users"\].*"msg":"config reloaded"/);
  expect(await requestLimit(router)).toBe(7);
});

test("a change of the file is enough, and a level that it raises is logged at once", async () => {
  const router = await running();
  put(router, `${users(8)}\nlogging: { level: debug }`);
  await router.printed(/"msg":"config reloaded"/);
  expect(await requestLimit(router)).toBe(8);
  router.signal("SIGHUP");
  await router.printed(/"msg":"config read again, nothing changed"/);
});

describe("F63 a bad file keeps the old config, and says so once with every problem:", () => {
  test("no YAML", async () => {
    const router = await running();
    put(router, "api: { host: [");
    router.signal("SIGHUP");
    await router.printed(/"problems":\["config.yaml.*"msg":"config not reloaded/);
    expect(await requestLimit(router)).toBe(100);
  });

  test("several mistakes, found by looking at the file", async () => {
    const router = await running();
    put(router, `${users(9)}\nqueue: { agieng: 1, user_share: 7 }`);
    await router.printed(/"msg":"config not reloaded/);
    put(router, users(10));
    await router.printed(/"msg":"config reloaded"/);
    const refusals = router.log.filter(({ msg }) => String(msg).startsWith("config not reloaded"));
    expect(refusals).toMatchObject([
      {
        level: 50,
        problems: [
          expect.stringMatching(/queue\.user_share/),
          expect.stringMatching(/queue\.agieng.*ageing/),
        ],
      },
    ]);
    expect(await requestLimit(router)).toBe(10);
  });

  test("another port", async () => {
    const router = openRouterProcess({
      config: configWith().replace("127.0.0.1", "127.0.0.1, port: 0"),
      env: { API_PORT: "" },
    });
    const address = await router.address();
    put(router, users(9).replace("127.0.0.1", "127.0.0.1, port: 1"));
    router.signal("SIGHUP");
    await router.printed(/"problems":\["api.port: changing it needs a restart/);
    expect((await fetch(`${address}/health/live`)).status).toBe(200);
    expect(await requestLimit(router)).toBe(100);
  });

  test("the half of a file that is read all the same changes nothing; then the whole counts", async () => {
    const router = await running();
    const whole = users(11);
    const path = join(router.folder, "config.yaml");
    writeFileSync(path, whole.slice(0, -9));
    router.signal("SIGHUP");
    await router.printed(/"msg":"config not reloaded/);
    expect(await requestLimit(router)).toBe(100);
    writeFileSync(path, whole);
    await router.printed(/"msg":"config reloaded"/);
    expect(await requestLimit(router)).toBe(11);
    expect(router.stdout.match(/config not reloaded/g)).toHaveLength(1);
  });

  test("a file that is gone is told of, and its return is taken up", async () => {
    const router = await running();
    rmSync(join(router.folder, "config.yaml"));
    await router.printed(/"msg":"config file is gone, the old config stays in force"/);
    expect(await requestLimit(router)).toBe(100);
    put(router, users(12));
    await router.printed(/"msg":"config reloaded"/);
    expect(await requestLimit(router)).toBe(12);
  });

  test("SIGHUP without the file does not turn the process into the demo", async () => {
    const router = await running();
    rmSync(join(router.folder, "config.yaml"));
    router.signal("SIGHUP");
    await router.printed(/there is no such file any more.*"msg":"config not reloaded/);
    expect(await requestLimit(router)).toBe(100);
  });
});

test("the demo has no file: SIGHUP says that there is nothing to reload, and it lives on", async () => {
  const router = openRouterProcess();
  const address = await router.address();
  await router.printed(/Key/i);
  router.signal("SIGHUP");
  await router.printed(/"msg":"nothing to reload: the demo has no config"/);
  expect((await fetch(`${address}/health/live`)).status).toBe(200);
});

test("a SIGHUP during the start does not end the process", async () => {
  const hangUpAtOnce = `
    process.once("newListener", function look(name) {
      if (name === "SIGHUP") setImmediate(() => process.kill(process.pid, "SIGHUP"));
      else process.once("newListener", look);
    });`;
  const router = openRouterProcess({ config: configWith(), preload: hangUpAtOnce });
  await router.printed(/"msg":"listening"/);
  expect(await requestLimit(router)).toBe(100);
});
