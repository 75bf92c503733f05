import {
  DERIVED_PREFIX,
  derivedVariable,
  describeSettings,
  NAMED_VARIABLES,
} from "./describe-settings.ts";
import { nearest } from "./nearest.ts";
import type { Environment } from "./secrets.ts";
import { parseYaml } from "./yaml-document.ts";

/** A setting that an environment variable gives. */
export interface Override {
  readonly variable: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** The only place that reads the real environment; everything else is handed a record like it. */
export function processEnvironment(): Environment {
  return process.env;
}

/** The settings that `env` gives, and every problem with the variables themselves. */
export function readOverrides(env: Environment): {
  readonly overrides: readonly Override[];
  readonly problems: readonly string[];
} {
  const known = settingsByVariable();
  const overrides: Override[] = [];
  const problems: string[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || text.trim() === "") continue;
    const setting = known.get(variable);
    if (setting !== undefined) {
      const parsed = parseVariable(variable, text);
      if ("problem" in parsed) problems.push(parsed.problem);
      else overrides.push({ variable, path: setting.split("."), value: parsed.value });
    } else if (variable.startsWith(DERIVED_PREFIX)) {
      problems.push(explainUnknown(variable, [...known.keys()]));
    }
  }
  return { overrides, problems: [...problems, ...explainDoubles(overrides)] };
}

function settingsByVariable(): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const { setting, environment } of describeSettings()) {
    if (environment === null) continue;
    known.set(environment, setting);
    known.set(derivedVariable(setting), setting);
  }
  return known;
}

/** Taken as they are, not as YAML. */
const PLAIN_TEXT: ReadonlySet<string> = new Set(["API_HOST", "GPU_MONITORING_URL", "LOGGING_URL"]);

function parseVariable(variable: string, text: string): { value: unknown } | { problem: string } {
  if (PLAIN_TEXT.has(variable)) return { value: text.trim() };
  const parsed = parseYaml(text);
  if ("problem" in parsed) return { problem: `${variable}: not valid YAML: ${parsed.problem}` };
  return { value: parsed.value };
}

function explainUnknown(variable: string, known: readonly string[]): string {
  const whole = known.find((name) => variable.startsWith(`${name}__`));
  if (whole) return `${variable}: unknown setting; set ${whole} as a whole, in YAML`;
  // Compared without the prefix, which would make all of them seem alike.
  const derived = known.filter((name) => name.startsWith(DERIVED_PREFIX)).map(withoutPrefix);
  const near = nearest(withoutPrefix(variable.toUpperCase()), derived);
  const hint = near
    ? `did you mean ${DERIVED_PREFIX}${near}?`
    : "docs/configuration.md lists all of them";
  return `${variable}: unknown setting, ${hint}`;
}

function withoutPrefix(variable: string): string {
  return variable.slice(DERIVED_PREFIX.length);
}

function explainDoubles(overrides: readonly Override[]): string[] {
  return Object.entries(NAMED_VARIABLES).flatMap(([setting, named]) => {
    const derived = derivedVariable(setting);
    const both = [named, derived].every((name) => overrides.some((o) => o.variable === name));
    return both ? [`${derived}: ${named} sets the same setting; keep one of the two`] : [];
  });
}
