import * as z from "zod";
import { bare, itemOf, layers, SETTINGS_TREE } from "./settings-tree.ts";

/** One setting as a reader of the documentation needs it. */
export interface SettingDescription {
  /** Path in the YAML: `api.port`, `workers[].url`, `strategies.<name>.picker`. */
  readonly setting: string;
  /** `table`: a mapping whose names are free. */
  readonly kind: "value" | "list" | "table";
  /** undefined: it has none, because an item without it makes no sense. */
  readonly default: unknown;
  readonly unit: string | null;
  readonly meaning: string;
  /** null inside items, which are set together with their list. */
  readonly environment: string | null;
}

/** Variables with names of their own; every other setting has a derived one. */
export const NAMED_VARIABLES: Readonly<Record<string, string>> = {
  "api.host": "API_HOST",
  "api.port": "API_PORT",
  "api.debug": "API_DEBUG",
  "gpu_monitoring.url": "GPU_MONITORING_URL",
  "logging.url": "LOGGING_URL",
};

export const DERIVED_PREFIX = "ROUTER__";

/** `api.port` is ROUTER__API__PORT. */
export function derivedVariable(setting: string): string {
  return DERIVED_PREFIX + setting.toUpperCase().replaceAll(".", "__");
}

/** Every setting, in the order of the schema. Sections themselves are not listed. */
export function describeSettings(): readonly SettingDescription[] {
  return SETTINGS;
}

/** Worked out once: every reading of a config asks several times. */
const SETTINGS = describe("", SETTINGS_TREE);

function describe(setting: string, schema: z.ZodType): SettingDescription[] {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries<z.ZodType>(inner.shape).flatMap(([key, value]) =>
      describe(setting === "" ? key : `${setting}.${key}`, value),
    );
  }
  const kind = kindOf(inner);
  const inItem = /\[\]|<name>/.test(setting);
  const environment = NAMED_VARIABLES[setting] ?? derivedVariable(setting);
  const own = { setting, kind, ...facts(schema), environment: inItem ? null : environment };
  const item = itemOf(inner);
  const hasFields = item !== null && bare(item) instanceof z.ZodObject;
  const suffix = kind === "list" ? "[]" : ".<name>";
  return hasFields ? [own, ...describe(setting + suffix, item)] : [own];
}

function kindOf(inner: z.ZodType): SettingDescription["kind"] {
  if (inner instanceof z.ZodArray) return "list";
  return inner instanceof z.ZodRecord ? "table" : "value";
}

/** What is written outermost counts: it is what the author of the section wrote last. */
function facts(schema: z.ZodType): Pick<SettingDescription, "default" | "unit" | "meaning"> {
  const around = layers(schema);
  const metas = around.map((layer) => layer.meta());
  const unit = metas.find((meta) => meta?.["unit"] !== undefined)?.["unit"];
  const fallback = around.find(
    (layer) => layer instanceof z.ZodDefault || layer instanceof z.ZodPrefault,
  );
  return {
    default: fallback?.def.defaultValue,
    unit: typeof unit === "string" ? unit : null,
    meaning: metas.find((meta) => meta?.description)?.description ?? "",
  };
}
