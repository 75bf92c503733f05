import type { Clock } from "../../clock.ts";
import { errorCode } from "../../network-failure.ts";
import { createGetAgent, limitedGet } from "../sources/limited-get.ts";
import { WorkerUnreachable, type Answer } from "./engine.ts";

export interface AskWorkersOptions {
  readonly clock: Clock;
  readonly timeoutMs?: number;
}

/** Asks workers what they are; what clients send travels on other connections. */
export interface AskWorkers {
  /** Rejects with WorkerUnreachable, or with an Error when no complete answer came. */
  ask(worker: AskedWorker, path: string): Promise<Answer>;
  close(): Promise<void>;
}

interface AskedWorker {
  readonly url: string;
  readonly apiKey: string | null;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * Timeouts are not among them: a busy worker is slow to answer, and still works. Nor is EAI_AGAIN:
 * a name server's hiccup must not take out the fleet, whose connections stand.
 */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
]);

const UNREACHABLE_FIX = "start the worker, or correct its url";

export function createAskWorkers({ clock, timeoutMs = 2000 }: AskWorkersOptions): AskWorkers {
  const agent = createGetAgent(timeoutMs);
  return {
    async ask({ url, apiKey }, path) {
      const limits = { token: apiKey, timeoutMs, maxBytes: MAX_BODY_BYTES, clock };
      try {
        return await limitedGet(agent, { url: url + path, ...limits });
      } catch (error) {
        const { message, cause } = error as Error;
        // Users read it as the reason why a worker is not chosen; its address is for operators.
        const reason = message.replace(url, "");
        const isUnreachable = UNREACHABLE.has(errorCode(cause) ?? "");
        throw isUnreachable
          ? new WorkerUnreachable(`${reason}; ${UNREACHABLE_FIX}`, { cause })
          : new Error(reason, { cause });
      }
    },
    close: () => agent.destroy(),
  };
}
