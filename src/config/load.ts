import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isLoopbackHost } from "./addresses.ts";
import { isMapping, withoutEmptySections, withSetting } from "./document.ts";
import type { Override } from "./environment.ts";
import { readOverrides } from "./environment.ts";
import { explainProblems, problemsOf } from "./explain-problems.ts";
import { findInactive } from "./not-active-yet.ts";
import type { Config, KnownNames } from "./schema.ts";
import { configSchema } from "./schema.ts";
import type { Environment } from "./secrets.ts";
import type { YamlDocument } from "./yaml-document.ts";
import { parseYaml } from "./yaml-document.ts";

export interface LoadedConfig {
  readonly config: Config;
  readonly origin: { kind: "file"; path: string } | { kind: "demo" };
  /** For the log: what is allowed but risky. */
  readonly notices: readonly string[];
}

/** The message is all problems, a line each, ready to print. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface LoadInput {
  readonly env: Environment;
  /** Where ./config.yaml is looked for, and what a relative CONFIG_PATH is relative to. */
  readonly cwd: string;
  readonly names: KnownNames;
}

/** Reads file and environment and checks them together. Throws ConfigError with every problem. */
export function loadConfig({ env, cwd, names }: LoadInput): LoadedConfig {
  const file = readConfigFile(env, cwd);
  const written = file ? parseFile(file) : NOTHING;
  const { overrides, problems: variableProblems } = readOverrides(env);
  const document = combine(written.value, overrides, file === null);
  const parsed = configSchema({ names, env }).safeParse(document);
  const inactive = findInactive(document);

  const found = parsed.success ? [] : problemsOf(parsed.error.issues, document);
  const origins = { document, fileName: file?.name ?? null, lineOf: written.lineOf, overrides };
  const lines = explainProblems([...found, ...inactive], origins);
  if (!parsed.success || lines.length + variableProblems.length > 0) {
    throw new ConfigError([...variableProblems, ...lines]);
  }
  return {
    config: parsed.data,
    origin: file ? { kind: "file", path: file.path } : { kind: "demo" },
    notices: warnings(parsed.data),
  };
}

/** Where the config is read from, if it is there. */
export function configPath({ env, cwd }: Pick<LoadInput, "env" | "cwd">): string {
  return resolve(cwd, askedName(env) ?? DEFAULT_NAME);
}

function askedName(env: Environment): string | null {
  return env["CONFIG_PATH"]?.trim() || null;
}

interface ConfigFile {
  readonly path: string;
  /** As the user calls it. */
  readonly name: string;
  readonly text: string;
}

const NOTHING: YamlDocument = { value: undefined, lineOf: () => null };
const DEFAULT_NAME = "config.yaml";

/** null: there is none, and nobody asked for one, so this is the demo. */
function readConfigFile(env: Environment, cwd: string): ConfigFile | null {
  const asked = askedName(env);
  const name = asked ?? DEFAULT_NAME;
  const path = configPath({ env, cwd });
  try {
    return { path, name, text: readFileSync(path, "utf8") };
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (asked !== null) throw unreadable(`CONFIG_PATH: ${path}`, code);
    if (code !== "ENOENT") throw unreadable(name, code);
    refuseDemoInProduction(env, cwd);
    return null;
  }
}

function refuseDemoInProduction(env: Environment, cwd: string): void {
  if (env["NODE_ENV"]?.trim() !== "production") return;
  throw new ConfigError([
    `${DEFAULT_NAME}: there is none in ${cwd}, and NODE_ENV=production never starts the demo: ` +
      "copy config.example.yaml to config.yaml, or set CONFIG_PATH",
  ]);
}

function unreadable(subject: string, code: string): ConfigError {
  const faults: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file; config.example.yaml is a start",
    EISDIR: "this is a folder, must be a YAML file",
    EACCES: "this process may not read it: let its user read it (chown, chmod)",
  };
  return new ConfigError([`${subject}: ${faults[code] ?? `cannot be read (${code})`}`]);
}

function parseFile({ name, text }: ConfigFile): YamlDocument {
  const parsed = parseYaml(text);
  if ("problem" in parsed) throw new ConfigError([`${name}: ${parsed.problem}`]);
  const { value } = parsed;
  if (value === undefined || value === null || isMapping(value)) return parsed;
  const found = Array.isArray(value) ? "a list" : "a single value";
  throw new ConfigError([`${name}: found ${found}, must be a mapping of sections such as api:`]);
}

/** The environment wins over the file. The demo listens where only this machine can reach it. */
function combine(written: unknown, overrides: readonly Override[], isDemo: boolean): unknown {
  let document: unknown = isMapping(written) ? withoutEmptySections(written) : {};
  if (isDemo) document = withSetting(document, ["api", "host"], "127.0.0.1");
  for (const { path, value } of overrides) document = withSetting(document, path, value);
  return document;
}

function warnings({ api, network }: Config): string[] {
  if (network.allowed_cidrs.length > 0 || isLoopbackHost(api.host)) return [];
  return [
    `network.allowed_cidrs is empty: every address that can reach ${api.host}:${api.port} may ` +
      'try keys; list your networks, such as ["10.0.0.0/8"]',
  ];
}
