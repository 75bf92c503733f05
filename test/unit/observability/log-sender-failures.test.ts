import { beforeEach, describe, expect, test } from "vitest";
import { LogBacklog } from "../../../src/observability/log-backlog.ts";
import { LogSender } from "../../../src/observability/log-sender.ts";
import { LogSinkState } from "../../../src/observability/log-sink-state.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";
import { KIB, TAKEN, REFUSED, TOO_LARGE, failed, lines, openScene } from "./log-sender-scene.ts";
import type { Scene } from "./log-sender-scene.ts";

let scene: Scene;

beforeEach(() => {
  scene = openScene();
});

describe("after a failure", () => {
  test("the same lines are tried again, few of them, at most two seconds apart", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    for (const delayMs of [500, 1000, 2000, 2000]) {
      await answer(failed());
      sender.add(lines(512, 513));
      clock.advance(delayMs);
    }
    expect(posts.map(({ atMs }) => atMs)).toEqual([0, 500, 1500, 3500, 5500]);
    expect(posts.map(({ first, count }) => [first, count])).toEqual([
      [0, 512],
      ...Array.from({ length: 4 }, () => [0, 32]),
    ]);
  });

  test("up to half of a wait is left out by chance, so that routers do not return together", async () => {
    scene = openScene({ random: 0 });
    scene.sender.add(lines(0, 512));
    await scene.answer(failed());
    scene.clock.advance(250);
    expect(scene.posts.map(({ atMs }) => atMs)).toEqual([0, 250]);
  });

  test("the next failure, once a batch was taken, is the first again", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    await answer(failed());
    clock.advance(500);
    await answer(failed());
    clock.advance(1000);
    await answer(TAKEN);
    await answer(failed());
    clock.advance(500);
    expect(posts.map(({ atMs }) => atMs)).toEqual([0, 500, 1500, 1500, 2000]);
  });

  test("each batch that is taken doubles the next, without a pause", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    sender.add(lines(512, 1024));
    await answer(failed());
    clock.advance(500);
    for (let batch = 0; batch < 6; batch++) await answer(TAKEN);
    expect(posts.slice(1).map(({ atMs, count }) => [atMs, count])).toEqual([
      [500, 32],
      [500, 64],
      [500, 128],
      [500, 256],
      [500, 32],
      [500, 512],
    ]);
  });

  test("the time of a try counts: one that was not answered for long is followed at once", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    clock.advance(3000);
    await answer(failed());
    expect(posts.map(({ atMs }) => atMs)).toEqual([0, 3000]);
  });

  test("the wait that was asked for is kept, whatever arrives", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 512));
    await answer(failed(7000));
    clock.advance(6999);
    sender.add(lines(512, 1024));
    expect(posts).toHaveLength(1);
    clock.advance(1);
    expect(posts).toHaveLength(2);
  });

  test("it is told once, and so is that all was taken at last", async () => {
    const { sender, clock, answer, messages } = scene;
    sender.add(lines(0, 512));
    await answer(failed());
    clock.advance(500);
    await answer(failed());
    clock.advance(1000);
    expect(messages()).toEqual(["logging service failing"]);
    for (let batch = 0; batch < 4; batch++) await answer(TAKEN);
    expect(messages()).toHaveLength(1);
    await answer(TAKEN);
    expect(messages()).toEqual(["logging service failing", "logging service works again"]);
    expect([sender.shippedLines, sender.droppedLines]).toEqual([512, 0]);
  });

  test("what the failure itself logs begins no second batch", async () => {
    const clock = new FakeClock();
    const log = keepingLog().log;
    let posts = 0;
    const sender: LogSender = new LogSender({
      clock,
      backlog: new LogBacklog(1024 * KIB),
      state: new LogSinkState(
        clock,
        { ...log, warn: () => sender.add(lines(512, 1024)) },
        "http://log",
      ),
      onClose() {},
      random: () => 1,
      post() {
        posts += 1;
        return Promise.resolve(failed());
      },
    });
    sender.add(lines(0, 512));
    await settle();
    expect([posts, clock.pendingTimers]).toEqual([1, 1]);
  });
});

describe("a batch that is refused", () => {
  test("is dropped and counted, and the next one is sent", async () => {
    const { sender, posts, answer, messages } = scene;
    sender.add(lines(0, 512));
    sender.add(lines(512, 1024));
    await answer(REFUSED);
    expect([sender.droppedLines, sender.waitingBytes]).toEqual([512, 512 * KIB]);
    expect(posts[1]).toMatchObject({ first: 512 });
    await answer(REFUSED);
    expect(messages()).toEqual(["logging service failing"]);
    expect([sender.droppedLines, sender.isDone]).toEqual([1024, true]);
  });

  test("for its length is halved at once, and from then on none is longer", async () => {
    const { sender, posts, answer } = scene;
    sender.add(lines(0, 512));
    sender.add(lines(512, 1024));
    await answer(TOO_LARGE);
    await answer(TOO_LARGE);
    for (let batch = 0; batch < 8; batch++) await answer(TAKEN);
    expect(posts.map(({ count }) => count)).toEqual([512, 256, ...Array<number>(8).fill(128)]);
    expect([sender.shippedLines, sender.droppedLines]).toEqual([1024, 0]);
  });

  test("for its length, though it is a single line, is dropped", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(`1${".".repeat(100 * KIB)}\n`);
    clock.advance(1000);
    await answer(TOO_LARGE);
    expect([posts.length, sender.droppedLines, sender.isDone]).toEqual([1, 1, true]);
  });

  test("for its length, though it is short, is dropped", async () => {
    const { sender, clock, posts, answer } = scene;
    sender.add(lines(0, 40));
    clock.advance(1000);
    await answer(TOO_LARGE);
    expect([posts.length, sender.droppedLines, sender.isDone]).toEqual([1, 40, true]);
  });
});
