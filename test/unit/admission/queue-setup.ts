import { FairShare } from "../../../src/admission/fair-share.ts";
import type { Waiter, WaitRequest } from "../../../src/admission/place.ts";
import { Queue } from "../../../src/admission/queue.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import { FakeClock } from "../../support/fake-clock.ts";

interface QueueSetup {
  readonly maxRequests?: number;
  readonly userShare?: number;
  readonly ageingMs?: number;
}

/** A queue before as many slots as a test frees. A waiter is called after its user: a1 is of a. */
export function createQueue(setup: QueueSetup = {}) {
  const clock = new FakeClock();
  const fairShare = new FairShare();
  const limits = { maxRequests: 1000, maxBytes: 1000, userShare: 1, ageingMs: 30_000, ...setup };
  const queue = new Queue({
    ...{ clock, wheel: new Deadlines(clock), fairShare, placementsOf: () => [] },
    limits: () => limits,
  });
  /** Who got a slot, in this order. */
  const placed: string[] = [];
  /** All ends, such as "a1 expired". */
  const ended: string[] = [];
  let slots = 0;
  const wait = (name: string, changes: Partial<WaitRequest> = {}): Waiter => {
    const user = name.slice(0, 1);
    return queue.wait({
      ...{ user, classKey: "class", model: "m", band: 3, bytes: 1 },
      ...{ acceptedAtMs: clock.now(), deadlineAtMs: clock.now() + 600_000 },
      ...{ isRetry: false, atUserLimit: false },
      place() {
        if (slots === 0) return "no_slot";
        slots -= 1;
        placed.push(name);
        const account = fairShare.of(user, "m");
        fairShare.charge(account);
        queue.reorder(account);
        return "placed";
      },
      onEnd: (end) => ended.push(`${name} ${end}`),
      ...changes,
    });
  };
  /** Slots that become free together. */
  const free = (count = 1): void => {
    slots += count;
    queue.slotFreed(0, (model) => model === "m");
  };
  return { clock, fairShare, queue, placed, ended, wait, free };
}
