/** Told what is wrong; without the value, so that a drifting one does not make news at each poll. */
export type Note = (text: string) => void;

export const noNote: Note = () => undefined;

type Item = Readonly<Record<string, unknown>>;

export interface NumberField {
  readonly field: string;
  /** The least is 0 for all of them. */
  readonly max: number;
  readonly unit: string;
}

const MAX_TEXT_CHARS = 2048;

/** null = absent, or makes no sense; the latter is noted. */
export function readNumber(item: Item, { field, max, unit }: NumberField, note: Note) {
  const value = item[field];
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && value >= 0 && value <= max && value !== Infinity) return value;
  note(`${field} is ${faultOf(value)}, expected ${rangeOf(max, unit)}; taken as unknown`);
  return null;
}

function faultOf(value: unknown): string {
  if (typeof value !== "number") return "not a number";
  if (!Number.isFinite(value)) return "not finite";
  return value < 0 ? "negative" : "too large";
}

function rangeOf(max: number, unit: string): string {
  const range = max === Infinity ? "a number of at least 0" : `0 to ${max}`;
  return unit === "" ? range : `${range} ${unit}`;
}

export function readText(item: Item, field: string, note: Note): string | null {
  const value = item[field];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string" && value.length <= MAX_TEXT_CHARS) return value;
  note(`${field} is not a text of at most ${MAX_TEXT_CHARS} characters; taken as unknown`);
  return null;
}

/** "8.6" and 8.6 are both in use. */
export function readCapability(value: unknown, note: Note): number | null {
  if (value === undefined || value === null) return null;
  const capability = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? +value : value;
  if (typeof capability === "number" && capability >= 1 && capability < 100) return capability;
  note("compute_capability is not a version such as 8.6; taken as unknown");
  return null;
}
