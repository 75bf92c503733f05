import { expect, test } from "vitest";
import { as } from "../../support/job-api.ts";
import { sendLive, STREAMED_CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { destroyMidStream, stream } from "../../support/stub-behaviours.ts";

test("a stream that was cut after it began counts as cut, and as failed for its user", async () => {
  const { router, stub } = await openScene();
  stub.next(stream(), destroyMidStream());
  await sendLive(router, { body: STREAMED_CHAT }).text();
  expect(await sendLive(router, { body: STREAMED_CHAT }).text()).toContain("event: error");
  await router.requestLines(2);
  const metrics = "/api/v1/metrics";
  const text = await (await router.get(metrics, as(router.keys.operator))).text();
  const counts = [...text.matchAll(/^router_requests_total\{.*status="(\w+)"\} ([1-9]\d*)$/gm)];
  expect(counts.map(([, status, count]) => [status, count])).toEqual([
    ["200", "1"],
    ["cut", "1"],
  ]);
  const json = await router.get(metrics, {
    ...as(router.keys.user),
    accept: "application/json",
  });
  expect(await json.json()).toMatchObject({
    user_metrics: [{ user_id: "user", total_requests: 2, failed_requests: 1 }],
  });
});
