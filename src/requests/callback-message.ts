import { createHmac } from "node:crypto";

/** What is said, and the proof of who says it: as Standard Webhooks 1.0 has both. */

export interface JobEnd {
  /** As `Callbacks.check` returned it. */
  readonly url: URL;
  readonly requestId: string;
  readonly user: string;
  /** The model's public name. */
  readonly model: string;
  readonly status: "completed" | "failed" | "cancelled";
  readonly finishedAtWallMs: number;
}

/** All jobs of a batch are over. */
export interface BatchEnd extends Pick<JobEnd, "url" | "user" | "finishedAtWallMs"> {
  readonly batchId: string;
  /** How many of its jobs ended how. */
  readonly counts: Readonly<Record<JobEnd["status"], number>>;
}

/** Thin on purpose: payload and result are only given to who asks with a key. */
export function bodyOf(end: JobEnd | BatchEnd): string {
  const timestamp = new Date(end.finishedAtWallMs).toISOString();
  if ("batchId" in end) {
    const { batchId, user, counts } = end;
    const data = { batch_id: batchId, status: "completed", user_id: user, ...counts };
    return JSON.stringify({ type: "batch.completed", timestamp, data });
  }
  const { requestId, user, model, status } = end;
  const data = { request_id: requestId, status, model_id: model, user_id: user };
  return JSON.stringify({ type: `job.${status}`, timestamp, data });
}

/** The key in a secret of the form `whsec_` and base64, as config has checked it. */
export function signingKey(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ""), "base64");
}

export interface SignedMessage {
  /** The same in every attempt, so that a receiver can drop what it already has. */
  readonly id: string;
  /** When this attempt is made. */
  readonly wallMs: number;
  readonly body: string;
}

export function signatureHeaders(key: Buffer, message: SignedMessage): Record<string, string> {
  const { id, wallMs, body } = message;
  const timestampS = String(Math.floor(wallMs / 1000));
  const signature = createHmac("sha256", key).update(`${id}.${timestampS}.${body}`);
  return {
    "webhook-id": id,
    "webhook-timestamp": timestampS,
    "webhook-signature": `v1,${signature.digest("base64")}`,
  };
}
