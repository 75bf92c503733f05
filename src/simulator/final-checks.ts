import { TICK_MS } from "../dispatch/deadlines.ts";
import type { RouteEnd } from "../dispatch/route-request.ts";
import type { Entry } from "./ledger.ts";
import { PING } from "./manners.ts";
import type { Got, VirtualClient } from "./virtual-client.ts";
import type { World } from "./world.ts";

/** Timers fire up to a tick late, and a look may fall just before a tick. */
const LATENESS_MS = 2 * TICK_MS;

const AT_ONCE_MS = 1;

/** What must be true of each request once it is over. */
export function checkEntry(world: World, entry: Entry): void {
  const { request, end, client } = entry;
  const wrong = (what: string): void => world.breach(`${request.id}: ${what}`);
  if (!end) return wrong("it never ended");
  checkAttempts(world, entry, end);
  if (entry.arrivals.some(({ exchange }) => !exchange.isOver)) wrong("a connection is still open");
  const lateMs = entry.leftAtMs === null ? 0 : entry.endedAtMs - entry.leftAtMs;
  if (lateMs > AT_ONCE_MS) wrong(`it ran on for ${lateMs} ms after its caller gave it up`);
  if (entry.job?.isOver === false) wrong(`its job is still ${entry.job.state}`);
  if (client) checkClient(entry, client, wrong);
  checkTime(world, entry, wrong);
}

function checkAttempts(world: World, entry: Entry, end: RouteEnd): void {
  const { request, arrivals } = entry;
  const wrong = (what: string): void => world.breach(`${request.id}: ${what}`);
  if (end.attempts.length - entry.uncounted > world.ledger.maxAttempts)
    wrong(`${end.attempts.length} attempts`);
  const sent = request.isPlacement ? end.attempts.length : arrivals.length;
  if (end.attempts.length !== sent) wrong(`${end.attempts.length} attempts, ${sent} sent`);
}

/** What must be true of the router once nothing is under way. */
export function checkIdle({ leases, quotas, cooldowns, dispatcher, breach, jobs }: World): void {
  const left = {
    leases: leases.openCount,
    reservations: quotas.openCount,
    probes: cooldowns.openProbes,
    waiting: dispatcher.queue.size,
    "waiting bytes": dispatcher.queue.bytes,
    jobs: jobs.runningCount,
  };
  for (const [what, count] of Object.entries(left)) {
    if (count !== 0) breach(`nothing is under way, and ${what} are left: ${count}`);
  }
}

type Wrong = (what: string) => void;

function checkClient(entry: Entry, client: VirtualClient, wrong: Wrong): void {
  const end = entry.end!;
  const { got } = client;
  if (entry.leftAtMs !== null) {
    if (end.status !== CLIENT_GONE) wrong(`its client left, and it ended with ${end.status}`);
    return;
  }
  if (got === "nothing" || got === "begun") wrong(`its client was left with ${got}`);
  // A client that reads nothing for too long is told why, and is gone all the same.
  const wasStalled = got === "cut" && end.status === CLIENT_GONE;
  if (!wasStalled) checkEnd(end, client, wrong);
  checkTags(end, client, wrong);
  checkBytes(entry, client, wrong);
}

const CLIENT_GONE = 499;

/** What is counted and logged is what the client was told. */
function checkEnd(end: RouteEnd, { got, status, error }: VirtualClient, wrong: Wrong): void {
  if (end.status !== status) wrong(`it ended with ${end.status}, told ${status}`);
  if (got !== "refusal" && got !== "cut") return;
  if (end.error?.code !== error?.code)
    wrong(`it ended with ${end.error?.code}, told ${error?.code}`);
}

function checkTags({ attempts }: RouteEnd, { tags }: VirtualClient, wrong: Wrong): void {
  const last = attempts.at(-1);
  if (tags === null) return last ? wrong("its answer names no worker") : undefined;
  if (tags.attempts !== attempts.length) {
    wrong(`told of ${tags.attempts} attempts, made ${attempts.length}`);
  }
  if (last && tags.worker.index !== last.worker.index) wrong(`told of ${tags.worker.id}`);
}

/** An answer is the last worker's, byte by byte; of one that was cut, the first part of it. */
function checkBytes(
  { arrivals, request }: Entry,
  { got, chunks }: VirtualClient,
  wrong: Wrong,
): void {
  if (got === "refusal" || got === "nothing") return;
  const { chunks: sent = [], status } = arrivals.at(-1)?.exchange ?? {};
  const from = Buffer.concat(sent.filter((chunk) => !chunk.equals(PING)));
  const received = Buffer.concat(chunks);
  const expected = got === "cut" ? from.subarray(0, received.length) : from;
  if (!received.equals(expected)) wrong(`its answer is not what the worker sent: ${status}`);
  if (status === 200 && !isAnswerTo(request.id, got, received)) wrong("its answer is not its own");
}

/** Whole, and marked with its request. */
function isAnswerTo(requestId: string, got: Got, received: Buffer): boolean {
  const text = received.toString();
  if (!text.includes(requestId)) return false;
  return got === "whole" ? /^\{.*\}$/.test(text) : got === "cut" || text.endsWith(LAST_EVENT);
}

const LAST_EVENT = "data: [DONE]\n\n";

/** Up to the first byte of a stream, or the whole of another answer. */
function checkTime(world: World, entry: Entry, wrong: Wrong): void {
  const { request, client, endedAtMs } = entry;
  if (client && client.chunks.length > 0 && request.stream) return;
  const loadMs = entry.end?.attempts.some(({ worker }) => worker.loadedModels !== null)
    ? Math.max(...world.scene.workers.map(({ spec }) => spec.loadTimeoutMs))
    : 0;
  const lateMs = endedAtMs - (request.deadlineAtMs + loadMs);
  if (lateMs > LATENESS_MS) wrong(`it ended ${Math.round(lateMs)} ms after its deadline`);
}
