import { describe, expect, test } from "vitest";
import { words } from "../../support/documented-words.ts";
import { expectTrouble } from "../../support/expect-trouble.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { hangBeforeHeaders, hangMidStream, json, stream } from "../../support/stub-behaviours.ts";
import { chatOf, openProcessScene } from "../faults/process-setup.ts";

const chat = "/v1/chat/completions";

describe("answers are slow", () => {
  test("because a whole answer takes longer than its time", async () => {
    const { router } = await openScene({ behaviour: hangBeforeHeaders });
    const says = words(
      "still generating after … s: stream, send x-timeout-ms, or raise request_router.request_timeout",
    );
    const late = await router.post(chat, CHAT, { "x-timeout-ms": "50" });
    await expectTrouble(late, { code: "DEADLINE_EXCEEDED", says });
  });

  test("because a stream pauses", async () => {
    const config = { request_router: { stream_idle_timeout: 0.2 } };
    const { router } = await openScene({ behaviour: hangMidStream(), config });
    const says = words("the worker sent nothing for … s (request_router.stream_idle_timeout)");
    expect(await (await router.post(chat, STREAMED_CHAT)).text()).toMatch(says);
  });

  test("and the log says whose time it was", async () => {
    const { router } = await openScene();
    await (await router.post(chat, CHAT)).text();
    const [line] = await router.requestLines(1);
    const time = expect.any(Number) as number;
    expect(line?.fields).toMatchObject({ queueMs: time, firstByteMs: time, totalMs: time });
  });

  test("because a proxy collects streams, which their header asks it not to", async () => {
    const { router } = await openScene({ behaviour: stream() });
    const streamed = await router.post(chat, STREAMED_CHAT);
    await streamed.text();
    expect(streamed.headers.get("x-accel-buffering")).toBe("no");
  });
});

/** The process believes that it holds nearly all of its container's memory. */
const NO_MEMORY = `
  process.constrainedMemory = () => 1 << 20;
  process.memoryUsage.rss = () => 1 << 20;`;

test("the router sheds work: the 503 and /health say what it is short of", async () => {
  const scene = await openProcessScene({
    behaviour: json(),
    preload: encodeURIComponent(NO_MEMORY),
  });
  await expect.poll(() => chatOf(1, scene), { timeout: 15_000, interval: 50 }).toBe(503);
  const body = { model: "stub", messages: [] };
  const refused = await scene.post(chat, body, { "x-priority": "1" });
  const says = words("the router is short of …, and refuses new work by priority: …");
  await expectTrouble(refused, { code: "OVERLOADED", says });
  const health = (await (await scene.get("/health")).json()) as { reasons: string[] };
  const short = words("short of …: priorities below … are refused");
  expect(health.reasons).toContainEqual(expect.stringMatching(short));
});

test("the docs page loads nothing but what lies under /docs at the root of its host", async () => {
  const { router } = await openScene();
  const page = await (await router.get("/docs")).text();
  const scripts = [...page.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, path = ""]) => path);
  expect(scripts).not.toEqual([]);
  for (const path of scripts) {
    expect(path).toMatch(/^\/docs\/static\//);
    expect((await router.get(path)).status).toBe(200);
  }
});
