import { expect, onTestFinished, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { RawConnection } from "../../support/raw-connection.ts";
import { json } from "../../support/stub-behaviours.ts";
import { AUTHORIZED, openProcessScene } from "./process-setup.ts";

/** Of which 32 are kept, and each client may need two. */
const OPEN_FILES = 128;
const CLIENTS_MAX = 48;
const PATIENT = { timeout: 15_000, interval: 100 };

test("F39 a flood of connections is refused above the limit; health and those within are served", async () => {
  const scene = await openProcessScene({ behaviour: json(), openFiles: OPEN_FILES });
  const port = Number(new URL(scene.address).port);
  const flood: RawConnection[] = [];
  onTestFinished(() => flood.forEach(({ socket }) => socket.destroy()));
  for (let i = 0; i < 300; i++) flood.push(await RawConnection.open(port));
  // Those that came first stay; what is above the limit goes, be it at once or after two seconds.
  await expect.poll(() => flood.filter(({ isOpen }) => isOpen).length, PATIENT).toBe(CLIENTS_MAX);
  expect(flood.slice(0, CLIENTS_MAX).every(({ isOpen }) => isOpen)).toBe(true);
  expect((await fetch(`${scene.address}/health`)).status).toBe(200);
  const refused = await fetch(`${scene.address}/v1/models`, { headers: AUTHORIZED });
  expect([refused.status, await refused.text()]).toEqual([
    503,
    expect.stringContaining(`as many connections as it may have (${CLIENTS_MAX})`),
  ]);
  // One of those that were let in is served, its worker's connection included.
  const body = JSON.stringify(CHAT);
  const head = `Authorization: ${AUTHORIZED.authorization}\r\nContent-Type: application/json`;
  const length = `Content-Length: ${body.length}`;
  flood[0]!.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: router\r\n${head}\r\n${length}\r\n\r\n${body}`,
  );
  await expect.poll(() => flood[0]!.statuses, PATIENT).toEqual([200]);
  for (const { socket } of flood) socket.destroy();
  await expect.poll(async () => (await scene.get("/v1/models")).status, PATIENT).toBe(200);
  expect(await scene.metric("router_refused_connections_total")).toBeGreaterThan(100);
  const lines = scene.router.log.filter(({ msg }) => msg === "connections refused");
  expect(lines).toHaveLength(1);
});

/** Opens files until there are none left, or closes them again. */
const TAKE_ALL_FILES = `
  import { closeSync, openSync } from "node:fs";
  let taken = [];
  process.on("SIGUSR2", () => {
    if (taken.length > 0) return (taken.forEach(closeSync), (taken = []));
    try { for (;;) taken.push(openSync("/dev/null")); } catch {}
  });`;

test("F39 a process without a file descriptor left goes on, and serves when it has some again", async () => {
  const scene = await openProcessScene({
    behaviour: json(),
    openFiles: OPEN_FILES,
    preload: encodeURIComponent(TAKE_ALL_FILES),
  });
  const port = Number(new URL(scene.address).port);
  scene.router.signal("SIGUSR2");
  const asked = Array.from({ length: 5 }, async () => {
    const client = new RawConnection(port);
    client.write("GET /health/live HTTP/1.1\r\nHost: router\r\nConnection: close\r\n\r\n");
    await client.closed;
    return client.statuses;
  });
  expect((await Promise.all(asked)).flat()).not.toContain(500);
  scene.router.signal("SIGUSR2");
  const chat = async () => (await scene.post("/v1/chat/completions", CHAT)).status;
  await expect.poll(chat, PATIENT).toBe(200);
  expect(scene.router.stderr).toBe("");
});
