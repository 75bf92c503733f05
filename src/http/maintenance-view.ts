import { z } from "zod";
import { cordonOver, isMeantBy, type Cordon } from "../fleet/cordons.ts";
import type { FleetSnapshot, RetiredWorker } from "../fleet/snapshot.ts";
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

/**
 * In any language, on one line, without what would act on a terminal, and not blank. Persian and Hindi
 * cannot be written without the two joiners, which are format characters as well.
 */
const REASON =
  /^(?=.*[^\p{Z}\p{Default_Ignorable_Code_Point}])(?:[^\p{C}\p{Zl}\p{Zp}]|[\u200c\u200d]){1,256}$/u;

export const maintenanceBodySchema = z
  .strictObject({
    enabled: z.boolean().describe("true: new requests go elsewhere. false: it gets some again."),
    reason: z
      .string()
      .regex(
        REASON,
        "must be 1 to 256 printable characters on one line, and not blank; leave it out to give none",
      )
      .optional()
      .describe("Why, in your words; users see it, too."),
  })
  .meta({ examples: [{ enabled: true, reason: "driver upgrade" }] });

const workers = z
  .array(
    z.object({
      worker_id: z.string(),
      active_requests: z.number().describe("Requests of this router that run there."),
      cordoned: z.boolean().describe("By this id or by another one, such as its own."),
    }),
  )
  .describe(
    "On the GPU now, when it was cordoned, or both; or the one of that id. With those that a reload " +
      "took away, until their last requests have ended.",
  );
const drained = z.boolean().describe("It is cordoned, and none of our requests runs there.");

export const maintainedSchema = z
  .object({
    gpu_id: z.string(),
    enabled: z.boolean(),
    ...{ reason, since: since.nullable(), by, workers, drained },
    lasts: z.string().nullable().describe("How long a cordon lasts; null = there is none."),
  })
  .describe("What became of it.");

export const cordonsSchema = z
  .array(z.object({ gpu_id: z.string(), reason, since, by, workers, drained }))
  .nullable()
  .describe("All of them, also on what the fleet no longer has; null = they are for operators.");

export const CORDON_LASTS = "until it is ended, or the router restarts";

export function viewMaintenance(cordon: Cordon | null | undefined, identity: Identity) {
  return cordon ? viewCordon(cordon, identity) : null;
}

function viewCordon(cordon: Cordon, identity: Identity) {
  return {
    reason: cordon.reason,
    since: new Date(cordon.sinceWallMs).toISOString(),
    by: seesEverything(identity) ? cordon.by : null,
  };
}

/** What of ours runs where. */
export interface WorkView {
  readonly snapshot: FleetSnapshot;
  readonly retired: () => readonly RetiredWorker[];
  readonly ownLeases: (workerIndex: number) => number;
}

/**
 * The workers that an id means, with what runs there. What runs on one that a reload took away, or put
 * elsewhere, counts under its id until it has ended.
 */
export function viewWork(id: string, { snapshot, retired, ownLeases }: WorkView) {
  const { cordons } = snapshot;
  const gone = retired().filter(({ index }) => ownLeases(index) > 0);
  const rows = new Map<string, z.infer<typeof workers>[number]>();
  for (const worker of [...snapshot.workers, ...gone]) {
    if (!isMeantBy(id, worker, cordons)) continue;
    const { active_requests: others = 0, cordoned = false } = rows.get(worker.id) ?? {};
    rows.set(worker.id, {
      worker_id: worker.id,
      active_requests: others + ownLeases(worker.index),
      cordoned: cordoned || cordonOver(worker, cordons) !== null,
    });
  }
  return [...rows.values()];
}

/** True where none of our requests runs. */
export function isIdle(work: ReturnType<typeof viewWork>): boolean {
  return work.every(({ active_requests: active }) => active === 0);
}

/** Every cordon, with what still runs there; null where the caller is no operator. */
export function viewCordons(identity: Identity, view: WorkView) {
  if (!seesEverything(identity)) return null;
  return [...view.snapshot.cordons.values()].map((cordon) => {
    const work = viewWork(cordon.id, view);
    const said = viewCordon(cordon, identity);
    return { gpu_id: cordon.id, ...said, workers: work, drained: isIdle(work) };
  });
}
