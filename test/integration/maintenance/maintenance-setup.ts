import { as } from "../../support/job-api.ts";
import type { TestRouter } from "../../support/test-router.ts";

/** What POST …/maintenance answers. */
export interface Maintained {
  readonly gpu_id: string;
  readonly enabled: boolean;
  readonly reason: string | null;
  readonly since: string | null;
  readonly by: string | null;
  readonly workers: readonly {
    readonly worker_id: string;
    readonly active_requests: number;
    readonly cordoned: boolean;
  }[];
  readonly drained: boolean;
  readonly lasts: string | null;
}

/** With the operator's key. */
export function maintain(router: TestRouter, id: string, body: unknown): Promise<Response> {
  return router.post(maintenancePath(id), body, as(router.keys.operator));
}

export const maintenancePath = (id: string): string =>
  `/api/v1/gpus/${encodeURIComponent(id)}/maintenance`;

export async function setMaintenance(
  router: TestRouter,
  id: string,
  body: { readonly enabled: boolean; readonly reason?: string },
): Promise<Maintained> {
  const answer = await maintain(router, id, body);
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Maintained;
}

export const cordon = (router: TestRouter, id: string): Promise<Maintained> =>
  setMaintenance(router, id, { enabled: true });
export const uncordon = (router: TestRouter, id: string): Promise<Maintained> =>
  setMaintenance(router, id, { enabled: false });

/** What GET /api/v1/gpus says of one GPU or worker. */
export async function maintenanceOf(router: TestRouter, id: string, key = router.keys.operator) {
  const { gpus, workers } = (await (await router.get("/api/v1/gpus", as(key))).json()) as {
    readonly gpus: readonly Shown[];
    readonly workers: readonly Shown[];
  };
  const found = [...gpus, ...workers].find((row) => row.gpu_id === id || row.worker_id === id);
  if (!found) throw new Error(`${id} is not listed`);
  return found.maintenance;
}

interface Shown {
  readonly gpu_id?: string;
  readonly worker_id?: string;
  readonly maintenance: {
    readonly reason: string | null;
    readonly since: string;
    readonly by: string | null;
  } | null;
}
