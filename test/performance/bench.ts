import autocannon from "autocannon";
import { BENCH_KEY } from "./bench-config.ts";
import { startChild, type CpuChild } from "./cpu-child.ts";
import { measureShares } from "./shares.ts";

/**
 * CPU time per routed chat completion, everything on, against the least that a proxy in Node can do,
 * both under load at once, from one client: what else the machine does, and how awake workers and
 * client are, is then the same for both. The faster one still gets more requests, and so larger batches.
 * Wall-clock time on a shared machine says little; CPU time does.
 */
const ROUNDS = Number(process.argv[2] ?? 15);
/** Until the compilers are done with the router, which has more to be compiled. */
const WARM_UP_REQUESTS = 60_000;
const ROUND_S = 2;
/** To each of the two. */
const CONNECTIONS = 16;
/** About a kilobyte, as a short chat. */
const body = JSON.stringify({
  model: "bench",
  messages: [{ role: "user", content: "Tell me about GPUs. ".repeat(50) }],
});

async function main(): Promise<void> {
  const children: CpuChild[] = [];
  const start = async (file: string, args: readonly string[]): Promise<CpuChild> => {
    const child = await startChild(file, args);
    children.push(child);
    return child;
  };
  try {
    const { urls } = await start("upstream.ts", []);
    const bare = await start("bare-proxy.ts", urls);
    const router = await start("whole-router.ts", urls);
    for (const proxy of [bare, router]) await load(proxy, { amount: WARM_UP_REQUESTS });
    const rounds: Round[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const [bareUs, routerUs] = await Promise.all([cpuPerRequest(bare), cpuPerRequest(router)]);
      rounds.push({ bareUs, routerUs });
      print(`round ${i + 1}: bare ${us(bareUs)}  router ${us(routerUs)}`);
    }
    report(rounds);
  } finally {
    for (const child of children) child.stop();
  }
}

interface Round {
  readonly bareUs: number;
  readonly routerUs: number;
}

async function cpuPerRequest(proxy: CpuChild): Promise<number> {
  const beforeUs = await proxy.cpuUs();
  const requests = await load(proxy, { duration: ROUND_S });
  return ((await proxy.cpuUs()) - beforeUs) / requests;
}

/** How many were answered. Anything but 200 spoils the run. */
async function load(
  proxy: CpuChild,
  until: { readonly amount: number } | { readonly duration: number },
): Promise<number> {
  const result = await autocannon({
    url: `${proxy.urls[0]}/v1/chat/completions`,
    method: "POST",
    headers: { authorization: `Bearer ${BENCH_KEY}`, "content-type": "application/json" },
    body,
    connections: CONNECTIONS,
    ...until,
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${result.non2xx} refusals and ${result.errors} errors at ${proxy.urls[0]}`);
  }
  return result["2xx"];
}

function report(rounds: readonly Round[]): void {
  const ratios = rounds.map(({ bareUs, routerUs }) => routerUs / bareUs).toSorted((a, b) => a - b);
  const routerUs = median(rounds.map((round) => round.routerUs));
  print(`bare   ${us(median(rounds.map((round) => round.bareUs)))} CPU per request`);
  print(`router ${us(routerUs)} CPU per request`);
  print(
    `ratio  ${median(ratios).toFixed(2)}  ` +
      `(${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)} in ${rounds.length} rounds)`,
  );
  print("\nthe router's own parts, each alone in a loop, where it costs less than amid a request:");
  for (const { part, costUs } of measureShares(body)) {
    const share = Math.round((100 * costUs) / routerUs);
    print(`  ${part.padEnd(34)} ${us(costUs)}  ${String(share).padStart(3)} %`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function us(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1).padStart(6)} µs`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
