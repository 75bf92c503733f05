import { Agent, request } from "node:http";
import { expect, test } from "vitest";
import { CHAT, sendLive } from "../../support/live-request.ts";
import { inTurn, openScene, sentTo } from "../../support/router-scene.ts";
import {
  chatCompletion,
  destroyBeforeHeaders,
  json,
  rawAnswer,
  stream,
} from "../../support/stub-behaviours.ts";
import type { TestRouter } from "../../support/test-router.ts";

const PATH = "/v1/chat/completions";
const QUICK = { request_router: { retry_delay: 0.001 } };
const PATIENT = { request_router: { retry_delay: 60 } };

function wholeAnswer(text: string): string {
  const body = JSON.stringify(chatCompletion(text));
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  return `${head}\r\n\r\n${body}`;
}

test("a refused connection is tried elsewhere at once, and the client never knows", async () => {
  const load_balancer = { strategy: "round_robin" };
  const { router, stubs } = await openScene({ workers: 2, config: { ...PATIENT, load_balancer } });
  stubs[1]!.stopListening();
  const attempts: (string | null)[] = [];
  for (let count = 0; count < 10; count++) {
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(200);
    attempts.push(answer.headers.get("x-route-attempts"));
  }
  expect(attempts).toContain("2");
  expect(stubs[1]!.requests).toHaveLength(0);
});

test("a worker that dies under load costs no client an error, and is out after three refusals", async () => {
  const { router, stubs } = await openScene({ workers: 2, config: PATIENT });
  stubs[1]!.stopListening();
  const answers = await Promise.all(Array.from({ length: 40 }, () => router.post(PATH, CHAT)));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const { connection = 0 } = await router.attemptClasses();
  expect(connection).toBeGreaterThan(0);
  for (let count = 0; count < 20; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect((await router.attemptClasses())["connection"]).toBe(connection);
});

test("an idle connection that the worker closes as we send costs a retry, and no error", async () => {
  const { router, stub } = await openScene({ config: QUICK });
  stub.next(json(), destroyBeforeHeaders);
  for (const attempts of ["1", "2"]) {
    const answer = await router.post(PATH, CHAT);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-route-attempts")).toBe(attempts);
  }
});

test("a worker that hangs up right after each answer costs no client an error", async () => {
  const behaviour = rawAnswer(wholeAnswer("bye"));
  const { router, stub } = await openScene({ behaviour, config: QUICK });
  for (let count = 0; count < 30; count++) {
    expect((await router.post(PATH, CHAT)).status).toBe(200);
  }
  expect(sentTo([stub])).toBeGreaterThanOrEqual(30);
});

test("bytes after an answer's end never become another request's answer", async () => {
  const poisoned = wholeAnswer("first") + wholeAnswer("poison");
  const { router, stub } = await openScene({ config: QUICK });
  stub.next(rawAnswer(poisoned, { thenClose: false }));
  expect(await (await router.post(PATH, CHAT)).text()).toContain("first");
  await stub.nextAbort();
  for (let count = 0; count < 3; count++) {
    expect(await (await router.post(PATH, CHAT)).text()).toContain("hello from the stub");
  }
});

test.each(["102 Processing", "103 Early Hints"])(
  "%s before the answer is no answer",
  async (hint) => {
    const hints = `HTTP/1.1 ${hint}\r\nlink: </a>\r\n\r\n`.repeat(3);
    const { router } = await openScene({ behaviour: rawAnswer(hints + wholeAnswer("late")) });
    const answer = await router.post(PATH, CHAT);
    expect(answer.headers.get("x-route-attempts")).toBe("1");
    expect(answer.headers.get("link")).toBeNull();
    expect(await answer.text()).toContain("late");
  },
);

test("a hundred answers on one client connection leave no listener on it", async () => {
  const warnings: Error[] = [];
  const keep = (warning: Error): void => void warnings.push(warning);
  process.on("warning", keep);
  const { router } = await openScene({ behaviour: inTurn(json(), stream()) });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({ ...CHAT, stream: true });
  await postWith(agent, router, JSON.stringify(CHAT));
  const [socket] = Object.values(agent.freeSockets).flat();
  for (let count = 1; count < 100; count++) expect(await postWith(agent, router, body)).toBe(200);
  expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
  agent.destroy();
  await router.close();
  process.off("warning", keep);
  expect(warnings).toEqual([]);
});

function postWith(agent: Agent, router: TestRouter, body: string): Promise<number | undefined> {
  const headers = {
    authorization: `Bearer ${router.keys.user}`,
    "content-type": "application/json",
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(router.url + PATH, { agent, method: "POST", headers });
    outgoing.on("error", reject).on("response", (incoming) => {
      // A free socket is reused from the next turn on.
      incoming.resume().on("end", () => setImmediate(() => resolve(incoming.statusCode)));
    });
    outgoing.end(body);
  });
}

test("a client that asks for the headers only, or for what a path cannot, gets our 404", async () => {
  const { router, stub } = await openScene();
  for (const method of ["HEAD", "OPTIONS", "GET", "PUT"]) {
    const headers = { authorization: `Bearer ${router.keys.user}` };
    const answer = await fetch(router.url + PATH, { method, headers });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("allow")).toBe("POST");
    await answer.arrayBuffer();
  }
  expect(stub.requests).toHaveLength(0);
  expect(await sendLive(router).text()).toContain("hello");
});
