import {
  CallbackQueue,
  type Callback,
  type Post,
  type PostResult,
} from "../../../src/requests/callback-queue.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

export const answered = (status: number, retryAfterMs: number | null = null): PostResult => ({
  kind: "answered",
  status,
  retryAfterMs,
});

interface Attempt {
  readonly callback: Callback;
  readonly atMs: number;
  readonly signal: AbortSignal;
  end(result: PostResult): Promise<void>;
}

/** A queue whose attempts end as `always` says, or when the test ends them. */
export function makeQueue(options: { always?: PostResult; random?: () => number } = {}) {
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const attempts: Attempt[] = [];
  const post: Post = (callback, signal) => {
    const { promise, resolve } = Promise.withResolvers<PostResult>();
    const end = (result: PostResult): Promise<void> => {
      resolve(result);
      return settle();
    };
    attempts.push({ callback, atMs: clock.now(), signal, end });
    signal.addEventListener("abort", () => {
      resolve({ kind: "failed", why: "aborted", isFinal: false });
    });
    if (options.always) resolve(options.always);
    return promise;
  };
  const queue = new CallbackQueue({ clock, log, post, random: options.random ?? (() => 0.5) });
  const said = (message: string) => lines.filter((line) => line.message === message);
  return { clock, queue, attempts, said };
}

export type QueueSetup = ReturnType<typeof makeQueue>;
