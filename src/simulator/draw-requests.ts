import type { Band } from "../routing/stages.ts";
import type { Dice } from "./dice.ts";
import type { RequestPlan } from "./scene.ts";

export interface RequestTerms {
  readonly users: readonly string[];
  readonly untilMs: number;
}

const GIB = 2 ** 30;

/** Some dozens of requests of all kinds, evenly spread or in bursts. */
export function drawRequests(dice: Dice, { users, untilMs }: RequestTerms): RequestPlan[] {
  const count = dice.whole(15, 45);
  const isBursty = dice.chance(0.4);
  const leaving = dice.pick([0, 0.1, 0.4]);
  const kinds = [
    ["json", 4],
    ["stream", 4],
    ["job", 2],
    ["placement", dice.pick([0, 1])],
  ] as const;
  let atMs = dice.between(0, 2000);
  return Array.from({ length: count }, () => {
    const isNext = !isBursty || dice.chance(0.2);
    if (isNext) atMs = (atMs + dice.exponential(isBursty ? 4000 : 900)) % untilMs;
    return { atMs, ...drawRequest(dice, dice.weighted(kinds), leaving), user: dice.pick(users) };
  });
}

function drawRequest(
  dice: Dice,
  kind: RequestPlan["kind"],
  leaving: number,
): Omit<RequestPlan, "atMs" | "user"> {
  const isLong = kind === "placement" || dice.chance(0.3);
  return {
    kind,
    model: dice.weighted(MODELS),
    band: dice.whole(1, 5) as Band,
    timeoutMs: isLong ? dice.between(8000, 20_000) : dice.between(300, 6000),
    queueMs: dice.between(500, 20_000),
    memoryBytes: dice.chance(0.1) ? dice.pick([GIB, 30 * GIB, 100 * GIB]) : null,
    items: kind === "job" && dice.chance(0.2) ? dice.whole(2, 4) : 1,
    isPoison: dice.chance(0.05),
    leavesAfterMs: dice.chance(leaving) ? dice.exponential(1500) : null,
    completesAfterMs: dice.chance(0.8) ? dice.exponential(3000) : null,
    stalls: dice.weighted(STALLS),
  };
}

const MODELS = [
  ["m", 12],
  ["n", 3],
  ["nobody", 0.3],
] as const;

const STALLS: readonly (readonly [RequestPlan["stalls"], number])[] = [
  [{ share: 0, forMs: 0 }, 8],
  [{ share: 0.3, forMs: 300 }, 1],
  [{ share: 0.3, forMs: 90_000 }, 0.2],
];
