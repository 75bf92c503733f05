import { expect } from "vitest";
import type { ReloadOutcome } from "../../../src/app-reload.ts";
import type { Config } from "../../../src/config/schema.ts";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { held } from "../../support/stub-behaviours.ts";
import { SOON, type TestRouter } from "../../support/test-router.ts";

export type Changes = { readonly [Section in keyof Config]?: Partial<Config[Section]> };
export type WorkerSettings = Config["workers"][number];

/** Edits the config of a router that runs: each edit is made to what the last one that counted left. */
export class Reloader {
  readonly #router: TestRouter;
  #config: Config;

  constructor(router: TestRouter) {
    this.#router = router;
    this.#config = router.config;
  }

  get config(): Config {
    return this.#config;
  }

  /** Merged section by section; lists are taken as they are. */
  try(changes: Changes): ReloadOutcome {
    const next = { ...this.#config };
    for (const [section, change] of Object.entries(changes)) {
      const was: object = next[section as keyof Config];
      Object.assign(next, { [section]: Array.isArray(change) ? change : { ...was, ...change } });
    }
    const origin = { kind: "file", path: "config.yaml" } as const;
    const outcome = this.#router.app.reload(() => ({ config: next, origin, notices: [] }));
    if (outcome.kind === "applied") this.#config = next;
    return outcome;
  }

  /** Must count. */
  apply(changes: Changes): void {
    expect(this.try(changes)).toMatchObject({ kind: "applied", changed: expect.any(Array) });
  }

  /** The first worker's settings with some of them changed. */
  worker(changes: Partial<WorkerSettings>): WorkerSettings {
    return { ...this.#config.workers[0]!, ...changes };
  }
}

/** Until these workers are up, and no others are there. */
export async function untilUp(router: TestRouter, ...ids: readonly string[]): Promise<void> {
  await expect.poll(async () => upWorkers(router), SOON).toEqual([...ids].toSorted());
}

async function upWorkers(router: TestRouter): Promise<readonly string[]> {
  const headers = { authorization: `Bearer ${router.keys.operator}` };
  const text = await (await router.get("/api/v1/metrics", headers)).text();
  const up = text.matchAll(/^router_worker_up\{worker_id="(.*)"\} 1$/gm);
  return [...up].map(([, id = ""]) => id).toSorted();
}

/** What a chat would meet now: the strategy, and who could take it. */
export async function explain(router: TestRouter, headers: Readonly<Record<string, string>> = {}) {
  const body = { model_id: "stub-model", payload: { messages: [] } };
  const answer = await router.post("/api/v1/route/explain", body, headers);
  return (await answer.json()) as {
    readonly strategy: string;
    readonly chosen: string | null;
    readonly candidates: readonly {
      readonly worker_id: string;
      readonly rejected_by: { readonly filter: string; readonly reason: string } | null;
    }[];
  };
}

/** A worker with one slot, a chat that holds it, and one that waits for it. */
export async function openWithOneWaiting() {
  const busy = held();
  const { router, stub } = await openScene({ worker: { slots: 1 }, behaviour: busy.behaviour });
  const first = router.post(CHAT_PATH, CHAT);
  await stub.seen(1);
  const waiting = router.post(CHAT_PATH, CHAT);
  await expect.poll(() => queued(router), SOON).toBe(1);
  return { router, stub, edit: new Reloader(router), first, waiting, release: busy.release };
}

/** Requests that wait for a slot. */
export async function queued(router: TestRouter): Promise<number> {
  const headers = { authorization: `Bearer ${router.keys.admin}`, accept: "application/json" };
  const answer = await router.get("/api/v1/metrics", headers);
  return ((await answer.json()) as { readonly queued_requests: number }).queued_requests;
}

export const CHAT_PATH = "/v1/chat/completions";
