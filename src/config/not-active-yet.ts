import { isDeepStrictEqual } from "node:util";
import { describeSettings } from "./describe-settings.ts";
import { valueAt } from "./document.ts";
import type { Override } from "./environment.ts";
import type { Problem } from "./explain-problems.ts";

interface InactivePart {
  /** A section or a setting. */
  readonly setting: string;
  readonly why: string;
  /**
   * refused: a value other than the default stops the start.
   * A variable's name: told if that variable gives it, else refused.
   */
  readonly use: "refused" | "LOGGING_URL";
}

/** Parts that are not built yet: delete a row with the change that builds it. */
export const INACTIVE_PARTS: readonly InactivePart[] = [
  { setting: "logging.url", why: "logs are only written to stdout yet", use: "LOGGING_URL" },
  { setting: "logging.format", why: "logs are only written to stdout yet", use: "refused" },
  { setting: "logging.trace_file", why: "requests are not recorded yet", use: "refused" },
  { setting: "gpu_monitoring.source", why: "service is the only source yet", use: "refused" },
];

/** What is set although its part is not built yet. */
export function findInactive(
  document: unknown,
  overrides: readonly Override[],
): { readonly problems: readonly Problem[]; readonly notices: readonly string[] } {
  const problems: Problem[] = [];
  const notices = new Set<string>();
  for (const { setting, why, use } of INACTIVE_PARTS) {
    for (const path of settingsGiven(setting, document)) {
      const given = overrides.find((override) => isDeepStrictEqual(override.path, path));
      if (given?.variable === use) notices.add(`${use} is read but not active yet: ${why}`);
      else {
        problems.push({ path, text: `not active yet: ${why}. Remove this setting` });
      }
    }
  }
  return { problems, notices: [...notices] };
}

/** Paths of the settings of a part that are there, and not at their default. */
function settingsGiven(part: string, document: unknown): string[][] {
  return describeSettings()
    .filter(({ setting }) => setting === part || setting.startsWith(`${part}.`))
    .map((row) => ({ path: row.setting.split("."), fallback: row.default }))
    .filter(({ path, fallback }) => {
      const value = valueAt(document, path);
      return value !== undefined && !isDeepStrictEqual(value, fallback);
    })
    .map(({ path }) => path);
}
