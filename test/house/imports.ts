import { posix } from "node:path";
import { lineAt, withoutComments } from "./source-text.ts";

export interface Import {
  /** A package (`@scope/name` or `name`), a built-in (`node:name`), or a path from the root. */
  readonly target: string;
  readonly isPath: boolean;
  /** `import type` or `export type`: gone when the code runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

interface Found {
  readonly imports: readonly Import[];
  /** Lines with an import that cannot be read: a computed one, or one in another form. */
  readonly unreadable: readonly number[];
}

const NAMES = String.raw`(?:[\w$]+\s*)?,?\s*(?:\*(?:\s+as\s+[\w$]+)?|\{[^{}]*\})?\s*`;
const STATEMENT = new RegExp(
  String.raw`^(?:import|export)\s+(type\s+(?!from\b))?${NAMES}from\s*"([^"]+)"`,
  "gm",
);
const SIDE_EFFECT = /^import\s*()"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*()"([^"]+)"/g;
/** Every way in which an import can begin, to notice one that the patterns above do not read. */
const BEGINNING =
  /^\s*import\b(?!\.)|^export\s+(?:type\s+)?(?:\*|\{[^{}]*\}\s*from\b)|\bimport\(/gm;

/** Reads the imports of a file that Prettier has formatted: statements begin a line. */
export function importsOf(path: string, source: string): Found {
  const text = withoutComments(source);
  const matches = [STATEMENT, SIDE_EFFECT, DYNAMIC].flatMap((form) => [...text.matchAll(form)]);
  const lineOf = (match: RegExpExecArray): number =>
    lineAt(text, match.index + match[0].search(/\S/));
  const imports = matches.map((match) => ({
    ...resolve(path, match[2] ?? ""),
    typeOnly: match[1] !== undefined && match[1] !== "",
    line: lineOf(match),
  }));
  const read = new Set(imports.map(({ line }) => line));
  const begun = [...text.matchAll(BEGINNING)].map(lineOf);
  return { imports, unreadable: begun.filter((line) => !read.has(line)) };
}

function resolve(path: string, specifier: string): Pick<Import, "target" | "isPath"> {
  if (specifier.startsWith(".")) {
    return { target: posix.join(posix.dirname(path), specifier), isPath: true };
  }
  const parts = specifier.split("/");
  const isWhole = specifier.startsWith("node:");
  const packageName = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return { target: isWhole ? specifier : packageName, isPath: false };
}
