import * as z from "zod";
import type { Parsed } from "./addresses.ts";

/**
 * The building blocks of the schema. Texts that say what is allowed begin with "must", so that
 * explain-problems.ts can put what was found before them.
 */

/** Settings under one key. Unknown keys are errors. */
export function mapping<Shape extends z.ZodRawShape>(
  shape: Shape,
  mustBe = "a mapping of settings",
) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? `must be ${mustBe}` : undefined),
  });
}

export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item, { error: "must be a list" });
}

/** Free names on the left, one kind of value on the right. */
export function table<Value extends z.ZodType>(value: Value) {
  return z.record(z.string(), value, { error: "must be a mapping of names to values" });
}

export function number(min: number, max = Number.POSITIVE_INFINITY) {
  const error =
    max === Number.POSITIVE_INFINITY
      ? `must be a number >= ${min}`
      : `must be a number from ${min} to ${max}`;
  return z.number({ error }).refine((value) => value >= min && value <= max, { error });
}

export function whole(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error });
}

/** Zero is allowed only where waiting not at all makes sense, so callers give `min` themselves. */
export function seconds(min: number, max: number) {
  return number(min, max).meta({ unit: "s" });
}

/** The least time that a period or a limit may be set to: zero would spin or refuse everything. */
export const SHORTEST_S = 0.01;

export function mebibytes(max: number) {
  return number(0.001, max).meta({ unit: "MiB" });
}

export function toggle() {
  return z.boolean({ error: "must be true or false" });
}

export function text() {
  const error = "must be text, in quotes if it looks like a number";
  return z.string({ error }).refine((value) => value.trim() !== "", { error });
}

/** A name that appears in headers, metric labels and logs. */
export function name() {
  const error =
    "must be a name of up to 128 letters, digits and . _ @ + : -, starting with a letter or digit";
  return z.string({ error }).regex(/^[a-z0-9][a-z0-9._@+:-]{0,127}$/i, { error });
}

/** A point in time of the wall clock, with its zone: without one it would depend on the machine. */
export function moment() {
  const error = "must be a date and time with its zone, such as 2027-01-31T18:00:00Z";
  return z.iso.datetime({ offset: true, error });
}

export function choice<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, { error: `must be one of: ${values.join(", ")}` });
}

/** One of the names that other parts of the router know. */
export function known(names: readonly string[], kind: string) {
  const error = `must be the name of ${kind}: ${names.join(", ")}`;
  return z.string({ error }).refine((value) => names.includes(value), { error });
}

/** Text in a form that has one spelling; the output is that spelling. */
export function address(parse: (input: string) => Parsed) {
  // No address is empty, so this is the text for what is no address at all.
  const none = parse("");
  const error = "ok" in none ? "must be text" : none.mustBe;
  return z.string({ error }).transform((input, context) => {
    const parsed = parse(input);
    if ("ok" in parsed) return parsed.ok;
    context.addIssue({ code: "custom", message: parsed.mustBe });
    return z.NEVER;
  });
}

/**
 * Refuses two items of a list that agree in one field. Runs even where other fields are wrong, so
 * that all problems are told at once.
 */
export function distinct<Item extends z.ZodType>(items: z.ZodArray<Item>, ...fields: string[]) {
  return items.superRefine(
    (values, context) => {
      for (const field of fields) {
        for (const [index, earlier] of repeats(values, field)) {
          const message = `item ${earlier + 1} of this list has the same; each must be different`;
          context.addIssue({ code: "custom", path: [index, field], message });
        }
      }
    },
    { when: (payload) => Array.isArray(payload.value) },
  );
}

function* repeats(values: readonly unknown[], field: string): Generator<[number, number]> {
  const seen = new Map<unknown, number>();
  for (const [index, item] of values.entries()) {
    const value = (item as Record<string, unknown> | null)?.[field];
    if (typeof value !== "string") continue;
    const earlier = seen.get(value);
    if (earlier === undefined) seen.set(value, index);
    else yield [index, earlier];
  }
}
