import { describe, expect, test } from "vitest";
import { makeJobEnd } from "../../support/callback-builders.ts";
import type { CallbackReceiver } from "../../support/callback-receiver.ts";
import {
  answersWith,
  happens,
  leadAllTo,
  makeScene,
  startReceiver,
} from "../callbacks/callbacks-setup.ts";

const MIB = 2 ** 20;

type Answering = CallbackReceiver["answer"];
type Headers = Readonly<Record<string, string>>;

function answer(status: number, headers: Headers = {}): Answering {
  return (_request, response) => void response.writeHead(status, headers).end();
}

const IN_A_MINUTE = { "retry-after": "60" };
const ELSEWHERE = { location: "http://127.0.0.1:1/" };
const cut: Answering = ({ socket }) => void socket.destroy();

const toldAt = (port: number) => makeJobEnd({ url: new URL(`http://127.0.0.1:${port}/done`) });

describe("F71 a callback whose receiver", () => {
  test.each<{ what: string; behaviour: Answering; why: string; delayMs: number }>([
    { what: "answers 500", behaviour: answer(500), why: "answered 500", delayMs: 5_000 },
    {
      what: "answers 429",
      behaviour: answer(429, IN_A_MINUTE),
      why: "answered 429",
      delayMs: 60_000,
    },
    { what: "redirects", behaviour: answer(302, ELSEWHERE), why: "answered 302", delayMs: 5_000 },
    { what: "cuts the connection", behaviour: cut, why: "UND_ERR_SOCKET", delayMs: 5_000 },
  ])("F71 $what is sent again when it is time, not before", async ({ behaviour, why, delayMs }) => {
    const receiver = await startReceiver();
    receiver.answer = behaviour;
    const { callbacks, clock, said } = makeScene();
    callbacks.send(toldAt(receiver.port));
    await happens(() => said("callback failed").length === 1);
    expect(said("callback failed")).toMatchObject([{ fields: { why } }]);
    receiver.answer = answer(204);
    await clock.advanceAsync(delayMs - 1);
    expect(receiver.received).toHaveLength(1);
    await clock.advanceAsync(1);
    await happens(() => said("callback delivered").length === 1);
    expect(receiver.received).toHaveLength(2);
    expect(callbacks.pendingCount).toBe(0);
  });

  test("F71 refuses connections is tried again, and told when it is back", async () => {
    const receiver = await startReceiver();
    const { port } = receiver;
    await receiver.close();
    const { callbacks, clock, said } = makeScene();
    callbacks.send(toldAt(port));
    await happens(() => said("callback failed").length === 1);
    expect(said("callback failed")).toMatchObject([{ fields: { why: "ECONNREFUSED" } }]);
    await clock.advanceAsync(5_000);
    await happens(() => said("callback failed").length === 2);
    expect(callbacks.pendingCount).toBe(1);
  });

  test("F71 answers 410 is never sent to again", async () => {
    const receiver = await startReceiver();
    receiver.answer = answer(410);
    const { callbacks, clock, said } = makeScene();
    callbacks.send(toldAt(receiver.port));
    await happens(() => said("callback given up").length === 1);
    await clock.advanceAsync(86_400_000);
    expect(receiver.received).toHaveLength(1);
    expect(callbacks.pendingCount).toBe(0);
  });

  test("F71 says nothing is left after 15 s", async () => {
    const receiver = await startReceiver();
    receiver.answer = () => {};
    const { callbacks, clock, said } = makeScene();
    callbacks.send(toldAt(receiver.port));
    await happens(() => receiver.received.length === 1);
    await clock.advanceAsync(14_999);
    expect(receiver.openConnections).toBe(1);
    await clock.advanceAsync(1);
    await happens(() => said("callback failed").length === 1 && receiver.openConnections === 0);
  });

  test("F71 answers with a gigabyte is not read to its end", async () => {
    const receiver = await startReceiver();
    let sentBytes = 0;
    receiver.answer = (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const flood = (): void => {
        while (!response.destroyed && sentBytes < 1024 * MIB) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on("drain", flood);
      flood();
    };
    const { callbacks, said } = makeScene();
    callbacks.send(toldAt(receiver.port));
    await happens(() => said("callback delivered").length === 1 && receiver.openConnections === 0);
    // What the kernel's buffers of both ends take comes on top of the 64 KiB.
    expect(sentBytes).toBeLessThan(32 * MIB);
  });

  test("F71 has a public name that leads to a private address is not even connected to", async () => {
    const receiver = await startReceiver();
    leadAllTo(receiver);
    const { callbacks, said } = makeScene({ allowedHosts: [], lookup: answersWith("10.0.0.1") });
    const url = callbacks.check("https://hooks.example.com/done", "alice");
    callbacks.send(makeJobEnd({ url }));
    await happens(() => said("callback given up").length === 1);
    expect(receiver.connections).toBe(0);
  });

  test("F71 is slow gets four at a time, and others' callbacks go out meanwhile", async () => {
    const [slow, quick] = await Promise.all([startReceiver(), startReceiver()]);
    const waiting: (() => void)[] = [];
    slow.answer = (_request, response) => void waiting.push(() => response.writeHead(204).end());
    const { callbacks, said } = makeScene({
      allowedHosts: ["127.0.0.1", "hooks.lan"],
      lookup: answersWith("127.0.0.1"),
    });
    for (let sent = 0; sent < 9; sent++) callbacks.send(toldAt(slow.port));
    callbacks.send(makeJobEnd({ url: new URL(`http://hooks.lan:${quick.port}/done`) }));
    await happens(() => said("callback delivered").length === 1 && waiting.length === 4);
    expect([slow.connections, quick.connections]).toEqual([4, 1]);
    slow.answer = answer(204);
    for (const release of waiting) release();
    await happens(() => callbacks.pendingCount === 0);
  });
});
