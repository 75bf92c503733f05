import type { ChildProcess } from "node:child_process";
import { Random } from "../../src/routing/random.ts";
import { heldIn } from "../support/open-sums.ts";
import { BENCH_KEY } from "./bench-config.ts";
import { FaultyClients, type FaultyRequest, type Seen } from "./inject-faults-client.ts";
import { FaultyFleet } from "./inject-faults-fleet.ts";
import { told, wrongIn } from "./inject-faults-verdict.ts";
import { PHASES } from "./soak-client.ts";
import { sampleOf, startWatchedRouter } from "./watched-children.ts";
import type { LoggedEnd, RouterSample } from "./watched-router.ts";

/**
 * Requests of all kinds through workers and networks that fail at random, some given up by their
 * clients, until so many faults were injected. Each accepted request must have one outcome, the one
 * that its client saw, and afterwards nothing may be left.
 */
const FAULTS = Number(process.argv[2] ?? 10_000);
const SEED = Number(process.argv[3] ?? 1);
const WORKERS = 4;
const SLOTS = 32;
const IMPATIENT = {
  ROUTER__REQUEST_ROUTER__RETRY_DELAY: "0.01",
  ROUTER__REQUEST_ROUTER__REQUEST_TIMEOUT: "0.5",
  ROUTER__REQUEST_ROUTER__STREAM_IDLE_TIMEOUT: "0.2",
  ROUTER__ERROR_HANDLER__GPU_COOLDOWN_PERIOD: "0.2",
  ROUTER__GPU_MONITORING__UPDATE_INTERVAL: "0.2",
};
const CONCURRENCY = 192;
const LEFT_SHARE = 0.3;
const FAULT_SHARE = 0.4;
const KINDS = ["json", "stream", "job"] as const;
/** One worker's network changes after so many requests. */
const SHAKEN_EVERY = 20;
const HEALTH_EVERY_MS = 100;
/** Timers that come and go with polls. */
const SLACK = 4;
const SHOWN_VIOLATIONS = 10;

const random = new Random(SEED);

interface Outcome {
  readonly request: FaultyRequest;
  readonly seen: Seen;
}

async function main(): Promise<boolean> {
  const startedAtMs = performance.now();
  const fleet = new FaultyFleet({
    ...{ random, workers: WORKERS, faultShare: FAULT_SHARE },
    onHeld: (number) => clients.held(number),
  });
  const { process: router, url } = await startWatchedRouter({
    ...{ workerUrls: await fleet.start(), slots: SLOTS },
    env: IMPATIENT,
  });
  const clients = new FaultyClients(url);
  try {
    const before = await sampleOf(router);
    const health = watchHealth(url);
    const outcomes = await sendAll(clients, fleet);
    const healthMs = await health.slowestMs();
    const { lateMs, ends } = await sampleOf(router);
    await fleet.heal();
    clients.close();
    const { after, left } = await settled(router, { url, before, fleet });
    const violations = [
      ...wrongOutcomes(outcomes, [...ends, ...after.ends]),
      ...after.errors.map((error) => `logged as our defect: ${error}`),
      ...left,
    ];
    const tookS = (performance.now() - startedAtMs) / 1000;
    report({ outcomes, fleet, violations, healthMs, lateMs, tookS });
    return violations.length === 0;
  } finally {
    router.kill("SIGKILL");
    await fleet.close();
  }
}

async function sendAll(clients: FaultyClients, fleet: FaultyFleet): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  let left = 0;
  const lane = async (): Promise<void> => {
    while (left + fleet.faults < FAULTS) {
      const request = drawn((next += 1));
      if (request.phase !== null) left += 1;
      if (next % SHAKEN_EVERY === 0) await fleet.shake();
      outcomes.push({ request, seen: await clients.send(request) });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return outcomes;
}

function drawn(number: number): FaultyRequest {
  const kind = KINDS[Math.floor(random.next() * KINDS.length)]!;
  const leaves = random.next() < LEFT_SHARE;
  const phase = leaves ? PHASES[Math.floor(random.next() * PHASES.length)]! : null;
  return { number, id: `fault-${SEED}-${number}`, kind, phase, moment: random.next() };
}

function wrongOutcomes(outcomes: readonly Outcome[], ends: readonly LoggedEnd[]): string[] {
  const byId = Map.groupBy(ends, ({ id }) => id);
  return outcomes.flatMap(({ request, seen }) => {
    const wrong = wrongIn(request, seen, byId.get(request.id) ?? []);
    return wrong === null ? [] : [`${request.id}: ${wrong}`];
  });
}

interface Quiet {
  readonly url: string;
  readonly before: RouterSample;
  readonly fleet: FaultyFleet;
}

/** Waits until nothing is left; what is left after that is a leak. */
async function settled(router: ChildProcess, { url, before, fleet }: Quiet) {
  const ends: LoggedEnd[] = [];
  for (let tries = 0; ; tries++) {
    const after = await sampleOf(router);
    ends.push(...after.ends);
    const held = Object.entries(await heldNow(url));
    const left = [
      ...held.map(([name, value]) => `left behind: ${name} ${value}`),
      ...moreThan(0, "requests at workers", fleet.openRequests),
      ...moreThan(before.timers + SLACK, "timers", after.timers),
      ...moreThan(before.listeners, "listeners", after.listeners),
      // Polls keep a connection to each worker; so may the last of these questions.
      ...moreThan(before.sockets + WORKERS + 1, "sockets", after.sockets),
    ];
    // Idle connections to workers are closed after 4 s, by design.
    if (left.length === 0 || tries === 100) return { after: { ...after, ends }, left };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function moreThan(most: number, what: string, value: number): string[] {
  return value <= most ? [] : [`left behind: ${value} ${what}, at most ${most} expected`];
}

async function heldNow(url: string): Promise<Readonly<Record<string, number>>> {
  const headers = {
    authorization: `Bearer ${BENCH_KEY}`,
    accept: "text/plain",
    connection: "close",
  };
  return heldIn(await (await fetch(`${url}/api/v1/metrics`, { headers })).text());
}

/** Asks all the while; the router must answer whatever its workers do. */
function watchHealth(url: string): { readonly slowestMs: () => Promise<number> } {
  const stopped = new AbortController();
  const watch = async (): Promise<number> => {
    let slowestMs = 0;
    while (!stopped.signal.aborted) {
      const sentAtMs = performance.now();
      await (await fetch(`${url}/health`, { headers: { connection: "close" } })).arrayBuffer();
      slowestMs = Math.max(slowestMs, performance.now() - sentAtMs);
      await new Promise((resolve) => setTimeout(resolve, HEALTH_EVERY_MS));
    }
    return slowestMs;
  };
  const watched = watch();
  return {
    slowestMs() {
      stopped.abort();
      return watched;
    },
  };
}

function report(result: {
  readonly outcomes: readonly Outcome[];
  readonly fleet: FaultyFleet;
  readonly violations: readonly string[];
  readonly healthMs: number;
  readonly lateMs: number;
  readonly tookS: number;
}): void {
  const { outcomes, fleet, violations, healthMs, lateMs, tookS } = result;
  say(`seed ${SEED}, ${outcomes.length} requests in ${tookS.toFixed(1)} s\n\nwhat clients saw:`);
  const seen = Map.groupBy(outcomes, ({ request, seen: it }) => `${request.kind}: ${told(it)}`);
  table([...seen].map(([name, all]) => [name, all.length]));
  say("\nfaults:");
  table([...fleet.counts]);
  const left = outcomes.filter(({ request }) => request.phase !== null).length;
  table([["client leaves or cancels", left]]);
  say(`\n${left + fleet.faults} faults`);
  say(`slowest /health ${healthMs.toFixed(0)} ms, event loop at most ${lateMs.toFixed(0)} ms late`);
  for (const violation of violations.slice(0, SHOWN_VIOLATIONS)) say(`VIOLATION ${violation}`);
  say(
    violations.length === 0
      ? "each request had one outcome, and nothing is left"
      : `${violations.length} VIOLATIONS; again with: npm run inject:faults ${FAULTS} ${SEED}`,
  );
}

function table(rows: readonly (readonly [string, number])[]): void {
  for (const [name, count] of rows.toSorted(([a], [b]) => a.localeCompare(b))) {
    say(`  ${name.padEnd(44)} ${count}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = (await main()) ? 0 : 1;
