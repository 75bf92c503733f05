import autocannon from "autocannon";
import { chat, openDeployment, type Deployment } from "../e2e/deployment.ts";

/**
 * `npm run test:performance [-- seconds [connections]]`: chats, as JSON and as streams, against the
 * router at ROUTER_URL, or one of our own with stub workers. Prints what it measured, and fails on
 * errors, never on slowness: how fast is fast enough depends on the models and the machine, and only
 * whoever runs them knows. What the router itself costs is told by `npm run bench`.
 */
interface Run {
  readonly deployment: Deployment;
  readonly seconds: number;
  readonly connections: number;
  /** What went wrong, and how often. */
  readonly refusals: Map<string, number>;
}

interface Row {
  readonly what: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  readonly answers: number;
  readonly errors: number;
}

async function main([seconds, connections]: readonly string[]): Promise<void> {
  const size = { seconds: whole(seconds, 10), connections: whole(connections, 16) };
  const { deployment, close } = await openDeployment(process.env);
  try {
    const run: Run = { deployment, ...size, refusals: new Map() };
    print(`${deployment.url}, model ${deployment.model}`);
    print(
      `${run.connections} connections, ${run.seconds} s of JSON and ${run.seconds} s of streams`,
    );
    const rows = [await measureJson(run), await measureFirstBytes(run)];
    printTable(rows);
    for (const [reason, times] of run.refusals) print(`${times} x ${reason}`);
    for (const { what, answers, errors } of rows) {
      if (answers + errors === 0) print(`${what}: none came in ${run.seconds} s, give it more`);
    }
    if (rows.some(({ errors }) => errors > 0)) process.exitCode = 1;
  } finally {
    await close();
  }
}

/** Whole JSON answers, one after the other on each connection; what the end cuts off counts as nothing. */
async function measureJson({ deployment, refusals, ...size }: Run): Promise<Row> {
  const { url, key, model } = deployment;
  const result = await autocannon({
    url: `${url}/v1/chat/completions`,
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(chat(model)),
    connections: size.connections,
    duration: size.seconds,
    // A model may think for long; the router's own timeout ends it.
    timeout: 3600,
  });
  const { requests, latency, non2xx, errors, statusCodeStats } = result;
  for (const [status, { count: times }] of Object.entries(statusCodeStats ?? {})) {
    if (status !== "200") count(refusals, `JSON: status ${status}`, times);
  }
  if (errors > 0) count(refusals, "JSON: connection broken, or no answer", errors);
  // It says 0 where it has measured none.
  const measured = (ms: number): number => (requests.total === 0 ? NaN : ms);
  return {
    what: "JSON, whole answer",
    perSecond: requests.average,
    p50Ms: measured(latency.p50),
    p90Ms: measured(latency.p90),
    p99Ms: measured(latency.p99),
    slowestMs: measured(latency.max),
    answers: requests.total - non2xx,
    errors: non2xx + errors,
  };
}

/** Streams, each read to its end; what is timed is how long the first byte of text took. */
async function measureFirstBytes({ deployment, refusals, ...size }: Run): Promise<Row> {
  const startMs = performance.now();
  const endMs = startMs + size.seconds * 1000;
  const firstBytesMs: number[] = [];
  let errors = 0;
  const keepAsking = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const outcome = await readStream(deployment);
      if (typeof outcome === "number") firstBytesMs.push(outcome);
      else {
        errors++;
        count(refusals, `stream: ${outcome}`);
      }
    }
  };
  await Promise.all(Array.from({ length: size.connections }, keepAsking));
  const sorted = firstBytesMs.toSorted((a, b) => a - b);
  const share = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN;
  return {
    what: "stream, first byte",
    perSecond: sorted.length / ((performance.now() - startMs) / 1000),
    p50Ms: share(0.5),
    p90Ms: share(0.9),
    p99Ms: share(0.99),
    slowestMs: share(1),
    answers: sorted.length,
    errors,
  };
}

/** Milliseconds to its first byte, or what went wrong with it. */
async function readStream({ url, key, model }: Deployment): Promise<number | string> {
  const sentMs = performance.now();
  try {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ ...chat(model), stream: true }),
    });
    if (!answer.ok || answer.body === null) return `status ${answer.status}`;
    let firstMs: number | null = null;
    let end = "";
    for await (const bytes of answer.body) {
      firstMs ??= performance.now() - sentMs;
      end = (end + Buffer.from(bytes).toString("latin1")).slice(-END.length);
    }
    return firstMs !== null && end === END ? firstMs : "it broke off before its end";
  } catch (error) {
    return (error as Error).message;
  }
}

const END = "data: [DONE]\n\n";

function count(counts: Map<string, number>, reason: string, times = 1): void {
  counts.set(reason, (counts.get(reason) ?? 0) + times);
}

function printTable(rows: readonly Row[]): void {
  const columns = ["per second", "p50 ms", "p90 ms", "p99 ms", "slowest ms", "answers", "errors"];
  print(`\n${"".padEnd(20)}${columns.map((name) => name.padStart(12)).join("")}`);
  for (const { what, perSecond, p50Ms, p90Ms, p99Ms, slowestMs, answers, errors } of rows) {
    const figures = [perSecond, p50Ms, p90Ms, p99Ms, slowestMs].map(oneDecimal);
    const cells = [...figures, String(answers), String(errors)];
    print(what.padEnd(20) + cells.map((cell) => cell.padStart(12)).join(""));
  }
}

/** Without answers there is nothing to tell. */
function oneDecimal(value: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(1);
}

function whole(text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (Number.isInteger(value) && value > 0 && value <= 3600) return value;
  throw new Error(`"${text}" must be a whole number from 1 to 3600`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
