import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Connections } from "../../../src/http/connections.ts";
import type { RouterApp } from "../../../src/http/router-app.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog } from "../../support/fleet-builders.ts";

/** A bare server whose connections are watched, and a client that has asked it something. */
async function watched(options: { sendsAway?: () => boolean } = {}) {
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const count = { refused: 0 };
  const connections = new Connections({
    ...{ clock, log, sendsAway: options.sendsAway ?? (() => false) },
    onRefused: () => void (count.refused += 1),
  });
  const answers: ServerResponse[] = [];
  const server = createServer((_request, response) => void answers.push(response));
  const app = { server, addHook: () => app };
  connections.watch(app as unknown as RouterApp);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    connections.close();
    server.closeAllConnections();
    server.close();
  });
  /** Resolves with the answer to be given, and the client, which reads nothing yet. */
  async function ask(): Promise<{ answer: ServerResponse; client: Socket }> {
    const client = connect(port, "127.0.0.1");
    client.pause();
    client.on("error", () => {});
    client.write("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    await once(server, "request");
    onTestFinished(() => void client.destroy());
    return { answer: answers.at(-1)!, client };
  }
  return { clock, connections, server, ask, lines, count };
}

const MIB = 1024 * 1024;
const UNREAD = Buffer.alloc(32 * MIB, "x");

test("a client that reads nothing of its answer for a minute is cut", async () => {
  const { clock, connections, ask } = await watched();
  const { answer } = await ask();
  answer.end(UNREAD);
  clock.advance(60_000);
  expect(answer.socket?.destroyed).toBe(false);
  const closed = once(answer, "close");
  clock.advance(5_000);
  await closed;
  expect(answer.writableFinished).toBe(false);
  expect(connections.openAnswers).toBe(0);
});

test("a client that reads a little of it now and then is not cut", async () => {
  const { clock, ask } = await watched();
  const { answer, client } = await ask();
  answer.end(UNREAD);
  for (let round = 0; round < 4; round++) {
    clock.advance(50_000);
    // More than the system itself keeps for a connection.
    for (let bytes = 0; bytes < 6 * MIB;) {
      const chunk = client.read() as Buffer | null;
      bytes += chunk?.length ?? 0;
      if (chunk === null) await once(client, "readable");
    }
  }
  expect(answer.socket?.destroyed).toBe(false);
});

test("a quiet stream whose client has read all of it is not cut", async () => {
  const { clock, ask } = await watched();
  const { answer, client } = await ask();
  client.resume();
  answer.write("data: 1\n\n");
  await once(client, "data");
  clock.advance(600_000);
  expect(answer.socket?.destroyed).toBe(false);
  answer.end();
});

test("answers that begin while clients are sent away close their connection", async () => {
  const state = { sendsAway: false };
  const { ask } = await watched({ sendsAway: () => state.sendsAway });
  const kept = await ask();
  state.sendsAway = true;
  const closed = await ask();
  for (const { answer, client } of [kept, closed]) {
    client.resume();
    answer.end();
  }
  const heads = await Promise.all(
    [kept, closed].map(async ({ client }) => String((await once(client, "data"))[0])),
  );
  expect(heads[0]).toMatch(/connection: keep-alive/i);
  expect(heads[1]).toMatch(/connection: close/i);
});

test("at the stop, answers that have not begun become the last of their connection", async () => {
  const { connections, ask } = await watched();
  const { answer, client } = await ask();
  connections.sendAway();
  answer.end("late");
  client.resume();
  expect(String((await once(client, "data"))[0])).toMatch(/connection: close/i);
});

test("an accept that failed is counted and logged, once a minute at most", async () => {
  const { clock, server, lines, count } = await watched();
  const failed = (): void =>
    void server.emit("error", Object.assign(new Error("accept"), { code: "EMFILE" }));
  for (let i = 0; i < 5; i++) failed();
  server.emit("drop", {});
  clock.advance(59_000);
  failed();
  expect(lines).toMatchObject([{ fields: { refused: 1, why: "EMFILE" } }]);
  clock.advance(1_000);
  failed();
  expect(count.refused).toBe(8);
  expect(lines).toMatchObject([{}, { level: "warn", fields: { refused: 7, why: "EMFILE" } }]);
});
