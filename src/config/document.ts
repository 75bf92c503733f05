import { describeSettings } from "./describe-settings.ts";
import { keysAt } from "./settings-tree.ts";
import type { Path } from "./yaml-document.ts";

/** Reading and changing the settings as they were written, before the schema has checked them. */
export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** undefined where nothing is. */
export function valueAt(document: unknown, path: Path): unknown {
  let value = document;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** A copy with one setting changed. What is no mapping stays, so that the schema refuses it. */
export function withSetting(document: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (document !== undefined && !isMapping(document)) return document;
  return { ...document, [key]: withSetting(document?.[key], rest, value) };
}

/** A copy in which sections, lists and tables with nothing under them are left out. */
export function withoutEmptySections(document: Mapping): Mapping {
  const kept = Object.entries(document)
    .filter(([, section]) => section !== null)
    .map(([name, section]) => [name, isMapping(section) ? withoutEmpty(section, name) : section]);
  return Object.fromEntries(kept) as Mapping;
}

function withoutEmpty(section: Mapping, name: string): Mapping {
  const holdsMore = (key: string) =>
    keysAt([name, key]).length > 0 ||
    describeSettings().some((row) => row.setting === `${name}.${key}` && row.kind !== "value");
  return Object.fromEntries(
    Object.entries(section).filter(([key, value]) => value !== null || !holdsMore(key)),
  );
}
