import { expect, test } from "vitest";
import { sendLive } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";

const UUID = "3f2b8c1e-7a4d-4b6e-9f10-2c5d8e7a6b90";

test.each([UUID, UUID.toUpperCase()])("a worker is told the id %s", async (id) => {
  const { router, stub } = await openScene();
  await sendLive(router, { headers: { "x-request-id": id } }).text();
  expect(stub.requests[0]?.headers["x-request-id"]).toBe(id);
});

test("a worker is told the id that the router made", async () => {
  const { router, stub } = await openScene();
  const live = sendLive(router);
  await live.text();
  const { headers } = await live.head();
  expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(stub.requests[0]?.headers["x-request-id"]).toBe(headers["x-request-id"]);
});

test.each(["trace-1", UUID.replaceAll("-", ""), UUID.slice(1), `x${UUID}`, `${UUID}0`])(
  "an id that is no UUID (%s) stays with the client and the log",
  async (id) => {
    const { router, stub } = await openScene();
    const live = sendLive(router, { headers: { "x-request-id": id } });
    await live.text();
    expect(stub.requests[0]?.headers).not.toHaveProperty("x-request-id");
    expect((await live.head()).headers["x-request-id"]).toBe(id);
    expect((await router.requestLines(1))[0]?.fields).toMatchObject({ requestId: id });
  },
);
