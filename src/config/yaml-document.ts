import type { Event } from "js-yaml";
import { constructFromEvents, EVENT_ID, getScalarValue, parseEvents, YAMLException } from "js-yaml";

export type Path = readonly PropertyKey[];

/** A YAML text that could be read. */
export interface YamlDocument {
  /** undefined: the text is empty, or only comments. */
  readonly value: unknown;
  /** Line, from 1, of the setting at `path`, or of the nearest setting around it that is there. */
  readonly lineOf: (path: Path) => number | null;
}

/** Duplicate keys, several documents and unknown tags are problems too. */
export function parseYaml(text: string): YamlDocument | { readonly problem: string } {
  try {
    const events = parseEvents(text, {});
    const documents = constructFromEvents(events, { source: text });
    if (documents.length > 1) return { problem: "found several documents, must be one" };
    let offsets: ReadonlyMap<string, number> | undefined;
    const lineOf = (path: Path) => {
      offsets ??= settingOffsets(text, events);
      return lineAt(nearestOffset(path, offsets), text);
    };
    return { value: documents[0], lineOf };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    // Its own message quotes the lines around the fault, which may hold secrets.
    const { mark, reason } = error;
    const place = mark ? `line ${mark.line + 1}, column ${mark.column + 1}: ` : "";
    return { problem: place + reason.replace(/"[^"]*"/g, "name") };
  }
}

function nearestOffset(path: Path, offsets: ReadonlyMap<string, number>): number | null {
  for (let length = path.length; length > 0; length--) {
    const offset = offsets.get(JSON.stringify(path.slice(0, length)));
    if (offset !== undefined) return offset;
  }
  return null;
}

function lineAt(offset: number | null, source: string): number | null {
  return offset === null ? null : source.slice(0, offset).split("\n").length;
}

interface OpenNode {
  readonly path: Path;
  readonly isList: boolean;
  /** Children seen so far: in a mapping keys and values take turns. */
  children: number;
  key: string;
}

/** Where each setting begins in the text, by its path in JSON. */
function settingOffsets(source: string, events: readonly Event[]): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  const open: OpenNode[] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) {
      open.push({ path: [], isList: false, children: -1, key: "" });
    } else if (event.type === EVENT_ID.POP) {
      open.pop();
    } else {
      const place = enter(open.at(-1), event, source);
      const start = startOf(event);
      if (place.names && start >= 0) offsets.set(JSON.stringify(place.path), start);
      if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) {
        const isList = event.type === EVENT_ID.SEQUENCE;
        open.push({ path: place.path, isList, children: 0, key: "" });
      }
    }
  }
  return offsets;
}

/** The path of the node that begins, and whether it is what names it: a key, or an item. */
function enter(
  parent: OpenNode | undefined,
  event: Event,
  source: string,
): { readonly path: Path; readonly names: boolean } {
  if (!parent || parent.children < 0) return { path: [], names: false };
  const index = parent.children++;
  if (parent.isList) return { path: [...parent.path, index], names: true };
  const isKey = index % 2 === 0;
  if (isKey) parent.key = event.type === EVENT_ID.SCALAR ? getScalarValue(source, event) : "";
  return { path: [...parent.path, parent.key], names: isKey };
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  return -1;
}
