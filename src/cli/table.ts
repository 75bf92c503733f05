import { styleText } from "node:util";
import { printable, shortened, widthOf } from "./printable.ts";

export type Colour = "red" | "yellow" | "green" | "dim";

/** A plain text, or one in a colour, which terminals show. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

export interface Column {
  readonly title: string;
  /** Figures stand under one another by their last digit. */
  readonly align?: "right";
  /** Where the terminal is narrow, the column may be cut to so many characters. */
  readonly least?: number;
  /** Where that is not enough, the column may be left out: 1 before 2. */
  readonly spare?: number;
}

/** Where it is printed. */
export interface Page {
  /** In columns; Infinity = not a terminal, and nothing is cut. */
  readonly width: number;
  readonly colours: boolean;
}

const GAP = "  ";

/**
 * Aligned columns under their titles. Where they do not fit the page, some are cut and then some are
 * left out, and a last line says which.
 */
export function layoutTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  page: Page,
): string[] {
  const clean = rows.map((row) => row.map(cleaned));
  const measured = columns.map((column, at) => {
    const texts = [column.title, ...clean.map((row) => row[at]!.text)];
    return { ...column, at, width: Math.max(...texts.map(widthOf)) };
  });
  const kept = fitted(measured, page.width);
  const line = (cells: readonly Clean[]): string =>
    kept
      .map((column) => aligned(cells[column.at]!, column, page))
      .join(GAP)
      .trimEnd();
  const titles = columns.map(({ title }): Clean => ({ text: title, colour: "dim" }));
  const gone = measured.filter(({ at }) => kept.every((column) => column.at !== at));
  const names = gone.map(({ title }) => title).join(", ");
  const note = painted({ text: `no room for ${names}`, colour: "dim" }, page);
  return [...[titles, ...clean].map(line), ...(gone.length === 0 ? [] : [note])];
}

/** A text from elsewhere, in its colour where the page has any. */
export function painted(cell: Cell, { colours }: Page): string {
  const { text, colour } = cleaned(cell);
  // Whether stdout shows colours is the page's to know.
  return colour === null || !colours ? text : styleText(colour, text, { validateStream: false });
}

interface Clean {
  readonly text: string;
  readonly colour: Colour | null;
}

function cleaned(cell: Cell): Clean {
  const { text, colour } = typeof cell === "string" ? { text: cell, colour: null } : cell;
  return { text: printable(text), colour };
}

interface MeasuredColumn extends Column {
  readonly at: number;
  readonly width: number;
}

/** What is left of the columns on a page of that width. */
function fitted(columns: readonly MeasuredColumn[], pageWidth: number): readonly MeasuredColumn[] {
  const cut = narrowed(columns, pageWidth);
  if (totalWidth(cut) <= pageWidth) return cut;
  const first = Math.min(...columns.map(({ spare = Infinity }) => spare));
  if (first === Infinity) return cut;
  return fitted(
    columns.filter(({ spare }) => spare !== first),
    pageWidth,
  );
}

/** Takes from the widest column that may be cut, until all fit or none may be cut further. */
function narrowed(columns: readonly MeasuredColumn[], pageWidth: number): MeasuredColumn[] {
  const widths = columns.map(({ width }) => width);
  for (let over = totalWidth(columns) - pageWidth; over > 0; over--) {
    let widest = -1;
    for (const [at, { least = Infinity }] of columns.entries()) {
      if (widths[at]! > least && widths[at]! > (widths[widest] ?? 0)) widest = at;
    }
    if (widest === -1) break;
    widths[widest]! -= 1;
  }
  return columns.map((column, at) => ({ ...column, width: widths[at]! }));
}

function totalWidth(columns: readonly MeasuredColumn[]): number {
  return columns.reduce((sum, { width }) => sum + width, (columns.length - 1) * GAP.length);
}

function aligned({ text, colour }: Clean, { align, width }: MeasuredColumn, page: Page): string {
  const shown = shortened(text, width);
  const padding = " ".repeat(width - widthOf(shown));
  const ink = colour === null ? shown : painted({ text: shown, colour }, page);
  return align === "right" ? padding + ink : ink + padding;
}
