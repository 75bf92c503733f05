import * as z from "zod";
import { parseHost } from "../addresses.ts";
import {
  SHORTEST_S,
  address,
  list,
  mapping,
  mebibytes,
  number,
  seconds,
  table,
  whole,
} from "../fields.ts";

export const jobs = mapping({
  ttl: seconds(SHORTEST_S, 2_592_000)
    .default(86_400)
    .describe("How long the result of a finished job can be fetched."),
  max_mb: mebibytes(65_536)
    .default(256)
    .describe("Memory for jobs and their results; the oldest results go first when it is full."),
})
  .prefault({})
  .describe("Jobs, which clients submit with POST /api/v1/route.");

export const queue = mapping({
  max_requests: whole(0, 1_000_000)
    .default(10_000)
    .describe("How many requests may wait for a slot. Lower it to refuse sooner under overload."),
  max_mb: mebibytes(65_536).default(256).describe("Memory for the bodies of waiting requests."),
  user_share: number(0.001, 1)
    .default(0.2)
    .describe("Largest share of the queue (0 to 1) that one user may fill."),
  ageing: seconds(SHORTEST_S, 86_400)
    .default(30)
    .describe("A waiting request rises by one priority per this time, so that none starves."),
  job_timeout: seconds(SHORTEST_S, 2_592_000)
    .default(86_400)
    .describe("How long a job may wait unless it says queue_timeout itself."),
})
  .prefault({})
  .describe("Where requests wait when every slot is taken.");

/** As Standard Webhooks has them. In its one spelling, because receivers' decoders are strict. */
function webhookSecret() {
  const error =
    "must be whsec_ and the base64 of 24 to 64 random bytes: " +
    'echo "whsec_$(openssl rand -base64 32)" makes one';
  return z.string({ error }).refine(
    (secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), "base64");
      const isCanonical = secret === PREFIX + key.toString("base64");
      return isCanonical && key.length >= 24 && key.length <= 64;
    },
    { error },
  );
}

const PREFIX = "whsec_";

export const callbacks = mapping({
  allowed_hosts: list(address(parseHost))
    .default([])
    .describe("Hosts that callbacks may reach over http, on any port and on private addresses."),
  secrets: table(webhookSecret())
    .default({})
    .describe(
      "Secret that signs a user's callbacks, by user: whsec_ and 24 to 64 bytes in base64.",
    ),
})
  .prefault({})
  .describe("Calls that tell a client that its job is over.");
