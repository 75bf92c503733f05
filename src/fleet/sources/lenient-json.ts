/** What came of parsing; `repaired`: it held NaN or Infinity, which were read as null. */
export interface LenientJson {
  readonly value: unknown;
  readonly repaired: boolean;
}

/** Strings are matched whole, unfinished ones up to the end, so that the time stays linear. */
const STRING_OR_NOT_A_NUMBER = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|$)|-?\b(?:NaN|Infinity)\b/g;

/**
 * Python writes NaN and Infinity bare into JSON unless told otherwise: one failed sensor must not
 * make a whole box unreadable. null = not JSON even so.
 */
export function parseLenientJson(text: string): LenientJson | null {
  try {
    return { value: JSON.parse(text), repaired: false };
  } catch {
    return parseRepaired(text);
  }
}

function parseRepaired(text: string): LenientJson | null {
  if (!text.includes("NaN") && !text.includes("Infinity")) return null;
  try {
    const repaired = text.replace(STRING_OR_NOT_A_NUMBER, (found) =>
      found.startsWith('"') ? found : "null",
    );
    return { value: JSON.parse(repaired), repaired: true };
  } catch {
    return null;
  }
}
