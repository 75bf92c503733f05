/**
 * What a scrape gets: Prometheus text, version 0.0.4. The library writes it in one tick: 100,000
 * series, those of 10,000 GPUs, stop the event loop for a third of a second. Here it takes a third of
 * that, and requests get their turn in between.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

/** Adds one series of a family: its labels as they stand between the braces, and its value. */
type AddSeries = (labels: string, value: number, suffix?: Suffix) => void;

/** Of the three sorts of series that a histogram has. */
type Suffix = "_bucket" | "_sum" | "_count";

/** One metric with all its series. */
export interface Family {
  readonly name: string;
  /** In whole sentences; docs/metrics.md has the same. */
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** Asked at each scrape, for the series as they are at that moment. */
  readonly read: (add: AddSeries) => void;
}

/** A fleet of some hundred GPUs is written in one tick, and so is a picture of one moment. */
const SERIES_PER_TICK = 5000;

export class Exposition {
  readonly #families = new Map<string, Family>();

  /** Throws where there is one of that name: a defect. */
  register(family: Family): void {
    const { name } = family;
    if (this.#families.has(name)) throw new Error(`there is a metric ${name} already`);
    this.#families.set(name, family);
  }

  async text(): Promise<string> {
    const lines: string[] = [];
    let nextPauseAt = SERIES_PER_TICK;
    for (const family of this.#families.values()) {
      write(family, lines);
      if (lines.length < nextPauseAt) continue;
      nextPauseAt = lines.length + SERIES_PER_TICK;
      await nextTurnOfTheLoop();
    }
    lines.push("");
    return lines.join("\n");
  }
}

function write({ name, help, type, read }: Family, lines: string[]): void {
  lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
  read((labels, value, suffix) => {
    const series = suffix === undefined ? name : name + suffix;
    lines.push(`${labels === "" ? series : `${series}{${labels}}`} ${numeral(value)}`);
  });
}

/** One label as it stands in a series: ids of GPUs may have quotes and backslashes in them. */
export function label(name: string, value: string): string {
  return `${name}="${SPECIAL.test(value) ? escaped(value).replaceAll('"', '\\"') : value}"`;
}

const SPECIAL = /[\\"\n]/;

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function numeral(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

function nextTurnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Described {
  readonly name: string;
  readonly help: string;
}

/** Looked at anew at each scrape, so that what is gone is gone. `label` null: it has one series. */
export function registerGauge(
  exposition: Exposition,
  { name, help, label: labelName }: Described & { readonly label: string | null },
  read: () => Iterable<readonly [value: string, number: number]>,
): void {
  exposition.register({
    name,
    help,
    type: "gauge",
    read(add) {
      for (const [value, number] of read()) {
        add(labelName === null ? "" : label(labelName, value), number);
      }
    },
  });
}

/** A counter that somebody else keeps. */
export function registerTotal(
  exposition: Exposition,
  { name, help }: Described,
  read: () => number,
): void {
  exposition.register({ name, help, type: "counter", read: (add) => add("", read()) });
}
