import type { Cordon } from "./cordons.ts";
import type { Gpu } from "./gpu.ts";

/** One inference server, at a URL. What a request is sent to. */

export const ENGINE_NAMES = [
  "vllm",
  "sglang",
  "ollama",
  "llamacpp",
  "tgi",
  "triton",
  "openai",
] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

export type RequestType = "inference" | "training";

/** Paths of the OpenAI and Anthropic APIs that a worker may serve. */
export const API_PATHS = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/responses",
  "/v1/messages",
  "/v1/rerank",
] as const;
export type ApiPath = (typeof API_PATHS)[number];

export interface ServedModel {
  /** What the worker calls it; what is sent to it. */
  readonly name: string;
  /** What clients call it. */
  readonly as: string;
  readonly minComputeCapability: number | null;
  readonly memoryBytes: number | null;
}

/** What the operator (or a reported endpoint) says about a worker. Another one replaces it whole. */
export interface WorkerSpec {
  readonly id: string;
  /** Origin, with a base path if any, without a trailing slash or `/v1`. */
  readonly url: string;
  readonly engine: EngineName;
  /** "auto": the GPUs that the source on this worker's host reports. */
  readonly gpus: readonly string[] | "auto";
  /** Empty: ask the worker. */
  readonly models: readonly ServedModel[];
  /** null: the engine's default, or what the worker says. */
  readonly slots: number | null;
  readonly types: readonly RequestType[];
  /** Sent as the worker's Bearer key; a client's Authorization never is. */
  readonly apiKey: string | null;
  /** Allowance while a model is being loaded. */
  readonly loadTimeoutMs: number;
}

/**
 * starting: never seen up, or says that it is booting; asked again every update_interval, never
 * cooled.
 * up: answered. down: was up, and now refuses connections.
 */
export type WorkerState = "starting" | "up" | "down";

/** Requests in the worker as it reported them. */
interface ReportedLoad {
  /** Running plus waiting. */
  readonly active: number;
  /** Our own leases on it at that moment, so that the rest can be told as foreign. */
  readonly ownAtPoll: number;
  readonly receivedAtMs: number;
}

/** What asking a worker tells, all of it optional: an engine says what it knows. */
export interface WorkerFacts {
  readonly state?: WorkerState;
  /** Why it is starting or down, in words. */
  readonly stateReason?: string | null;
  readonly models?: readonly string[];
  readonly slots?: number;
  /** Models in GPU memory now, by served name; null where the engine loads its model at start. */
  readonly loadedModels?: ReadonlySet<string> | null;
  readonly load?: ReportedLoad | null;
}

/** A worker in a snapshot: immutable, replaced with it. */
export interface Worker {
  /** Small integer, the worker's for its life: index into ledgers of slots, cooldowns and speeds. */
  readonly index: number;
  readonly id: string;
  readonly url: string;
  readonly engine: EngineName;
  readonly apiKey: string | null;
  readonly types: readonly RequestType[];
  readonly slots: number;
  readonly loadTimeoutMs: number;
  readonly paths: ReadonlySet<ApiPath>;
  /** Its engine takes its GPU memory once at start, so free memory says nothing about room. */
  readonly preallocatesMemory: boolean;
  readonly gpuIds: readonly string[];
  /** Those of gpuIds that telemetry knows. */
  readonly gpus: readonly Gpu[];
  /** Workers on the same set of GPUs share one placement. */
  readonly placement: number;
  readonly state: WorkerState;
  readonly stateReason: string | null;
  /** null = no operator keeps new requests from it. */
  readonly cordon: Cordon | null;
  /** False until the worker (or the config) has said what it serves. */
  readonly modelsKnown: boolean;
  /** By public name. */
  readonly models: ReadonlyMap<string, ServedModel>;
  /** Of some of its models it is known how much GPU memory they need. */
  readonly knowsModelMemory: boolean;
  readonly loadedModels: ReadonlySet<string> | null;
  readonly load: ReportedLoad | null;
}

/** The one id where there is room for one: its first GPU, or its own where no GPU of it is known. */
export function gpuIdOf({ gpuIds, id }: Pick<Worker, "gpuIds" | "id">): string {
  return gpuIds[0] ?? id;
}
