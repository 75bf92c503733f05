import type { Callers } from "./callers.ts";
import { PLAIN_REQUEST } from "./scene.ts";
import type { World } from "./world.ts";

/** Every poll, and every check of a worker, has come round by then. */
const CALM_MS = 12_000;
const LONGEST_REQUEST_MS = 31_000;
const CLOSING_MS = 3000;

/** Once all are well again, the router is too, by itself. */
export async function checkRecovery(world: World, callers: Callers): Promise<void> {
  const { timeline, ledger, loop, scene, breach, violation } = world;
  const run = (forMs: number, isOver: () => boolean): Promise<void> =>
    timeline.run(timeline.nowMs + forMs, () => violation() !== null || isOver());
  await run(CALM_MS, () => false);
  for (const { id, state, stateReason } of loop.fleet.snapshot().workers) {
    if (state !== "up") breach(`${id} is well again, and still ${state}: ${stateReason}`);
  }
  for (const model of new Set(scene.workers.flatMap(({ models }) => models))) {
    const entry = callers.send({ ...PLAIN_REQUEST, model });
    await run(LONGEST_REQUEST_MS, () => ledger.underWay.size === 0);
    const end = entry?.end;
    if (end?.status !== 200) breach(`all is well, and ${model} ends with ${end?.error?.message}`);
  }
}

/** Nothing of the router is left when it is closed. */
export async function checkClosed({ timeline, loop, dispatcher, breach }: World): Promise<void> {
  const closing = Promise.all([loop.close(), dispatcher.close()]);
  await timeline.run(timeline.nowMs + CLOSING_MS, () => false);
  await closing;
  const left = timeline.router.pendingTimers;
  if (left > 0) breach(`the router is closed, and ${left} of its timers are set`);
}
