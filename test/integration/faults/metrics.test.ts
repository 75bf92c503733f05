import { expect, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";

async function scrape({ get, keys }: TestRouter): Promise<readonly string[]> {
  const answer = await get("/api/v1/metrics", { authorization: `Bearer ${keys.operator}` });
  expect(answer.status).toBe(200);
  const lines = (await answer.text()).split("\n");
  return lines.filter((line) => line.startsWith("router_"));
}

test("F55 series do not grow with users and models, and scrapes answer under load", async () => {
  const { router } = await openScene({ workers: 2 });
  const send = (user: string, model: string): Promise<number> =>
    router
      .post(
        PATH,
        { ...CHAT, model },
        { authorization: `Bearer ${router.keys.service}`, "x-user-id": user },
      )
      .then(async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      });
  await send("first", "stub-model");
  await send("first", "no-such-model");
  const few = await scrape(router);
  const requests = Array.from({ length: 400 }, (_, i) =>
    send(`user-${i}`, i % 2 === 0 ? "stub-model" : `random-model-${i}`),
  );
  const during = await Promise.all([scrape(router), scrape(router), scrape(router)]);
  expect(new Set(await Promise.all(requests))).toEqual(new Set([200, 404]));
  const many = await scrape(router);
  // What waited for a slot, and each worker, may have had its first sample meanwhile.
  expect(many.length).toBeLessThanOrEqual(few.length + 40);
  for (const line of [...during.flat(), ...many]) {
    expect(line).not.toMatch(/user-\d|random-model|no-such-model/);
  }
});
