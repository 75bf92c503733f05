import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { bodyOf, signatureHeaders, signingKey } from "../../../src/requests/callback-message.ts";
import { makeJobEnd, SECRET } from "../../support/callback-builders.ts";

const key = signingKey(SECRET);

test("the reference library verifies what is signed, and reads the body", () => {
  const body = bodyOf(makeJobEnd());
  const headers = signatureHeaders(key, { id: "msg_1", wallMs: systemClock.wallMs(), body });
  expect(new Webhook(SECRET).verify(body, headers)).toEqual({
    type: "job.completed",
    timestamp: "2026-01-01T00:00:00.000Z",
    data: {
      request_id: "job-1",
      status: "completed",
      model_id: "llama-3-8b",
      user_id: "alice",
    },
  });
});

test("it refuses another body, id, time or secret", () => {
  const body = bodyOf(makeJobEnd());
  const wallMs = systemClock.wallMs();
  const headers = signatureHeaders(key, { id: "msg_1", wallMs, body });
  const other = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
  const later = { "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) };
  const verify = (secret: string, text: string, changes: object = {}) =>
    new Webhook(secret).verify(text, { ...headers, ...changes });
  for (const forged of [
    () => verify(SECRET, body.replace("job-1", "job-2")),
    () => verify(SECRET, body, { "webhook-id": "msg_2" }),
    () => verify(SECRET, body, later),
    () => verify(other, body),
  ]) {
    expect(forged).toThrow(WebhookVerificationError);
  }
});

test.each(["completed", "failed", "cancelled"] as const)("a job that %s says so", (status) => {
  expect(JSON.parse(bodyOf(makeJobEnd({ status })))).toMatchObject({
    type: `job.${status}`,
    data: { status },
  });
});

test("the body stays far below 20 kB with the longest names that there are", () => {
  const wide = "\u{1f600}";
  const end = makeJobEnd({
    requestId: "r".repeat(64),
    model: wide.repeat(128),
    user: "u".repeat(128),
  });
  expect(Buffer.byteLength(bodyOf(end))).toBeLessThan(2_000);
});
