import { existsSync, readFileSync } from "node:fs";
import { FakeNvidiaSmi, type FakeGpu } from "./fake-nvidia-smi.ts";

const FOLDER = new URL("../fixtures/nvidia-smi/", import.meta.url);

/** A program that prints what was recorded, and [N/A] for what was not; it refuses `unknownFields`. */
export function recordedNvidiaSmi(name: string, unknownFields: readonly string[]): FakeNvidiaSmi {
  const [header = "", ...rows] = linesOf(`${name}.csv`);
  const fields = header.split(",");
  const gpus = rows.map((row) => {
    const cells = row.split(", ");
    return Object.fromEntries(fields.map((field, i) => [field, cells[i]])) as unknown as FakeGpu;
  });
  const apps = existsSync(new URL(`${name}.apps.csv`, FOLDER)) ? linesOf(`${name}.apps.csv`) : [];
  return new FakeNvidiaSmi({ gpus, unknownFields, apps });
}

function linesOf(file: string): readonly string[] {
  return readFileSync(new URL(file, FOLDER), "utf8").trimEnd().split("\n");
}
