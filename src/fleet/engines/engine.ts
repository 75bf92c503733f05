import type { ApiPath, EngineName } from "../worker.ts";

/**
 * A GET to the worker, with its key, a timeout and a size cap. Rejects with WorkerUnreachable when
 * nothing listens there, and with another Error when no complete answer came.
 */
export type Ask = (path: string) => Promise<Answer>;

export interface Answer {
  readonly status: number;
  /** Body as text; at most a few MiB. */
  readonly text: string;
}

/** The worker answers, and says that it is not ready yet; the message says it in words. */
export class EngineNotReady extends Error {
  override readonly name = "EngineNotReady";
}

/** No connection can be made at all: refused, no route, no such host. Never a mere slow answer. */
export class WorkerUnreachable extends Error {
  override readonly name = "WorkerUnreachable";
}

/** Asked at start and at each health check. */
interface EngineFacts {
  /** Absent: the engine does not say. */
  readonly models?: readonly string[];
  /** Absent: the engine does not say. */
  readonly slots?: number;
}

/** Asked every update_interval, of engines that can tell. */
export interface EngineLoad {
  /** Running plus waiting requests; absent: the engine does not say. */
  readonly active?: number;
  /** Models in GPU memory now. */
  readonly loadedModels?: ReadonlySet<string>;
}

/** What differs between engines, as one value per engine. See docs of each file for its endpoints. */
export interface Engine {
  readonly name: EngineName;
  readonly defaultSlots: number;
  /** Takes its GPU memory once at start. */
  readonly preallocatesMemory: boolean;
  /** A question for its models can end a running stream (llama-cpp-python): asked only when idle. */
  readonly checksDisturb: boolean;
  /** Answers models it has on disk and loads them on demand, one request waiting for the load. */
  readonly loadsOnDemand: boolean;
  readonly paths: ReadonlySet<ApiPath>;
  /** Rejects with EngineNotReady while the worker is booting. */
  facts(ask: Ask): Promise<EngineFacts>;
  load?(ask: Ask): Promise<EngineLoad>;
}
