import { onTestFinished } from "vitest";
import { generateKey } from "../../../src/http/keys.ts";
import { CHAT } from "../../support/live-request.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import type { RouterProcess, RouterProcessOptions } from "../../support/router-process.ts";
import type { Behaviour } from "../../support/stub-behaviours.ts";
import { startStubWorker } from "../../support/stub-worker.ts";
import type { StubWorker } from "../../support/stub-worker.ts";

const { key, sha256 } = generateKey();

export const AUTHORIZED = { authorization: `Bearer ${key}` };

export interface ProcessScene {
  readonly router: RouterProcess;
  readonly stub: StubWorker;
  readonly address: string;
  readonly config: string;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  get(path: string): Promise<Response>;
  /** Of a metric without labels. */
  metric(name: string): Promise<number>;
}

interface ProcessSceneOptions extends Omit<RouterProcessOptions, "config"> {
  readonly behaviour: Behaviour;
  /** Lines of YAML beside those that every scene has. */
  readonly settings?: string;
}

/** A router in a process of its own, as it is deployed, before one stub worker that is up. */
export async function openProcessScene(options: ProcessSceneOptions): Promise<ProcessScene> {
  const { behaviour, settings = "", ...rest } = options;
  const stub = await startStubWorker({ behaviour });
  onTestFinished(() => stub.close());
  const config = `
    gpu_monitoring: { url: null }
    workers: [{ id: stub, url: "${stub.url}", slots: 100 }]
    users: [{ id: alice, request_limit: 1000000, priority_limit: 5 }]
    auth: { keys: [{ id: alice-1, user: alice, role: admin, sha256: ${sha256} }] }
${settings}`;
  const env = { API_HOST: "127.0.0.1", ...rest.env };
  const router = openRouterProcess({ ...rest, env, config });
  const address = await router.address();
  await router.printed(/"to":"up"/);
  return { router, stub, address, config, ...callsTo(address) };
}

export function callsTo(address: string) {
  const get = (path: string): Promise<Response> => fetch(address + path, { headers: AUTHORIZED });
  return {
    get,
    post: (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
      fetch(address + path, {
        method: "POST",
        headers: { ...AUTHORIZED, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    async metric(name: string): Promise<number> {
      const text = await (await get("/api/v1/metrics")).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    },
  };
}

/** The status of a chat request of this band. */
export async function chatOf(band: number, { post }: Pick<ProcessScene, "post">): Promise<number> {
  const headers = { "x-priority": String(band) };
  const answer = await post("/v1/chat/completions", CHAT, headers);
  await answer.arrayBuffer();
  return answer.status;
}
