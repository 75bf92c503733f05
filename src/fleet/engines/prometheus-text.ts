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
