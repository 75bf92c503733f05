import { beforeEach, describe, expect, test } from "vitest";
import type { Relay } from "../../../src/dispatch/relay.ts";
import { Exchange, type Step } from "../../../src/simulator/exchange.ts";
import { Timeline } from "../../../src/simulator/virtual-clock.ts";

const HEAD: Step = { afterMs: 10, does: "head", status: 200, headers: {} };

function data(text: string, afterMs = 0): Step {
  return { afterMs, does: "data", chunk: Buffer.from(text) };
}

describe("an exchange", () => {
  let timeline: Timeline;
  let told: string[];

  beforeEach(() => {
    timeline = new Timeline(0);
    told = [];
  });

  /** A relay that writes down what it is told. */
  const listener = (onData: (exchange: Exchange) => void = () => undefined): Relay =>
    ({
      onRequestStart: () => told.push("start"),
      onResponseStart: (_: unknown, status: number) => told.push(`head ${status}`),
      onResponseData: (exchange: Exchange, chunk: Buffer) => {
        told.push(String(chunk));
        onData(exchange);
      },
      onResponseEnd: () => told.push("end"),
      onResponseError: (_: unknown, error: Error) => told.push(`error ${error.message}`),
    }) as unknown as Relay;

  const open = (script: readonly Step[], relay = listener()): Exchange => {
    const onOver = (): void => void told.push("over");
    return new Exchange({ requestId: "r", clock: timeline.world, relay, script, onOver });
  };
  const run = (untilMs: number) => timeline.run(untilMs, () => false);

  test("is told step by step, each in its time", async () => {
    open([{ afterMs: 1, does: "connect" }, HEAD, data("a", 5), { afterMs: 0, does: "end" }]);
    expect(told).toEqual([]);
    await run(1);
    expect(told).toEqual(["start"]);
    await run(15);
    expect(told).toEqual(["start", "head 200"]);
    await run(16);
    expect(told).toEqual(["start", "head 200", "a", "over", "end"]);
  });

  test("an abort is heard in the same tick, and nothing after it", async () => {
    const exchange = open([{ afterMs: 1, does: "connect" }, HEAD, data("a")]);
    await run(2);
    exchange.abort(new Error("enough"));
    exchange.abort(new Error("twice"));
    expect(told).toEqual(["start", "over", "error enough"]);
    await run(100);
    expect(told).toHaveLength(3);
  });

  test("a pause holds up what comes, within a read of the socket too, until it is resumed", async () => {
    const pausing = listener((exchange) => {
      if (told.at(-1) === "a") exchange.pause();
    });
    const exchange = open([HEAD, data("a"), data("b"), { afterMs: 50, does: "end" }], pausing);
    await run(100);
    expect(told).toEqual(["head 200", "a"]);
    exchange.resume();
    await run(200);
    expect(told).toEqual(["head 200", "a", "b", "over", "end"]);
  });

  test("a connection that was never made fails with its code", async () => {
    const exchange = open([{ afterMs: 3, does: "break", code: "ECONNREFUSED" }]);
    await run(3);
    expect(told).toEqual(["over", "error ECONNREFUSED"]);
    expect(exchange.isSent).toBe(false);
  });
});
