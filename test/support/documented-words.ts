/**
 * Words that docs/troubleshooting.md quotes from the product, as a pattern: "…" stands for what varies.
 * test/house holds docs and tests to the same quotes.
 */
export function words(quote: string): RegExp {
  const parts = quote
    .split("…")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(parts.join(".+?"), "s");
}
