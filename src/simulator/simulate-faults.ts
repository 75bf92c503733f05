import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import { drawHistory } from "./history.ts";
import { replay } from "./replay.ts";
import { runScene } from "./run-scene.ts";
import type { World } from "./world.ts";

const USAGE =
  "npm run simulate:faults [-- --seeds <how many> --first <seed>]\n" +
  "npm run simulate:faults -- --seed <seed> [--trace]";
const SEEDS = 1000;
/** More of them say nothing new. */
const FAILURES_SHOWN = 5;
const PROGRESS_MS = 10_000;

/** Plays histories of faults before the router's own code, and tells which seeds break a rule. */
async function main(): Promise<void> {
  const { seeds, first, trace } = readArguments();
  const failed: number[] = [];
  const totals = { requests: 0, attempts: 0 };
  const startedAtMs = systemClock.now();
  let toldAtMs = startedAtMs;
  for (let seed = first; seed < first + seeds && failed.length < FAILURES_SHOWN; seed++) {
    const { world, isBroken } = await playSeed(seed, trace);
    if (isBroken) failed.push(seed);
    count(world, totals);
    if (systemClock.now() - toldAtMs < PROGRESS_MS) continue;
    toldAtMs = systemClock.now();
    process.stderr.write(`${seed - first + 1} of ${seeds} seeds\n`);
  }
  for (const seed of failed) process.stdout.write(`${await replay(seed)}\n\n`);
  const { requests, attempts } = totals;
  const perSeedMs = ((systemClock.now() - startedAtMs) / seeds).toFixed(1);
  process.stdout.write(
    `seeds ${first} to ${first + seeds - 1}: ${failed.length} broke a rule; ` +
      `${requests} requests, ${attempts} attempts, ${perSeedMs} ms a seed\n`,
  );
  if (failed.length > 0) process.exitCode = 1;
}

async function playSeed(seed: number, trace: boolean) {
  const watch = { onStart: remember, ...(trace && { tell: print }) };
  const { violation, world } = await runScene(drawHistory(seed), watch);
  return { world, isBroken: violation !== null };
}

function print(sceneMs: number, text: string): void {
  process.stdout.write(`${(sceneMs / 1000).toFixed(3).padStart(8)} s  ${text}\n`);
}

function remember(world: World): void {
  playing = world;
}

/** A promise that nobody awaits must not fail unseen. */
let playing: World | null = null;
process.on("unhandledRejection", (cause) => {
  playing?.breach(`a promise was rejected, and nobody heard of it: ${String(cause)}`);
});

function count({ ledger }: World, totals: { requests: number; attempts: number }): void {
  for (const { end } of ledger.entries.values()) {
    totals.requests += 1;
    totals.attempts += end?.attempts.length ?? 0;
  }
}

function readArguments(): { seeds: number; first: number; trace: boolean } {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      first: { type: "string" },
      seed: { type: "string" },
      trace: { type: "boolean", default: false },
    },
  });
  const only = values.seed === undefined ? null : wholeNumber("seed", values.seed);
  const seeds = only === null ? wholeNumber("seeds", values.seeds ?? String(SEEDS)) : 1;
  const first = only ?? wholeNumber("first", values.first ?? "1");
  return { seeds, first, trace: values.trace };
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Error(`--${name} must be a whole number: found ${text}\n${USAGE}`);
}

// Thousands of refusals are made on purpose, and nobody reads their stacks.
Error.stackTraceLimit = 0;
main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
