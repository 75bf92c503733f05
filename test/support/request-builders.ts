import { Abandonment, type RoutedRequest } from "../../src/dispatch/routed-request.ts";
import type { AttemptRecord } from "../../src/dispatch/route-request.ts";
import { serving } from "./routing-builders.ts";

/** A request of alice's for m, accepted at the start of the clock, with 30 s to go. */
export function routedRequest(changes: Partial<RoutedRequest> = {}): RoutedRequest {
  return {
    id: "req-1",
    user: "alice",
    path: "/v1/chat/completions",
    type: "inference",
    model: "m",
    band: 3,
    stream: false,
    body: Buffer.from('{"model":"m"}'),
    memoryBytes: null,
    computeUnits: null,
    acceptedAtMs: 0,
    deadlineAtMs: 30_000,
    timeoutMs: null,
    reservation: null,
    isPlacement: false,
    abandonment: new Abandonment(),
    ...changes,
  };
}

/** An attempt on worker 0 that took a second and was answered with 200 and 100 tokens. */
export function attemptRecord(changes: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    worker: serving(0),
    outcome: { kind: "answered", status: 200 },
    result: {
      outcome: { kind: "answered", status: 200 },
      answer: null,
      sent: true,
      firstByteAtMs: null,
      usage: { promptTokens: 10, completionTokens: 100 },
      heldUpByClient: false,
    },
    wasProbe: false,
    startedAtMs: 0,
    endedAtMs: 1000,
    concurrency: 1,
    ...changes,
  };
}
