import * as z from "zod";
import { configSchema } from "./schema.ts";

/** Forms, defaults and texts depend neither on names nor on the environment; only checks do. */
export const SETTINGS_TREE: z.ZodType = configSchema({
  names: { strategies: [], filters: [], scorers: [], pickers: [], engines: [] },
  env: {},
});

/** The keys allowed in the mapping at `path`; empty where names are free or nothing is known. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let schema: z.ZodType | undefined = SETTINGS_TREE;
  for (const step of path) schema = schema && child(bare(schema), step);
  const found = schema && bare(schema);
  return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

/** A schema without its defaults and transforms: what the YAML may hold. */
export function bare(schema: z.ZodType): z.ZodType {
  return layers(schema).at(-1) ?? schema;
}

/** A schema and what it wraps, from the outside in. */
export function layers(schema: z.ZodType): readonly z.ZodType[] {
  const inner = wrapped(schema);
  return inner === null ? [schema] : [schema, ...layers(inner)];
}

function wrapped(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodPipe) {
    return (schema.in instanceof z.ZodTransform ? schema.out : schema.in) as z.ZodType;
  }
  const wraps =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable;
  return wraps ? (schema.unwrap() as z.ZodType) : null;
}

/** What an item of a list, or an entry of a table, looks like. */
export function itemOf(schema: z.ZodType): z.ZodType | null {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return null;
}

function child(schema: z.ZodType, step: PropertyKey): z.ZodType | undefined {
  if (!(schema instanceof z.ZodObject)) return itemOf(schema) ?? undefined;
  const shape: Record<PropertyKey, z.ZodType> = schema.shape;
  return Object.hasOwn(shape, step) ? shape[step] : undefined;
}
