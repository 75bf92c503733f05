import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { words } from "../../support/documented-words.ts";
import { openRouterProcess } from "../../support/router-process.ts";

const GOOD = "gpu_monitoring: { url: null }\n";

async function openRouter() {
  const router = openRouterProcess({ config: GOOD, env: { API_HOST: "127.0.0.1" } });
  await router.printed(/no workers configured/);
  const path = join(router.folder, "config.yaml");
  const problems = (): string => JSON.stringify(router.log.map(({ problems: told }) => told));
  return { router, path, problems };
}

test("a file with a mistake is not taken up, and the log lists the problems", async () => {
  const { router, path, problems } = await openRouter();
  writeFileSync(path, `${GOOD}network: { allowed_cidr: [] }\n`);
  await router.printed(words("config not reloaded, the old one stays in force"));
  expect(problems()).toContain("did you mean network.allowed_cidrs?");
});

test("a setting that is fixed at the start needs a restart", async () => {
  const { router, path, problems } = await openRouter();
  writeFileSync(path, `${GOOD}jobs: { ttl: 60 }\n`);
  await router.printed(/config not reloaded/);
  expect(problems()).toMatch(words("changing it needs a restart"));
});

test("a file that is gone changes nothing", async () => {
  const { router, path } = await openRouter();
  rmSync(path);
  await router.printed(words("config file is gone, the old config stays in force"));
  expect((await fetch(`${await router.address()}/health/live`)).status).toBe(200);
});
