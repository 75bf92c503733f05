export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

const BLOCK = /^```(\w*)\n([^]*?)^```$/gm;

export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(BLOCK)].map(([, language = "", text = ""]) => ({ language, text }));
}

const prose = (markdown: string): string => markdown.replaceAll(BLOCK, "");

/** `# …` to `###### …`, in order. */
export function headings(markdown: string): readonly string[] {
  return prose(markdown).match(/^#+ .*$/gm) ?? [];
}

/** As GitHub makes an anchor of a heading. */
export function anchorOf(heading: string): string {
  const words = heading.replace(/^#+ /, "").toLowerCase();
  return words.replaceAll(/[^\p{L}\p{M}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

/** What stands in backticks between words. */
export function inlineCode(markdown: string): readonly string[] {
  return [...prose(markdown).matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** Of each line of each table, how many cells it has. */
export function tableShape(markdown: string): readonly number[] {
  const rows = prose(markdown).match(/^\|.*\|$/gm) ?? [];
  return rows.map((row) => row.split("|").length - 2);
}

export interface Link {
  /** As it is written, without its anchor; "" = the same page. */
  readonly path: string;
  readonly anchor: string | null;
}

/** Links to other pages of the repository, and within the page. */
export function links(markdown: string): readonly Link[] {
  const found = prose(markdown).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g);
  return [...found].map(([, path = "", anchor = null]) => ({ path, anchor }));
}
