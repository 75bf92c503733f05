import { FairShare } from "../../src/admission/fair-share.ts";
import type { Waiter, WaitRequest } from "../../src/admission/place.ts";
import { Queue } from "../../src/admission/queue.ts";
import { systemClock } from "../../src/clock.ts";
import { Deadlines } from "../../src/dispatch/deadlines.ts";
import { Random } from "../../src/routing/random.ts";

/**
 * What an operation of the queue costs where few wait, and where very many do: interleaved rounds of one
 * run, and the best of each, because whatever else the machine does only adds.
 */
const ROUNDS = Number(process.argv[2] ?? 15);
const OPERATIONS = 20_000;
const SIZES = [
  { waiting: 100, users: 100 },
  { waiting: 10_000, users: 1000 },
  { waiting: 100_000, users: 1000 },
] as const;

interface Costs {
  readonly waitAndLeaveUs: number;
  readonly slotUs: number;
  readonly positionUs: number;
}

function main(): void {
  const lines = SIZES.map((size) => ({ size, queue: createFullQueue(size) }));
  const best = lines.map((): Costs[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    lines.forEach(({ queue }, at) => best[at]!.push(measure(queue)));
  }
  const costs = best.map(bestOf);
  print("     waiting   users   wait + leave   slot freed + place + wait   position");
  costs.forEach(({ waitAndLeaveUs, slotUs, positionUs }, at) => {
    const { waiting, users } = SIZES[at]!;
    const figures = [us(waitAndLeaveUs, 14), us(slotUs, 27), us(positionUs, 10)].join("");
    print(`${String(waiting).padStart(12)}${String(users).padStart(8)} ${figures}`);
  });
  const [few, many] = [costs[0]!, costs.at(-1)!];
  const ratio = (cost: (of: Costs) => number, width: number): string =>
    (cost(many) / cost(few)).toFixed(2).padStart(width);
  const ratios = ratio((of) => of.waitAndLeaveUs, 14) + ratio((of) => of.slotUs, 27);
  // Where a request stands is looked up only for those who ask, and looks at all users.
  print(`${"ratio".padStart(20)} ${ratios}`);
}

const LIMITS = { maxRequests: 1_000_000, maxBytes: 1e12, userShare: 1, ageingMs: 30_000 };

type FullQueue = ReturnType<typeof createFullQueue>;

/** Users at random, so that nothing comes in an order that suits a heap. */
function createFullQueue({ waiting, users }: { readonly waiting: number; readonly users: number }) {
  const random = new Random(1);
  const fairShare = new FairShare();
  let slots = 0;
  const queue = new Queue({
    ...{ clock: systemClock, wheel: new Deadlines(systemClock), fairShare },
    limits: () => LIMITS,
    placementsOf: () => [],
  });
  const startMs = systemClock.now();
  /** One for each user: what the callers make for themselves is not measured. */
  const requests = Array.from({ length: users }, (_, i): WaitRequest => {
    const account = fairShare.of(`user-${i}`, "m");
    return {
      ...{ user: account.user, classKey: "m", model: "m", band: 3, bytes: 1000 },
      ...{ acceptedAtMs: startMs, deadlineAtMs: startMs + 3_600_000 },
      ...{ isRetry: false, atUserLimit: false },
      place() {
        if (slots === 0) return "no_slot";
        slots -= 1;
        fairShare.settle(account, fairShare.charge(account), null);
        queue.reorder(account);
        return "placed";
      },
      onEnd: () => undefined,
    };
  });
  const wait = (): Waiter => queue.wait(requests[random.nextUint32() % users]!);
  const freeSlot = (): void => {
    slots += 1;
    queue.slotFreed(0, () => true);
  };
  for (let i = 0; i < waiting; i++) wait();
  return { wait, freeSlot };
}

function measure({ wait, freeSlot }: FullQueue): Costs {
  const waiter = wait();
  const positionUs = perCallUs(() => waiter.position(), OPERATIONS / 100);
  waiter.leave();
  const waitAndLeaveUs = perCallUs(() => wait().leave(), OPERATIONS);
  const slotUs = perCallUs(() => {
    freeSlot();
    wait();
  }, OPERATIONS);
  return { waitAndLeaveUs, slotUs, positionUs };
}

function perCallUs(call: () => void, calls: number): number {
  const startMs = systemClock.now();
  for (let i = 0; i < calls; i++) call();
  return ((systemClock.now() - startMs) * 1000) / calls;
}

function bestOf(rounds: readonly Costs[]): Costs {
  const least = (cost: (round: Costs) => number): number => Math.min(...rounds.map(cost));
  return {
    waitAndLeaveUs: least((round) => round.waitAndLeaveUs),
    slotUs: least((round) => round.slotUs),
    positionUs: least((round) => round.positionUs),
  };
}

function us(value: number, width: number): string {
  return `${value.toFixed(2)} µs`.padStart(width);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main();
