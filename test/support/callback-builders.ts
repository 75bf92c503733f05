import type { JobEnd } from "../../src/requests/callback-message.ts";
import type { Callback } from "../../src/requests/callback-queue.ts";

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

export function makeJobEnd(changes: Partial<JobEnd> = {}): JobEnd {
  return {
    url: new URL("https://hooks.example.com/done"),
    requestId: "job-1",
    user: "alice",
    model: "llama-3-8b",
    status: "completed",
    finishedAtWallMs: Date.UTC(2026, 0, 1),
    ...changes,
  };
}

export function makeCallback(changes: Partial<Callback> = {}): Callback {
  const { url, requestId, user } = makeJobEnd();
  return { id: "msg_1", url, requestId, user, body: "{}", ...changes };
}
