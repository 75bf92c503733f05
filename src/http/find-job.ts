import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { RouterError } from "../errors.ts";
import type { Job } from "../requests/job.ts";
import type { JobStore } from "../requests/store.ts";
import { identityOf } from "./auth.ts";
import { effectiveUser, seesEverything } from "./caller.ts";
import type { Identity } from "./keys.ts";
import { WISH_HEADERS } from "./openai-schemas.ts";

/** Whose jobs a caller sees, and which of them it may act on. */

export const jobParams = z.object({ request_id: z.string() });
export const jobUserHeader = WISH_HEADERS.pick({ "x-user-id": true });

type UserHeader = z.output<typeof jobUserHeader>;
type OfJob = FastifyRequest<{ Params: z.output<typeof jobParams>; Headers: UserHeader }>;

/** This run of the router, which is all that its jobs outlive. */
export interface Boot {
  readonly id: string;
  readonly startedAtWallMs: number;
}

export interface JobLookup {
  readonly store: JobStore;
  readonly boot: Boot;
}

/** Another user's job looks exactly like an unknown one. Throws REQUEST_NOT_FOUND. */
export function findJob(request: OfJob, { store, boot }: JobLookup): Job {
  const id = request.params.request_id;
  const { user, orAnyones } = readableJobs(request);
  const own = store.find(user, id);
  const [job, twin] = own === null && orAnyones ? store.findOfAnyone(id) : [own];
  if (twin) {
    const message = "several users have a job with this id: say whose with x-user-id";
    throw new RouterError("INVALID_REQUEST", message, { param: "x-user-id" });
  }
  if (job) return job;
  const startedAt = new Date(boot.startedAtWallMs).toISOString();
  const message =
    "no such job of yours: it may have expired (jobs.ttl), and none survives a restart of the " +
    `router: this one started at ${startedAt} (boot_id ${boot.id})`;
  throw new RouterError("REQUEST_NOT_FOUND", message, { param: "request_id" });
}

export interface ReadableJobs {
  readonly user: string;
  /** The role may read everybody's jobs, and nobody's were named. */
  readonly orAnyones: boolean;
}

/** Throws USER_MISMATCH. */
export function readableJobs(request: FastifyRequest<{ Headers: UserHeader }>): ReadableJobs {
  const identity = identityOf(request);
  const named = request.headers["x-user-id"];
  const user = effectiveUser(identity, named, "x-user-id");
  return { user, orAnyones: named === undefined && mayReadOthers(identity) };
}

/** Operators look at every job and end none but their own; services act for their users. */
export function mayActOn(job: Job, { user, role }: Identity): boolean {
  return job.owner === user || role === "service" || role === "admin";
}

/** Throws FORBIDDEN. `what`: as in "cancel it". */
export function requireActor(request: FastifyRequest, job: Job, what: string): void {
  if (mayActOn(job, identityOf(request))) return;
  throw new RouterError("FORBIDDEN", `only the job's owner, a service or an admin may ${what}`);
}

function mayReadOthers(identity: Identity): boolean {
  return identity.role === "service" || seesEverything(identity);
}
