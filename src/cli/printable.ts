/**
 * Names and reasons come from monitors, workers and other people: printed raw, their control
 * characters could move the cursor, change its colours or hide what stands beside them.
 */

/**
 * The text with each control, formatting or lone surrogate character as `\u001b` is written. The two
 * joiners stay: Persian and Hindi need them, and they move nothing.
 */
export function printable(text: string): string {
  return text.replaceAll(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escaped);
}

/** What JSON.stringify prints, which escapes too few of them; still JSON, of the same meaning. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).split("\n").map(printable).join("\n");
}

/** How many columns of a terminal it takes, near enough to align tables. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!/[\p{M}\u200c\u200d]/u.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3000-\u303f\uff01-\uff60]/u;

/** Cut to `width` columns, the last of them an ellipsis where something is missing. */
export function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (widthOf(kept + character) >= width) break;
    kept += character;
  }
  return `${kept}…`;
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => String.raw`\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
