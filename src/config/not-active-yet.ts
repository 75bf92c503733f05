import { isDeepStrictEqual } from "node:util";
import { describeSettings } from "./describe-settings.ts";
import { valueAt } from "./document.ts";
import type { Problem } from "./explain-problems.ts";

interface InactivePart {
  /** A section or a setting: a value other than the default stops the start. */
  readonly setting: string;
  readonly why: string;
}

/** Parts that are not built yet: delete a row with the change that builds it. */
export const INACTIVE_PARTS: readonly InactivePart[] = [
  { setting: "logging.trace_file", why: "requests are not recorded yet" },
];

/** What is set although its part is not built yet. */
export function findInactive(document: unknown): readonly Problem[] {
  return INACTIVE_PARTS.flatMap(({ setting, why }) =>
    settingsGiven(setting, document).map((path) => {
      return { path, text: `not active yet: ${why}. Remove this setting` };
    }),
  );
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
