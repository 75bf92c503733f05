import type { ApiDocument } from "../support/api-document.ts";

const TYPES = new Set(["object", "array", "string", "number", "integer", "boolean", "null"]);

/** What the generator is known to write; a new word is a reason to look. */
const KEYWORDS = new Set([
  "$ref",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "propertyNames",
  "items",
  "anyOf",
  "enum",
  "const",
  "description",
  "default",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "pattern",
  // Of strings that are dates.
  "format",
]);

/** What is wrong with a JSON Schema inside an OpenAPI 3.1 document, as far as can be seen here. */
export function findSchemaFaults(schema: unknown, document: ApiDocument): string[] {
  if (!isObject(schema)) return [`not a schema: ${String(schema)}`];
  const here = Object.entries(schema).flatMap(([keyword, value]) => {
    if (!KEYWORDS.has(keyword)) return [`unknown keyword ${keyword}`];
    const fault = CHECKS[keyword]?.(value, schema, document);
    return fault === undefined || fault === null ? [] : [`${fault} in ${JSON.stringify(schema)}`];
  });
  return [...here, ...partsOf(schema).flatMap((part) => findSchemaFaults(part, document))];
}

type Schema = Readonly<Record<string, unknown>>;
type Check = (value: unknown, schema: Schema, document: ApiDocument) => string | null;

const CHECKS: Readonly<Record<string, Check>> = {
  $ref: (value, schema, { components }) => {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(String(value))?.[1];
    const leadsSomewhere = name !== undefined && name in components.schemas;
    return leadsSomewhere && Object.keys(schema).length === 1 ? null : `bad $ref ${String(value)}`;
  },
  type: (value) => {
    const unknown = [value].flat().filter((type) => !TYPES.has(String(type)));
    return unknown.length === 0 ? null : `unknown type ${unknown.join()}`;
  },
  required: (value, { properties }) => {
    const known = Object.keys(properties ?? {});
    const missing = (value as string[]).filter((name) => !known.includes(name));
    return missing.length === 0 ? null : `required but not described: ${missing.join()}`;
  },
  enum: (value) => (Array.isArray(value) && value.length > 0 ? null : "empty enum"),
  anyOf: (value) => (Array.isArray(value) && value.length > 0 ? null : "empty anyOf"),
  pattern: (value) => {
    try {
      return new RegExp(String(value)).source === "" ? "empty pattern" : null;
    } catch {
      return "bad pattern";
    }
  },
};

function partsOf(schema: Schema): unknown[] {
  const { properties, additionalProperties, items, anyOf, propertyNames } = schema;
  const single = [items, propertyNames, additionalProperties].filter(
    (part) => part !== undefined && typeof part !== "boolean",
  );
  return [
    ...Object.values((properties ?? {}) as Schema),
    ...((anyOf ?? []) as unknown[]),
    ...single,
  ];
}

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null;
}
