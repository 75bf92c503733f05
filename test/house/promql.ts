/** A metric as an expression names it, with the labels that it is asked for by. */
interface Mention {
  readonly name: string;
  readonly labels: readonly string[];
}

const SELECTOR = /(?<![\w:$"./])((?:router|gpu|up|process|nodejs)(?:_\w+)?)\b(?:\{([^}]*)\})?/g;
const LABEL = /(\w+)\s*(?:=~|!~|!=|=)/g;

/** The metrics of an expression; those of other programs than ours only by their known prefixes. */
export function metricsIn(expression: string): readonly Mention[] {
  const withoutTexts = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  // The label gpu_id looks like one of them.
  const withoutGroups = withoutTexts.replaceAll(/\b(?:by|on) \([^)]*\)/g, "");
  return [...withoutGroups.matchAll(SELECTOR)].map(([, name = "", selector = ""]) => ({
    name,
    labels: [...selector.matchAll(LABEL)].map(([, label = ""]) => label),
  }));
}
