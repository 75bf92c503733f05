import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadedConfig } from "../../../src/config/load.ts";
import { ConfigError, loadConfig } from "../../../src/config/load.ts";
import type { KnownNames } from "../../../src/config/schema.ts";
import type { Environment } from "../../../src/config/secrets.ts";

export const NAMES: KnownNames = {
  strategies: ["hybrid", "dynamic"],
  filters: ["memory", "temperature"],
  scorers: ["usage", "health"],
  pickers: ["best"],
  engines: ["vllm", "ollama", "openai"],
};

/** Loads `yaml` as ./config.yaml of an empty folder; null: the folder has none. */
export function loadYaml(yaml: string | null, env: Environment = {}): LoadedConfig {
  const cwd = mkdtempSync(join(tmpdir(), "router-config-"));
  try {
    if (yaml !== null) writeFileSync(join(cwd, "config.yaml"), yaml);
    return loadConfig({ env, cwd, names: NAMES });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** The problems that loading reports; empty when it succeeds. */
export function problemsIn(yaml: string | null, env: Environment = {}): readonly string[] {
  try {
    loadYaml(yaml, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
