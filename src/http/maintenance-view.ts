import { z } from "zod";
import type { Cordon } from "../fleet/cordons.ts";
import { seesEverything } from "./caller.ts";
import type { Identity } from "./keys.ts";

/** A cordon as the API shows and takes it. */

const since = z.string().describe("When it was cordoned first.");
const by = z.string().nullable().describe("The user who cordoned it first; for operators.");
const reason = z.string().nullable().describe("In the operator's words, where some were given.");

export const maintenanceSchema = z
  .object({ reason, since, by })
  .nullable()
  .describe("null = no operator keeps new requests from it.");

/** In any language, on one line, and without what would act on a terminal. */
const REASON = /^[^\p{C}\p{Zl}\p{Zp}]{1,256}$/u;

export const maintenanceBodySchema = z
  .strictObject({
    enabled: z.boolean().describe("true: new requests go elsewhere. false: it gets some again."),
    reason: z
      .string()
      .regex(REASON, "must be 1 to 256 printable characters on one line; leave it out to give none")
      .optional()
      .describe("Why, in your words; users see it, too."),
  })
  .meta({ examples: [{ enabled: true, reason: "driver upgrade" }] });

export const maintainedSchema = z
  .object({
    gpu_id: z.string(),
    enabled: z.boolean(),
    ...{ reason, since: since.nullable(), by },
    workers: z
      .array(
        z.object({
          worker_id: z.string(),
          active_requests: z.number().describe("Requests of this router that run there."),
          cordoned: z.boolean().describe("By this id or by another one, such as its own."),
        }),
      )
      .describe("On the GPU, or the one of that id."),
    drained: z.boolean().describe("It is cordoned, and none of our requests runs there."),
    lasts: z.string().nullable().describe("How long a cordon lasts; null = there is none."),
  })
  .describe("What became of it.");

export const CORDON_LASTS = "until it is ended, or the router restarts";

export function viewMaintenance(cordon: Cordon | null | undefined, identity: Identity) {
  if (!cordon) return null;
  return {
    reason: cordon.reason,
    since: new Date(cordon.sinceWallMs).toISOString(),
    by: seesEverything(identity) ? cordon.by : null,
  };
}
