/**
 * Stands in for nvidia-smi: prints what the file in FAKE_NVIDIA_SMI says at each round, in the form
 * of the real one, and fails with its words and exit codes. Run by FakeNvidiaSmi, not imported.
 */
import { appendFileSync, readFileSync, writeSync } from "node:fs";
import type { FakeGpu, FakeState } from "./fake-nvidia-smi.ts";

const STDOUT = 1;
const file = process.env.FAKE_NVIDIA_SMI ?? "";

function option(name: string): string | undefined {
  return process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
}

function read(): FakeState {
  return JSON.parse(readFileSync(file, "utf8")) as FakeState;
}

/** For the test to see what it does. */
function note(event: string): void {
  appendFileSync(`${file}.journal`, `${event}\n`);
}

/** A reader that is gone ends it, as SIGPIPE ends the real one. */
function print(text: string): void {
  try {
    writeSync(STDOUT, text);
  } catch {
    note("end");
    end(1);
  }
}

function end(code: number): never {
  // oxlint-disable-next-line unicorn/no-process-exit -- an entry point, which ends itself
  process.exit(code);
}

function fail(text: string, code: number): never {
  print(`${text}\n`);
  end(code);
}

function chosen({ gpus }: FakeState): readonly FakeGpu[] {
  const ids = option("id")?.split(",");
  return gpus.filter((gpu) => ids === undefined || ids.includes(gpu.uuid));
}

function refuseUnknown(fields: readonly string[], { unknownFields = [] }: FakeState): void {
  const unknown = fields.find((field) => unknownFields.includes(field));
  if (unknown === undefined) return;
  fail(`Field "${unknown}" is not a valid field to query.\n`, 2);
}

function printRound(fields: readonly string[]): void {
  const state = read();
  if (state.failure) fail(state.failure.text, state.failure.exitCode);
  const isAsked = state.hangs !== "whole" || option("id") === undefined;
  if (state.hangs && isAsked) return note("silent");
  for (const gpu of state.refusesAll ? state.gpus : chosen(state)) {
    if (gpu.cannotBeOpened !== undefined) fail(gpu.cannotBeOpened, 15);
    const cells = { count: String(state.gpus.length), driver_version: state.driver, ...gpu };
    if (state.hidesUuids) cells.uuid = "[GPU is lost]";
    print(`${fields.map((field) => cells[field as keyof typeof cells] ?? "[N/A]").join(", ")}\n`);
  }
}

const apps = option("query-compute-apps");
const fields = option("query-gpu")?.split(",") ?? [];
const first = read();
if (apps !== undefined) {
  if (first.apps === null) fail("Failed to initialize NVML: Unknown Error", 255);
  print((first.apps ?? []).map((app) => `${app}\n`).join(""));
  end(0);
}
refuseUnknown(fields, first);
note("start");
printRound(fields);
setInterval(() => printRound(fields), first.everyMs ?? Number(option("loop-ms")));
