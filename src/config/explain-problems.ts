import type * as z from "zod";
import { describeSettings } from "./describe-settings.ts";
import { valueAt } from "./document.ts";
import type { Override } from "./environment.ts";
import { nearest } from "./nearest.ts";
import { keysAt } from "./settings-tree.ts";
import type { Path } from "./yaml-document.ts";

/** Something wrong with one setting. */
export interface Problem {
  readonly path: Path;
  /** What is wrong and what is allowed, without where it was set. */
  readonly text: string;
}

/** Where the settings came from. */
export interface Origins {
  /** File and environment together, as they were written. */
  readonly document: unknown;
  /** As the user calls it; null in the demo, which has none. */
  readonly fileName: string | null;
  readonly lineOf: (path: Path) => number | null;
  readonly overrides: readonly Override[];
}

/** The schema's complaints, as problems in the words of the configuration. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], document: unknown): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => unknownKey([...issue.path, key], document));
    }
    // Texts that begin with "must" say only what is allowed.
    const text = issue.message.startsWith("must ")
      ? `${describeFound(valueAt(document, issue.path), issue.path)}, ${issue.message}`
      : issue.message;
    return [{ path: issue.path, text }];
  });
}

/**
 * A line for each setting at fault: the file with its line, or the variable; the setting; what is
 * wrong first of all.
 */
export function explainProblems(problems: readonly Problem[], origins: Origins): string[] {
  const inOrder = problems.toSorted(
    (a, b) => (origins.lineOf(a.path) ?? 0) - (origins.lineOf(b.path) ?? 0),
  );
  const texts = new Map<string, string>();
  for (const { path, text } of inOrder) {
    const place = `${whereSet(path, origins)}: ${showPath(path)}`;
    if (!texts.has(place)) texts.set(place, text);
  }
  return [...texts].map(([place, text]) => hideSecrets(`${place}: ${text}`));
}

function whereSet(path: Path, { fileName, lineOf, overrides }: Origins): string {
  const around = overrides.find((override) => isWithin(path, override.path));
  if (around) return around.variable;
  const inside = overrides.filter((override) => isWithin(override.path, path));
  const line = lineOf(path);
  const file = fileName === null ? [] : [line === null ? fileName : `${fileName}:${line}`];
  return [...file, ...inside.map((override) => override.variable)].join(", ");
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, index) => path[index] === step);
}

/** `["workers", 0, "url"]` is workers[0].url. */
function showPath(path: Path): string {
  return path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
}

function unknownKey(path: Path, document: unknown): Problem {
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  if (path[0] === "auth" && path[1] === "keys" && PLAIN_KEY_NAMES.has(key)) {
    return { path, text: refusePlainKey(valueAt(document, parent)) };
  }
  const allowed = keysAt(parent);
  const near = nearest(key, allowed);
  const meant = near ? [showPath([...parent, near])] : settingsNamed(key);
  const hint =
    meant.length > 0
      ? `did you mean ${meant.join(" or ")}?`
      : `allowed here: ${allowed.join(", ")}`;
  return { path, text: `unknown key, ${hint}` };
}

/** Settings of that very name elsewhere: a setting is often right but in the wrong section. */
function settingsNamed(key: string): string[] {
  return describeSettings()
    .filter(({ setting, environment }) => environment !== null && setting.endsWith(`.${key}`))
    .map(({ setting }) => setting);
}

const PLAIN_KEY_NAMES: ReadonlySet<string> = new Set(["key", "api_key", "token", "secret"]);

function refusePlainKey(entry: unknown): string {
  const word = (field: string, pattern: RegExp, fallback: string) => {
    const value = valueAt(entry, [field]);
    return typeof value === "string" && pattern.test(value) ? value : fallback;
  };
  const user = word("user", /^[\w.@+:-]{1,128}$/, "<user>");
  const role = word("role", /^(service|operator|admin)$/, "user");
  const command = `npm run key -- --user ${user} --role ${role}`;
  return `a plain key must not stand in a file: run ${command}, and paste the entry that it prints`;
}

const LONGEST_SHOWN = 60;

function describeFound(value: unknown, path: Path): string {
  if (value === undefined) return "missing";
  if (value === null) return "found nothing";
  if (Array.isArray(value)) return "found a list";
  if (typeof value === "number" || typeof value === "boolean") return `found ${value}`;
  if (typeof value !== "string") return "found a mapping";
  if (mayBeSecret(value, path)) return "found text that is not shown here";
  const shown = value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}…` : value;
  return `found ${JSON.stringify(shown)}`;
}

/** Whatever stands where keys belong, and URLs with a password in them. */
function mayBeSecret(value: string, path: Path): boolean {
  const last = String(path.at(-1));
  const amongKeys = path[0] === "auth" && last !== "role";
  return amongKeys || path[0] === "callbacks" || last.endsWith("_env") || value.includes("@");
}

/** The last line of defence: forms that keys and tokens are known to have. */
function hideSecrets(line: string): string {
  return line.replace(/\b(gr_|whsec_|sk-|hf_|eyJ)[\w.+/=-]{8,}/g, "$1…");
}
