import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AnswerSink, RouteTags } from "../../../src/dispatch/answer.ts";
import { Attempts } from "../../../src/dispatch/attempt.ts";
import { Deadlines } from "../../../src/dispatch/deadlines.ts";
import type { AttemptResult } from "../../../src/dispatch/relay.ts";
import { Abandonment } from "../../../src/dispatch/routed-request.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import type { RouterError } from "../../../src/errors.ts";
import { SignsOfLife } from "../../../src/failures/signs-of-life.ts";
import type { Worker } from "../../../src/fleet/worker.ts";
import { Arrivals } from "../../support/arrivals.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { workerAt } from "../../support/fleet-builders.ts";
import { chatChunk, hangBeforeHeaders, steppedStream } from "../../support/stub-behaviours.ts";
import type { Exchange } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";

/** Attempts over real sockets, on a clock that a test moves by minutes. */

const IDLE_MS = 30_000;
const DEADLINE_MS = 3_600_000;
const UUID = "3f2b8c1e-7a4d-4b6e-9f10-2c5d8e7a6b90";

/** Takes a stream as a client would, or makes it wait. */
class Client implements AnswerSink {
  readonly chunks = new Arrivals<string>();
  readonly errors: RouterError[] = [];
  isSlow = false;
  ended = false;
  readOn: (() => void) | null = null;

  begin(): void {}

  write(chunk: Buffer): boolean {
    this.chunks.add(chunk.toString());
    return !this.isSlow;
  }

  onDrain(resume: () => void): void {
    this.readOn = resume;
  }

  end(): void {
    this.ended = true;
  }

  cut(error: RouterError): void {
    this.errors.push(error);
  }

  whole(): void {}
  refuse(): void {}

  fail({ status }: RouterError): number {
    return status;
  }
}

let clock: FakeClock;
let deadlines: Deadlines;
let attempts: Attempts;
let stub: StubWorker;
let client: Client;

beforeEach(async () => {
  clock = new FakeClock();
  deadlines = new Deadlines(clock);
  const signsOfLife = new SignsOfLife();
  const settings = () => ({ streamIdleMs: IDLE_MS, maxAnswerBytes: 1_000_000 });
  attempts = new Attempts({ clock, deadlines, signsOfLife, settings });
  stub = await startStubWorker();
  client = new Client();
});

afterEach(async () => {
  deadlines.close();
  expect(clock.pendingTimers).toBe(0);
  await attempts.close();
  await stub.close();
});

function requestOf(changes: Partial<RoutedRequest> = {}): RoutedRequest {
  return {
    id: "trace-1",
    user: "user",
    path: "/v1/chat/completions",
    type: "inference",
    model: "stub-model",
    band: 3,
    stream: true,
    body: Buffer.from('{"model":"stub-model","stream":true}'),
    memoryBytes: null,
    computeUnits: null,
    acceptedAtMs: clock.now(),
    deadlineAtMs: clock.now() + DEADLINE_MS,
    timeoutMs: null,
    reservation: null,
    isPlacement: false,
    abandonment: new Abandonment(),
    ...changes,
  };
}

function attempt(request: RoutedRequest, changes: Partial<Worker> = {}): Promise<AttemptResult> {
  const worker = workerAt(0, { url: stub.url, ...changes });
  const tags: RouteTags = { worker, attempts: 1, queueMs: 0 };
  return attempts.attempt({ worker, request, sink: client, tags });
}

describe("an attempt", () => {
  test("that is abandoned before its connection stands is never sent", async () => {
    const request = requestOf();
    const abandoned = attempt(request);
    request.abandonment.abandon("client_gone");
    expect(await abandoned).toMatchObject({ outcome: { kind: "abandoned" }, sent: false });
    const next = attempt(requestOf({ id: UUID, stream: false }));
    expect((await next).outcome).toEqual({ kind: "answered", status: 200 });
    expect(stub.requests.map(({ headers }) => headers["x-request-id"])).toEqual([UUID]);
  });

  test("that was abandoned before it began is never sent", async () => {
    const request = requestOf();
    request.abandonment.abandon("client_gone");
    expect((await attempt(request)).outcome).toEqual({ kind: "abandoned" });
    expect(stub.requests).toHaveLength(0);
  });

  test("gets the time to load its model on top of the deadline", async () => {
    stub.next(hangBeforeHeaders);
    const loading = { loadedModels: new Set<string>(), loadTimeoutMs: 300_000 };
    const models = new Map([["stub-model", served("stub-model")]]);
    const request = requestOf({ stream: false });
    const ended: unknown[] = [];
    void attempt(request, { ...loading, models }).then(({ outcome }) => ended.push(outcome));
    await stub.seen(1);
    await clock.advanceAsync(DEADLINE_MS + 299_000);
    expect(ended).toEqual([]);
    await clock.advanceAsync(1_100);
    expect(ended).toEqual([{ kind: "timeout", workerAlive: false, committed: false }]);
  });
});

function served(name: string) {
  return { name, as: name, minComputeCapability: null, memoryBytes: null };
}

describe("a stream", () => {
  test("may be slow for hours, as long as no pause reaches the idle limit", async () => {
    stub.next(steppedStream(10));
    const result = attempt(requestOf());
    for (let index = 0; index < 10; index++) {
      stub.stream.step();
      expect(await client.chunks.next()).toBe(chatChunk(index));
      clock.advance(IDLE_MS - 100);
    }
    expect(client.errors).toEqual([]);
    clock.advance(200);
    expect((await result).outcome).toMatchObject({ kind: "timeout", committed: true });
    expect(client.errors.map(({ message }) => message)).toEqual([
      "the worker sent nothing for 30 s (request_router.stream_idle_timeout)",
    ]);
    await stub.nextAbort();
  });

  test("whose client reads nothing for a minute is let go, and counts as abandoned", async () => {
    stub.next(steppedStream(2));
    client.isSlow = true;
    const result = attempt(requestOf());
    stub.stream.step();
    await client.chunks.next();
    clock.advance(59_800);
    expect(client.errors).toEqual([]);
    clock.advance(300);
    expect(await result).toMatchObject({
      outcome: { kind: "abandoned" },
      heldUpByClient: true,
      sent: true,
    });
    expect(client.errors.map(({ message }) => message)).toEqual([
      "the client read nothing for 60 s",
    ]);
    await stub.nextAbort();
    client.readOn?.();
  });

  test("is idle from the moment its client reads on, not from the last byte before", async () => {
    stub.next(steppedStream(2));
    client.isSlow = true;
    const result = attempt(requestOf());
    stub.stream.step();
    await client.chunks.next();
    clock.advance(50_000);
    client.isSlow = false;
    client.readOn?.();
    clock.advance(IDLE_MS - 200);
    expect(client.errors).toEqual([]);
    stub.stream.step(2);
    expect((await result).outcome).toEqual({ kind: "answered", status: 200 });
    expect(client.ended).toBe(true);
  });

  test("that brings comments only is idle, though its client gets them", async () => {
    const held = new Arrivals<Exchange>();
    stub.next((exchange) => held.add(exchange));
    const result = attempt(requestOf());
    const { response } = await held.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(chatChunk(0));
    expect(await client.chunks.next()).toBe(chatChunk(0));
    clock.advance(IDLE_MS - 100);
    response.write(": ping\n\n");
    expect(await client.chunks.next()).toBe(": ping\n\n");
    clock.advance(200);
    expect((await result).outcome).toEqual({ kind: "timeout", workerAlive: true, committed: true });
  });
});
