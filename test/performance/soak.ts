import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openSums } from "../support/open-sums.ts";
import { BENCH_KEY } from "./bench-config.ts";
import { PHASES, SoakClient, type Phase, type SoakRequest } from "./soak-client.ts";
import type { SoakSample } from "./soak-router.ts";

/**
 * Requests through real sockets, 30 % of them aborted at a random moment. Afterwards nothing may be
 * left: no lease, no reservation, no socket, timer or listener, and no memory that grew with them.
 */
const REQUESTS = Number(process.argv[2] ?? 1_000_000);
const SEED = Number(process.argv[3] ?? 1);
const CONCURRENCY = 96;
const ABORTED_SHARE = 0.3;
const SAMPLES = 10;
/** Beyond it the heap leaks: one object kept by each request is more, the noise of 1e5 requests less. */
const SLOPE_MAX_BYTES = 64;

const random = mulberry32(SEED);

async function main(): Promise<boolean> {
  const workers = start("soak-workers.ts", []);
  const { urls } = (await nextMessage(workers)) as { urls: string[] };
  const router = start("soak-router.ts", urls, ["--expose-gc"]);
  const [url = ""] = ((await nextMessage(router)) as { urls: string[] }).urls;
  const client = new SoakClient(url);
  workers.on("message", ({ arrived }: { arrived: number }) => client.arrived(arrived));
  try {
    const before = await quietSample(router, url);
    const { outcomes, samples } = await soak({ client, router, url });
    client.close();
    return report({ before, samples, outcomes, leaks: await leaksOf(url) });
  } finally {
    workers.kill("SIGKILL");
    router.kill("SIGKILL");
  }
}

async function soak({
  client,
  router,
  url,
}: {
  client: SoakClient;
  router: ChildProcess;
  url: string;
}) {
  const outcomes = new Map<string, number>();
  const samples: SoakSample[] = [];
  let next = 0;
  for (let part = 1; part <= SAMPLES; part++) {
    const until = Math.round((REQUESTS * part) / SAMPLES);
    const user = async (): Promise<void> => {
      while (next < until) {
        const request = drawn((next += 1));
        const kind = `${request.stream ? "stream" : "json"}, ${request.phase ?? "whole"}`;
        const key = `${kind}: ${await client.send(request)}`;
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, user));
    samples.push(await quietSample(router, url));
    process.stdout.write(`${until} requests, heap ${mib(samples.at(-1)!.heapBytes)} MiB\n`);
  }
  return { outcomes, samples };
}

function drawn(id: number): SoakRequest {
  const stream = random() < 0.5;
  const aborted = random() < ABORTED_SHARE;
  const phase: Phase = aborted ? PHASES[Math.floor(random() * PHASES.length)]! : null;
  return { id, stream, phase };
}

/** Once the router has nothing under way: what it then still holds is kept, or leaked. */
async function quietSample(router: ChildProcess, url: string): Promise<SoakSample> {
  for (let tries = 0; tries < 200; tries++) {
    if (Object.values(await leaksOf(url)).every((value) => value === 0)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  router.send("sample");
  return (await nextMessage(router)) as SoakSample;
}

async function leaksOf(url: string): Promise<Readonly<Record<string, number>>> {
  const headers = {
    authorization: `Bearer ${BENCH_KEY}`,
    accept: "text/plain",
    connection: "close",
  };
  return openSums(await (await fetch(`${url}/api/v1/metrics`, { headers })).text());
}

function report(result: {
  before: SoakSample;
  samples: readonly SoakSample[];
  outcomes: ReadonlyMap<string, number>;
  leaks: Readonly<Record<string, number>>;
}): boolean {
  const { before, samples, outcomes, leaks } = result;
  const last = samples.at(-1)!;
  const slope = slopePerRequest(samples.map(({ heapBytes }) => heapBytes));
  for (const [outcome, count] of sortedByName(outcomes)) print(outcome, count);
  process.stdout.write("\nleft behind:\n");
  for (const [name, value] of Object.entries(leaks)) print(name, value);
  print("timers more than before", last.timers - before.timers);
  print("listeners more than before", last.listeners - before.listeners);
  print("sockets (kept alive; bound by concurrency)", last.sockets);
  print("heap slope, bytes per request", Math.round(slope * 10) / 10);
  const isClean =
    Object.values(leaks).every((value) => value === 0) &&
    last.timers <= before.timers + SLACK &&
    last.listeners <= before.listeners &&
    last.sockets <= 3 * CONCURRENCY &&
    slope <= SLOPE_MAX_BYTES &&
    [...outcomes.keys()].every((key) => !/error|status/.test(key));
  process.stdout.write(isClean ? "\nnothing leaked\n" : "\nLEAKED, or requests failed\n");
  return isClean;
}

function sortedByName(outcomes: ReadonlyMap<string, number>): [string, number][] {
  return [...outcomes].toSorted(([a], [b]) => a.localeCompare(b));
}

/** Timers that come and go with polls. */
const SLACK = 2;

/** Least squares over the second half: the first fills caches. */
function slopePerRequest(heap: readonly number[]): number {
  const half = heap.slice(Math.floor(heap.length / 2));
  const meanX = (half.length - 1) / 2;
  const meanY = half.reduce((sum, y) => sum + y, 0) / half.length;
  const covariance = half.reduce((sum, y, x) => sum + (x - meanX) * (y - meanY), 0);
  const variance = half.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return covariance / variance / (REQUESTS / SAMPLES);
}

function start(
  file: string,
  args: readonly string[],
  execArgv: readonly string[] = [],
): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return fork(path, args, {
    execArgv: [...execArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("message", resolve));
}

function print(what: string, value: number): void {
  process.stdout.write(`  ${what.padEnd(48)} ${value}\n`);
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** A small seeded generator, so that a run can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

process.exitCode = (await main()) ? 0 : 1;
