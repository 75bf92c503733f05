import { startChild } from "./cpu-child.ts";
import { startLoggingRouter, type LoggingRouter } from "./log-sink-child.ts";
import { PacedLoad } from "./log-sink-load.ts";
import { BenchSink, type SinkState } from "./log-sink-service.ts";

/**
 * What a Logging Service in trouble, or a stdout that nobody reads, costs the router: CPU time and
 * memory against a healthy service, in interleaved rounds of one run. Each round ends with the
 * trouble, so that what waited is sent, and every line is accounted for.
 */
const ROUNDS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 20);
const PER_SECOND = Number(process.argv[4] ?? 500);
/** Until the compiler has done its work: what follows would else look cheaper than the first round. */
const WARM_UP_S = 40;

const STATES = ["healthy", "down", "hung", "slow", "stdout blocked"] as const;
type State = (typeof STATES)[number];

const MIB = 1024 * 1024;
const MEMORY_GOAL_BYTES = 32 * MIB;
const CPU_GOAL = 1.05;
const CATCH_UP_GOAL_S = 5;
/** No more waits where all is well: a second's lines, and some. */
const CAUGHT_UP_BYTES = PER_SECOND * 600;
const PATIENCE_S = 60;

interface Round {
  readonly state: State;
  /** Per request. */
  readonly cpuUs: number;
  /** Median of the second half of the round: from one collection to the next it is up and down. */
  readonly rssBytes: number;
  /** After a collection, at the end of the round. */
  readonly heapBytes: number;
  readonly backlogBytes: number;
  /** From the end of the trouble until no more waited than ever. */
  readonly catchUpS: number;
  readonly lines: Lines;
  readonly failed: number;
}

/** Since the start of the router. */
interface Lines {
  /** Read from its stdout, or dropped there. */
  readonly made: number;
  readonly shipped: number;
  readonly dropped: number;
  readonly droppedByStdout: number;
  /** By the sink's own count. */
  readonly taken: number;
}

interface Stage {
  readonly router: LoggingRouter;
  readonly sink: BenchSink;
}

async function main(): Promise<boolean> {
  const sink = new BenchSink();
  await sink.become("healthy");
  const upstream = await startChild("upstream.ts", []);
  const router = await startLoggingRouter(sink.url, upstream.urls);
  try {
    await measure("healthy", WARM_UP_S, { router, sink });
    const rounds: Round[] = [];
    for (let index = 0; index < ROUNDS; index++) {
      // Each in turn is the first of its cycle: what drifts meanwhile then meets all alike.
      const first = index % STATES.length;
      for (const state of [...STATES.slice(first), ...STATES.slice(0, first)]) {
        const round = await measure(state, SECONDS, { router, sink });
        rounds.push(round);
        print(`${index + 1} ${told(round)}`);
      }
    }
    return report(rounds);
  } finally {
    router.stop();
    upstream.stop();
    await sink.become("down");
  }
}

async function measure(state: State, seconds: number, stage: Stage): Promise<Round> {
  const { router, sink } = stage;
  await begin(state, stage);
  const load = new PacedLoad(router.url, PER_SECOND);
  const before = await router.sample("counts");
  const rss: number[] = [];
  for (let second = 0; second < seconds; second++) {
    await pause(1);
    rss.push((await router.sample("counts")).rssBytes);
  }
  const { served } = load;
  const after = await router.sample("counts");
  const { heapBytes, counts } = await router.sample("memory");
  await end(stage);
  const catchUpS = await caughtUp(router);
  await load.stop();
  const lines = await allLines(router, sink);
  return {
    ...{ state, heapBytes, catchUpS, lines },
    rssBytes: median(rss.slice(Math.floor(seconds / 2))),
    cpuUs: (after.cpuUs - before.cpuUs) / served,
    backlogBytes: counts.backlogBytes,
    failed: load.failed,
  };
}

async function begin(state: State, { router, sink }: Stage): Promise<void> {
  const sinkStates: Partial<Record<State, SinkState>> = {
    down: "down",
    hung: "hung",
    slow: "slow",
  };
  await sink.become(sinkStates[state] ?? "healthy");
  if (state === "stdout blocked") router.pauseReading();
}

async function end({ router, sink }: Stage): Promise<void> {
  await sink.become("healthy");
  router.resumeReading();
}

/** Seconds, under load as before. */
async function caughtUp(router: LoggingRouter): Promise<number> {
  const startedAtMs = performance.now();
  const elapsedS = (): number => (performance.now() - startedAtMs) / 1000;
  while ((await router.sample("counts")).counts.backlogBytes > CAUGHT_UP_BYTES) {
    if (elapsedS() > PATIENCE_S) return Infinity;
    await pause(0.05);
  }
  return elapsedS();
}

/** Once nothing waits any more, on either way. */
async function allLines(router: LoggingRouter, sink: BenchSink): Promise<Lines> {
  for (let last = -1, tries = 0; tries < PATIENCE_S; tries++) {
    await pause(1);
    const { counts } = await router.sample("counts");
    const { shipped, droppedByService: dropped, droppedByStdout, backlogBytes } = counts;
    const made = router.linesRead + droppedByStdout;
    const isQuiet = backlogBytes === 0 && made === last;
    if (isQuiet) return { made, shipped, dropped, droppedByStdout, taken: sink.linesTaken };
    last = made;
  }
  throw new Error(`lines still wait after ${PATIENCE_S} s`);
}

function report(rounds: readonly Round[]): boolean {
  const of = (state: State): readonly Round[] => rounds.filter((round) => round.state === state);
  const healthy = of("healthy");
  print("\nagainst the healthy round of the same cycle, median of the cycles; catching up at most");
  let isGood = true;
  for (const state of STATES.slice(1)) {
    const cpu = median(of(state).map(({ cpuUs }, index) => cpuUs / healthy[index]!.cpuUs));
    const grown = (key: "rssBytes" | "heapBytes"): number =>
      median(of(state).map((round, index) => round[key] - healthy[index]![key]));
    const catchUpS = Math.max(...of(state).map((round) => round.catchUpS));
    const [rss, heap] = [grown("rssBytes"), grown("heapBytes")];
    print(
      `  ${state.padEnd(15)} CPU x ${cpu.toFixed(3)}  RSS ${mib(rss)} MiB  heap ${mib(heap)} MiB  ` +
        `caught up in ${catchUpS.toFixed(1)} s`,
    );
    isGood &&= cpu <= CPU_GOAL && rss <= MEMORY_GOAL_BYTES && catchUpS <= CATCH_UP_GOAL_S;
  }
  const wrong = rounds.filter(({ lines }) => !isExact(lines));
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0);
  const last = rounds.at(-1)!.lines;
  print(
    `\nlines: ${last.made} made = ${last.shipped} shipped + ${last.dropped} dropped; ` +
      `the service took ${last.taken}; ${wrong.length} rounds do not add up`,
  );
  print(`requests that failed: ${failed}`);
  isGood &&= wrong.length === 0 && failed === 0;
  print(isGood ? "goals met" : "GOALS NOT MET");
  return isGood;
}

/** None was taken twice here: a batch that hangs or is broken off is not taken. */
function isExact({ made, shipped, dropped, taken }: Lines): boolean {
  return made === shipped + dropped && taken === shipped;
}

function told(round: Round): string {
  const { state, cpuUs, rssBytes, heapBytes, backlogBytes, catchUpS, lines } = round;
  const wrong = isExact(lines) ? "" : `  LINES DO NOT ADD UP ${JSON.stringify(lines)}`;
  return (
    `${state.padEnd(15)} ${cpuUs.toFixed(1).padStart(6)} µs  RSS ${mib(rssBytes)}  ` +
    `heap ${mib(heapBytes)}  backlog ${mib(backlogBytes)} MiB  back in ${catchUpS.toFixed(1)} s  ` +
    `dropped ${lines.dropped}, by stdout ${lines.droppedByStdout}${wrong}`
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = (await main()) ? 0 : 1;
