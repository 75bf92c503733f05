/** The cells of the first table below a heading (or in the whole text), without its header row. */
export function tableRows(markdown: string, heading?: string): readonly (readonly string[])[] {
  const lines = markdown.split("\n");
  const start = heading === undefined ? 0 : lines.indexOf(heading) + 1;
  if (heading !== undefined && start === 0) throw new Error(`there is no "${heading}"`);
  const from = lines.findIndex((line, at) => at >= start && line.startsWith("|"));
  if (from === -1) throw new Error(`there is no table${heading ? ` below "${heading}"` : ""}`);
  const length = lines.slice(from).findIndex((line) => !line.startsWith("|"));
  const table = length === -1 ? lines.slice(from) : lines.slice(from, from + length);
  return table.slice(2).map(cells);
}

function cells(row: string): readonly string[] {
  return row
    .replaceAll(/^\||\|\s*$/g, "")
    .split("|")
    .map((cell) => cell.trim());
}
