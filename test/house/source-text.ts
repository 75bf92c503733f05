import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The repository's root, with a slash at its end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** Path from the root (with `/`) -> text, of every source file in the folder. */
export type Sources = ReadonlyMap<string, string>;

export function readSources(folder: string): Sources {
  const sources = new Map<string, string>();
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.(?:ts|js)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    sources.set(path.slice(ROOT.length).replaceAll("\\", "/"), readFileSync(path, "utf8"));
  }
  return sources;
}

// The compiler that this repository uses offers no parser to JavaScript, and comments, strings and
// regular expressions are all that has to be told apart here. A regular expression can only stand
// where a value may begin.
const COMMENT = String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`;
const STRING = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`;
const TEMPLATE = String.raw`${"`"}(?:\\[\s\S]|[^${"`"}\\])*${"`"}`;
const REGEX = String.raw`(?<=(?:^|[=(,:!&|?{};[]|return|=>)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/`;
const TOKEN = new RegExp([COMMENT, STRING, TEMPLATE, REGEX].join("|"), "g");

const isComment = (token: string): boolean => /^\/[/*]/.test(token);
const isTemplate = (token: string): boolean => token.startsWith("`");
const blank = (text: string): string => text.replaceAll(/[^\n]/g, " ");

/** The text with comments blanked; every other character keeps its place. */
export function withoutComments(source: string): string {
  return source.replaceAll(TOKEN, (token) => (isComment(token) ? blank(token) : token));
}

/** Like withoutComments, with strings blanked too; templates stay, for the code inside them. */
export function codeOnly(source: string): string {
  return source.replaceAll(TOKEN, (token) => (isTemplate(token) ? token : blank(token)));
}

/** The comments alone, in their places. */
export function commentsOnly(source: string): string {
  let text = "";
  let end = 0;
  for (const match of source.matchAll(TOKEN)) {
    if (!isComment(match[0])) continue;
    text += blank(source.slice(end, match.index)) + match[0];
    end = match.index + match[0].length;
  }
  return text + blank(source.slice(end));
}

export function lineAt(source: string, index: number): number {
  return source.slice(0, index).split("\n").length;
}
