import { randomBytes } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { CHAT } from "../support/live-request.ts";
import { sendRaw } from "../support/raw-http.ts";
import { json } from "../support/stub-behaviours.ts";
import { StubLogSink } from "../support/stub-log-sink.ts";
import { AUTHORIZED, openProcessScene } from "./faults/process-setup.ts";

const SECRET = `gr_live_${randomBytes(32).toString("hex")}`;
const PROMPT = `what I tell nobody: ${randomBytes(8).toString("hex")}`;

test("no key and no prompt reaches the Logging Service, even at level debug", async () => {
  const sink = await new StubLogSink().start();
  onTestFinished(() => sink.stop());
  const env = { LOGGING_URL: sink.url, API_DEBUG: "true" };
  const scene = await openProcessScene({ behaviour: json(), env });
  const { post, address, router } = scene;
  const chat = { ...CHAT, messages: [{ role: "user", content: PROMPT }] };
  expect((await post("/v1/chat/completions", chat)).status).toBe(200);
  const job = { model_id: "stub-model", payload: { prompt: PROMPT } };
  expect((await post("/api/v1/route", job)).status).toBe(200);
  expect((await post(`/v1/chat/completions?key=${SECRET}`, chat)).ok).toBe(false);
  for (let attempt = 0; attempt < 12; attempt++) {
    const authorization = `Bearer ${SECRET}`;
    expect((await post("/v1/chat/completions", chat, { authorization })).ok).toBe(false);
  }
  const port = Number(new URL(address).port);
  await sendRaw(port, `GET /${SECRET} HTTP/1.1\r\nHost: a\r\nbad header ${SECRET}\r\n\r\n`);
  router.signal("SIGINT");
  expect(await router.exit).toBe(0);
  const text = sink.batches.map((batch) => batch.text).join("\n");
  expect(text).toContain('"msg":"decision"');
  expect(text).toContain('"msg":"request"');
  const ownKey = AUTHORIZED.authorization.slice("Bearer ".length);
  for (const secret of [SECRET, PROMPT, ownKey]) expect(text).not.toContain(secret);
});
