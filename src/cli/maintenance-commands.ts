import { sleep } from "../clock.ts";
import { gpuIdsOf, type FleetBody } from "./fleet-tables.ts";
import { INTERRUPTED, OK, printAnswer, type Desk } from "./ctl-desk.ts";
import { printable, shortened } from "./printable.ts";
import { counted } from "./quantities.ts";
import { Refusal } from "./router-client.ts";
import { meantId } from "./short-ids.ts";

/** Taking a GPU or a worker out of service, and back. */

/** What POST …/maintenance answers. */
interface MaintenanceBody {
  readonly gpu_id: string;
  readonly workers: readonly WorkerLoad[];
  readonly lasts: string | null;
}

interface WorkerLoad {
  readonly worker_id: string;
  readonly active_requests: number;
  readonly cordoned: boolean;
}

const LOOK_EVERY_MS = 1000;
/** As long as a router, or the proxy before it, may take to come back. */
const PATIENCE_MS = 60_000;

export async function cordon([typed = "", ...words]: readonly string[], desk: Desk) {
  const id = await idOf(typed, desk);
  const body = await setMaintenance(id, { enabled: true, ...reasonOf(words) }, desk);
  printAnswer(desk, body, () => [
    printable(`${id} is cordoned: new requests go elsewhere; ${running(body.workers)}.`),
    printable(`It lasts ${String(body.lasts)}: ${ending(id)}`),
  ]);
  return OK;
}

export async function uncordon([typed = "", ...words]: readonly string[], desk: Desk) {
  const id = await idOf(typed, desk);
  const body = await setMaintenance(id, { enabled: false, ...reasonOf(words) }, desk);
  printAnswer(desk, body, () => {
    const still = body.workers.filter(({ cordoned }) => cordoned);
    return [
      `${id} is not cordoned.`,
      ...still.map(
        (worker) => `${worker.worker_id} stays cordoned, by its own id or by another GPU.`,
      ),
    ].map(printable);
  });
  return OK;
}

/** Cordons it, and returns when none of the router's requests runs there any more. */
export async function drain([typed = "", ...words]: readonly string[], desk: Desk) {
  const id = await idOf(typed, desk);
  const first = await setMaintenance(id, { enabled: true, ...reasonOf(words) }, desk);
  if (first.workers.some(isBusy)) tell(`${id} is cordoned: new requests go elsewhere.`, desk);
  const last = await untilIdle(id, first, desk);
  if (last.workers.some(isBusy)) {
    tell(`${id} stays cordoned: ${running(last.workers)}. ${ending(id)}`, desk);
    return INTERRUPTED;
  }
  printAnswer(desk, last, () => [printable(`${id} is drained: nothing runs there. ${ending(id)}`)]);
  return OK;
}

/** What is true at the end: nothing runs there, or what was left at Ctrl-C. */
async function untilIdle(id: string, first: MaintenanceBody, desk: Desk) {
  const interrupted = new Promise<"stop">((resolve) => desk.onInterrupt(() => resolve("stop")));
  const look = patiently(id, desk);
  const progress = new Progress(desk);
  let last: Pick<MaintenanceBody, "workers"> = first;
  let text = running(first.workers);
  try {
    while (last.workers.some(isBusy)) {
      progress.show(text);
      const seen = await Promise.race([interrupted, look()]);
      if (seen === "stop") break;
      if (seen !== null) last = seen;
      text = seen === null ? "no answer, asking again" : running(seen.workers);
    }
  } finally {
    progress.end();
  }
  return { ...first, ...last };
}

/**
 * Looks again; null = there was no answer this time. Throws Refusal where there will be none, or where
 * it is not cordoned any more: then new requests may go there.
 */
function patiently(id: string, desk: Desk) {
  let heardAtMs = desk.clock.now();
  return async () => {
    await sleep(desk.clock, LOOK_EVERY_MS);
    const fleet = await fleetOf(desk).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      if (error.isPassing && desk.clock.now() - heardAtMs < PATIENCE_MS) return null;
      throw new Refusal(`${error.message}. ${id} was cordoned and not drained yet.`);
    });
    if (fleet === null) return null;
    heardAtMs = desk.clock.now();
    const found = fleet.cordons!.find(({ gpu_id }) => gpu_id === id);
    if (found) return found;
    throw new Refusal(`${id} is not cordoned any more: somebody ended it, or the router restarted`);
  };
}

export async function clear([typed = ""]: readonly string[], desk: Desk) {
  const id = await idOf(typed, desk);
  const path = `/api/v1/gpus/${encodeURIComponent(id)}/cooldown`;
  const { body } = await desk.call<{ cleared: string[] }>({ method: "DELETE", path });
  printAnswer(desk, body, () => [
    printable(
      body.cleared.length === 0
        ? `${id} had no cooldown.`
        : `Cooldown ended: ${body.cleared.join(", ")}`,
    ),
  ]);
  return OK;
}

/** In full, of one that is typed as a table shows it. */
async function idOf(typed: string, desk: Desk): Promise<string> {
  const fleet = await fleetOf(desk);
  const workerIds = fleet.workers.map((worker) => worker.worker_id);
  // What is cordoned may have left the fleet.
  const cordoned = (fleet.cordons ?? []).map(({ gpu_id }) => gpu_id);
  return meantId(typed, [...new Set([...gpuIdsOf(fleet), ...workerIds, ...cordoned])]);
}

async function fleetOf({ call }: Desk): Promise<FleetBody> {
  return (await call<FleetBody>({ path: "/api/v1/gpus" })).body;
}

async function setMaintenance(
  id: string,
  wish: { readonly enabled: boolean; readonly reason?: string },
  { call }: Desk,
): Promise<MaintenanceBody> {
  const path = `/api/v1/gpus/${encodeURIComponent(id)}/maintenance`;
  return (await call<MaintenanceBody>({ method: "POST", path, body: JSON.stringify(wish) })).body;
}

/** One line that is written over on a terminal; elsewhere a line for each change. */
class Progress {
  readonly #desk: Desk;
  #shown = "";

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  show(text: string): void {
    const { json, err, errWidth } = this.#desk;
    if (json || text === this.#shown) return;
    const clean = printable(text);
    // A line that is wider than the terminal would not be written over, but below itself.
    if (errWidth === Infinity) err(`${clean}\n`);
    else err(`\r\u001b[K${shortened(clean, errWidth - 1)}`);
    this.#shown = text;
  }

  end(): void {
    if (this.#shown !== "" && this.#desk.errWidth !== Infinity) this.#desk.err("\r\u001b[K");
  }
}

/** People are told while it waits; whoever reads JSON gets the answer. */
function tell(sentence: string, { json, err }: Desk): void {
  if (!json) err(`${printable(sentence)}\n`);
}

function isBusy({ active_requests: active }: WorkerLoad): boolean {
  return active > 0;
}

function running(workers: readonly WorkerLoad[]): string {
  const busy = workers.filter(isBusy);
  const total = busy.reduce((sum, { active_requests: active }) => sum + active, 0);
  if (total === 0) return "no request runs there";
  const each = busy.map((worker) => `${worker.worker_id} ${worker.active_requests}`).join(", ");
  return `${counted(total, "request")} still ${total === 1 ? "runs" : "run"} there (${each})`;
}

function ending(id: string): string {
  const quoted = /^[\w.:/@-]+$/.test(id) ? id : `'${id.replaceAll("'", String.raw`'\''`)}'`;
  return `npm run ctl -- uncordon ${quoted} ends it.`;
}

function reasonOf(words: readonly string[]): { readonly reason?: string } {
  return words.length === 0 ? {} : { reason: words.join(" ") };
}
