/** One metric of a scrape, as its text says it. */
export interface ScrapedFamily {
  readonly type: string;
  readonly help: string;
  /** Names of the labels of its series; without `le`, which every histogram has. */
  readonly labels: readonly string[];
  /** Each with its value, by its name and labels as they stand in the text. */
  readonly series: ReadonlyMap<string, number>;
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="(?:[^"\\]|\\.)*"/g;

/** Prometheus text by metric. Throws on a line that is neither a comment nor a sample. */
export function readExposition(text: string): ReadonlyMap<string, ScrapedFamily> {
  const families = new Map<string, Building>();
  for (const line of text.split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP")
      families.set(name, { help: rest, type: "", labels: new Set(), series: new Map() });
    else if (kind === "TYPE") families.get(name)!.type = rest;
    else if (line !== "" && !line.startsWith("#")) addSample(families, line);
  }
  return new Map(
    [...families].map(([name, family]) => [name, { ...family, labels: [...family.labels] }]),
  );
}

interface Building {
  readonly help: string;
  type: string;
  readonly labels: Set<string>;
  readonly series: Map<string, number>;
}

function addSample(families: ReadonlyMap<string, Building>, line: string): void {
  const [, name, labels = "", value = ""] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a sample: ${line}`);
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  if (!family) throw new Error(`nothing says what it is: ${line}`);
  family.series.set(line.slice(0, line.lastIndexOf(" ")), Number(value));
  for (const [, label = ""] of labels.matchAll(LABEL)) if (label !== "le") family.labels.add(label);
}
