import type { Ask, EngineLoad } from "./engine.ts";

/** What follows a metric's name: labels, whose values may hold any character, and the value. */
const SAMPLE = /^(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+(\S+)/;

/**
 * Sum of a gauge over its label sets (one per data-parallel rank or model); null = not there. Only
 * the lines of this metric are looked at: engines answer thousands of others.
 */
export function sumOfGauge(text: string, name: string): number | null {
  let sum: number | null = null;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    if (at > 0 && text[at - 1] !== "\n") continue;
    const end = text.indexOf("\n", at);
    const rest = text.slice(at + name.length, end === -1 ? text.length : end);
    const value = Number(SAMPLE.exec(rest)?.[1] ?? NaN);
    if (Number.isFinite(value) && value >= 0) sum = (sum ?? 0) + value;
  }
  return sum;
}

/** One series of a metric, as a line of Prometheus text has it. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  /** NaN where there is no finite number. */
  readonly value: number;
}

/** A label; its value may hold any character, and a backslash before a quote, a backslash or n. */
const LABEL = /\s*([A-Za-z_]\w*)\s*=\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*,?/y;
const VALUE = /\s*\}?[ \t]+(\S+)/y;

/**
 * The series of the metrics of these names, in the order of the text. Of all other lines only the name
 * is looked at: a page has tens of thousands. A line that breaks off within its labels is left out.
 */
export function* samplesOf(text: string, names: ReadonlySet<string>): Generator<Sample> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    const sample = text[start] === "#" ? null : sampleIn(text.slice(start, end), names);
    if (sample) yield sample;
    start = end + 1;
  }
}

function sampleIn(line: string, names: ReadonlySet<string>): Sample | null {
  const name = /^[A-Za-z_:][\w:]*/.exec(line)?.[0] ?? "";
  if (!names.has(name)) return null;
  const labels = new Map<string, string>();
  const hasLabels = line[name.length] === "{";
  LABEL.lastIndex = VALUE.lastIndex = name.length + (hasLabels ? 1 : 0);
  for (let label = hasLabels ? LABEL.exec(line) : null; label; label = LABEL.exec(line)) {
    labels.set(label[1]!, unescaped(label[2]!));
    VALUE.lastIndex = LABEL.lastIndex;
  }
  const value = VALUE.exec(line);
  if (value?.[0].trimStart().startsWith("}") !== hasLabels) return null;
  return { name, labels, value: Number(value[1]) };
}

function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

/** Names of an engine's gauges, each with its older or rewritten forms. */
export interface LoadGauges {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
}

/** Anything but a 200 is an engine that was started without metrics: it does not say. */
export async function askLoad(ask: Ask, gauges: LoadGauges): Promise<EngineLoad> {
  const { status, text } = await ask("/metrics");
  if (status !== 200) return {};
  const running = firstOf(text, gauges.running);
  return running === null ? {} : { active: running + (firstOf(text, gauges.waiting) ?? 0) };
}

function firstOf(text: string, names: readonly string[]): number | null {
  for (const name of names) {
    const sum = sumOfGauge(text, name);
    if (sum !== null) return sum;
  }
  return null;
}
