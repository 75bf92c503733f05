import { Refusal } from "./router-client.ts";

/** A UUID with its kind before it, as NVIDIA writes it, and the part that people tell them apart by. */
const UUID_ID = /^((?:GPU|MIG)-[0-9a-f]{8})-[0-9a-f]{4}-/;

/** How a table shows each of these ids: in full, unless the beginning of its UUID says which it is. */
export function shortIds(ids: readonly string[]): ReadonlyMap<string, string> {
  const beginnings = ids.map((id) => UUID_ID.exec(id)?.[1] ?? id);
  return new Map(
    ids.map((id, at) => {
      const short = beginnings[at]!;
      return [id, beginnings.filter((other) => other === short).length === 1 ? short : id];
    }),
  );
}

/**
 * The id that somebody means who types it, or the beginning of a single one. What nothing begins with
 * is left as it is: the router may know more. Throws Refusal for the beginning of several.
 */
export function meantId(typed: string, known: readonly string[]): string {
  if (known.includes(typed)) return typed;
  const found = known.filter((id) => id.startsWith(typed));
  if (found.length <= 1) return found[0] ?? typed;
  const named = found.slice(0, NAMED).join(", ") + (found.length > NAMED ? ", …" : "");
  throw new Refusal(`"${typed}" may mean ${named}: type more of it`);
}

const NAMED = 5;
