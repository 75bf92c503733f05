import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { SteadyLoad, type Served } from "./kill-worker-load.ts";
import {
  sampleOf,
  startServer,
  startWatchedRouter,
  type StartedChild,
} from "./watched-children.ts";
import type { RouterSample } from "./watched-router.ts";

/**
 * One of four workers is killed under load, and started again, many times. No client may notice but
 * those whose stream had begun, and these must be told at once.
 */
const TIMES = Number(process.argv[2] ?? 20);
const WORKERS = 4;
const SLOTS = 16;
const LOAD = 0.7;
const EVENT_MS_GOAL = 100;
const NEWLY_SENT_GOAL = 5;
/** From the start until the kill. */
const STEADY_MS = 1_000;
/** After the kill: what was under way is over, and tried again. */
const AFTERMATH_MS = 2_000;
/** Refusals later than this after a worker is out are its probes; earlier ones were on their way. */
const PROBES_AFTER_MS = 250;
const BACK_WITHIN_MS = 20_000;

const QUICK_BACK = {
  ROUTER__ERROR_HANDLER__GPU_COOLDOWN_PERIOD: "0.5",
  ROUTER__GPU_MONITORING__UPDATE_INTERVAL: "0.2",
};

interface Round {
  /** Without a first byte, and yet an error for the client. */
  readonly unserved: number;
  /** Streams that had begun on the killed worker. */
  readonly cutStreams: number;
  /** Of these, without our error event. */
  readonly untold: number;
  /** From the kill to the last error event; 0 = no stream was cut. */
  readonly slowestEventMs: number;
  /** Tries that broke when it was killed. */
  readonly inFlight: number;
  /** Tries on it, until it was out, of requests that clients sent after its death. */
  readonly newlySent: number;
  /** The same of requests that had been sent before. */
  readonly triedAgain: number;
  readonly retries: number;
  /** From its start to the first answer from it. */
  readonly backMs: number;
  /** Lines of level error. */
  readonly errors: number;
}

async function main(): Promise<boolean> {
  const workers = await Promise.all(
    Array.from({ length: WORKERS }, () => startServer("kill-worker-server.ts", [])),
  );
  try {
    const rounds: Round[] = [];
    for (let index = 0; index < TIMES; index++)
      rounds.push(await killRound(workers, index % WORKERS));
    return report(rounds);
  } finally {
    for (const { process: child } of workers) child.kill("SIGKILL");
  }
}

/** With a router of its own: one that has just got a worker back is still careful with it. */
async function killRound(workers: StartedChild[], index: number): Promise<Round> {
  const workerUrls = workers.map(({ url }) => url);
  const router = await startWatchedRouter({ workerUrls, slots: SLOTS, env: QUICK_BACK });
  const load = new SteadyLoad(router.url, Math.round(WORKERS * SLOTS * LOAD));
  try {
    await pause(STEADY_MS);
    const outcome = await killOne({ router: router.process, load, workers, index });
    await load.stop();
    return outcome;
  } finally {
    router.process.kill("SIGKILL");
  }
}

interface Stage {
  readonly router: ChildProcess;
  readonly load: SteadyLoad;
  readonly workers: StartedChild[];
  /** Of the worker to be killed. */
  readonly index: number;
}

async function killOne({ router, load, workers, index }: Stage): Promise<Round> {
  const { process: victim, url } = workers[index]!;
  await sampleOf(router);
  const from = load.served.length;
  const killedAtMs = performance.now();
  victim.kill("SIGKILL");
  await once(victim, "exit");
  await pause(AFTERMATH_MS);
  const sample = await sampleOf(router);
  const served = load.served.slice(from);
  const startedAtMs = performance.now();
  workers[index] = await startServer("kill-worker-server.ts", [new URL(url).port]);
  await servesAgain(load, `worker-${index}`);
  const sentAfter = new Set(
    served.filter(({ sentAtMs }) => sentAtMs > killedAtMs).map(({ id }) => id),
  );
  return {
    ...seenByClients(served, killedAtMs),
    ...triesOnVictim({ ...sample, victim: `worker-${index}`, isNew: (id) => sentAfter.has(id) }),
    retries: sample.ends.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0),
    backMs: performance.now() - startedAtMs,
    errors: sample.errors.length,
  };
}

interface Aftermath extends RouterSample {
  readonly victim: string;
  /** Sent after its death. */
  readonly isNew: (requestId: string) => boolean;
}

/** Refused connections were begun after its death, the others broke with it. */
function triesOnVictim({ victim, isNew, failures, outs }: Aftermath) {
  const onVictim = failures.filter(({ workerId }) => workerId === victim);
  const refused = onVictim.filter(({ failure }) => failure.includes("ECONNREFUSED"));
  const outAtMs = outs.find(({ workerId }) => workerId === victim)?.atMs ?? Infinity;
  const early = refused.filter(({ atMs }) => atMs < outAtMs + PROBES_AFTER_MS);
  const newlySent = early.filter(({ requestId }) => isNew(requestId)).length;
  return {
    inFlight: onVictim.length - refused.length,
    newlySent,
    triedAgain: early.length - newlySent,
  };
}

function seenByClients(served: readonly Served[], killedAtMs: number) {
  const unserved = served.filter(({ stream, status, end }) => {
    return status !== 200 || (!stream && end !== "whole");
  });
  const cut = served.filter(
    ({ stream, status, end }) => stream && status === 200 && end !== "whole",
  );
  return {
    unserved: unserved.length,
    cutStreams: cut.length,
    untold: cut.filter(({ end }) => end === "cut").length,
    slowestEventMs: Math.max(0, ...cut.map(({ endedAtMs }) => endedAtMs - killedAtMs)),
  };
}

async function servesAgain({ served }: SteadyLoad, workerId: string): Promise<void> {
  const from = served.length;
  const untilMs = performance.now() + BACK_WITHIN_MS;
  while (performance.now() < untilMs) {
    if (served.slice(from).some((one) => one.workerId === workerId)) return;
    await pause(50);
  }
  throw new Error(`${workerId} gets nothing, ${BACK_WITHIN_MS / 1000} s after it came back`);
}

function report(rounds: readonly Round[]): boolean {
  const sum = (of: (round: Round) => number): number => rounds.reduce((all, r) => all + of(r), 0);
  const most = (of: (round: Round) => number): number => Math.max(0, ...rounds.map(of));
  const unserved = sum((round) => round.unserved);
  const untold = sum((round) => round.untold);
  const slowestEventMs = most((round) => round.slowestEventMs);
  const errors = sum((round) => round.errors);
  const newlySent = most((round) => round.newlySent);
  const rows: readonly (readonly [what: string, value: number, goal: string])[] = [
    ["workers killed", rounds.length, ""],
    ["failures without a first byte", unserved, "goal 0"],
    ["newly sent to a dead worker, at most", newlySent, `goal ${NEWLY_SENT_GOAL}`],
    ["newly sent to dead workers, in all", sum((round) => round.newlySent), ""],
    ["tried again on dead workers, in all", sum((round) => round.triedAgain), ""],
    ["broken with them, in all", sum((round) => round.inFlight), ""],
    ["retries, in all", sum((round) => round.retries), ""],
    ["streams cut, in all", sum((round) => round.cutStreams), ""],
    ["of these without an error event", untold, "goal 0"],
    ["kill to error event, ms, at most", slowestEventMs, `goal ${EVENT_MS_GOAL}`],
    ["start to first answer, ms, at most", most((round) => round.backMs), ""],
    ["errors logged", errors, "goal 0"],
  ];
  for (const [what, value, goal] of rows) {
    process.stdout.write(
      `  ${what.padEnd(40)} ${String(Math.round(value)).padStart(7)}  ${goal}\n`,
    );
  }
  const isGood =
    unserved + untold + errors === 0 &&
    newlySent <= NEWLY_SENT_GOAL &&
    slowestEventMs <= EVENT_MS_GOAL;
  process.stdout.write(isGood ? "all goals met\n" : "MISSED A GOAL\n");
  return isGood;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.exitCode = (await main()) ? 0 : 1;
