import { hash } from "node:crypto";
import { Socket } from "node:net";
import { Leases } from "../../src/admission/leases.ts";
import { systemClock } from "../../src/clock.ts";
import { Deadlines } from "../../src/dispatch/deadlines.ts";
import { readBodyFields } from "../../src/dispatch/request-body.ts";
import { readUsage } from "../../src/dispatch/usage.ts";
import { ConnectionKeys } from "../../src/http/connection-keys.ts";
import { findFault } from "../../src/http/guard.ts";
import { createKeyDirectory } from "../../src/http/keys.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { decide } from "../../src/routing/decide.ts";
import { BENCH_KEY } from "./bench-config.ts";
import { benchQuestion, benchReport, benchSnapshot } from "./bench-fleet.ts";
import { cooldownsFor } from "../support/cooldown-builders.ts";
import { metricsView } from "../support/metrics-view.ts";

export interface Share {
  readonly part: string;
  readonly costUs: number;
}

const REPEATS = 5;
const CALLS = 50_000;

/** The router's own parts, each alone in a loop: the best of a few repeats, in µs per call. */
export function measureShares(body: string): Share[] {
  const parts: Record<string, () => void> = {
    ...frontDoorParts(),
    ...requestParts(Buffer.from(body)),
    ...reportParts(),
  };
  return Object.entries(parts).map(([part, call]) => ({ part, costUs: bestOf(call) }));
}

function frontDoorParts(): Record<string, () => void> {
  const sha256 = hash("sha256", BENCH_KEY, "hex");
  const keys = createKeyDirectory([{ id: "bench", user: "bench", role: "user", sha256 }]);
  const headers = {
    host: "127.0.0.1:8000",
    authorization: `Bearer ${BENCH_KEY}`,
    "content-type": "application/json",
    "content-length": "1100",
    connection: "keep-alive",
  };
  const head = {
    url: "/v1/chat/completions",
    httpVersion: "1.1",
    headers,
    rawHeaders: Object.entries(headers).flat(),
  };
  const connection = new Socket();
  const known = new ConnectionKeys();
  known.remember(connection, headers.authorization, { keys, identity: keys.find(BENCH_KEY)! });
  return {
    "strict HTTP (guard)": () => void findFault(head),
    "key, known to its connection": () =>
      void known.identityOf(connection, headers.authorization, keys),
    "(a connection's first key: SHA-256)": () => void keys.find(BENCH_KEY),
  };
}

function requestParts(body: Buffer): Record<string, () => void> {
  const leases = new Leases(systemClock);
  const cooldowns = cooldownsFor(systemClock);
  const question = benchQuestion(benchSnapshot(16), leases);
  const worker = question.view.snapshot.workers[0]!;
  const deadlines = new Deadlines(systemClock);
  const answer = Buffer.from(`{"usage":{"prompt_tokens":1,"completion_tokens":2}}`.padStart(1000));
  return {
    "parse the body (1 kB)": () => void readBodyFields(body),
    "decide (hybrid, 16 workers)": () => void decide(question),
    "lease, take and release": () =>
      leases.take(worker, { requestId: "r", user: "u", memoryBytes: 0 }).release(),
    "deadline, set and cancel": () => deadlines.at(systemClock.now() + 30_000, () => {}).cancel(),
    "cooldown, began and ended": () => {
      const wasProbe = cooldowns.began(0);
      cooldowns.ended(0, { class: "success", failure: "", wasProbe });
    },
    "usage out of the answer (1 kB)": () => void readUsage(answer),
  };
}

function reportParts(): Record<string, () => void> {
  const snapshot = benchSnapshot(16);
  const destination = "/dev/null";
  const logger = createLogger({ clock: systemClock, level: "info", destination, ship: null });
  const metrics = createMetrics(metricsView({ snapshot: () => snapshot }));
  const report = benchReport();
  return {
    "metrics (decision, request)": () => {
      metrics.decided("hybrid", true);
      metrics.requestEnded(report);
    },
    "log line": () => logger.log.info(report, "request"),
  };
}

function bestOf(call: () => void): number {
  let bestUs = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const startMs = systemClock.now();
    for (let i = 0; i < CALLS; i++) call();
    bestUs = Math.min(bestUs, ((systemClock.now() - startMs) * 1000) / CALLS);
  }
  return bestUs;
}
