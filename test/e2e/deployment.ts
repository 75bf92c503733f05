import { SCENE_KEYS } from "./scene.ts";
import { startOwnScene } from "./own-scene.ts";

/** What a suite needs to know of the router it runs against. */
export interface Deployment {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  /** A model that answers chats. */
  readonly model: string;
  /** True: its config is deploy/compose/config.test.yaml, so its workers, users and limits are known. */
  readonly isTestScene: boolean;
  /** Where to ask the stub log sink; null where there is none. */
  readonly logSinkUrl: string | null;
}

export interface OpenDeployment {
  readonly deployment: Deployment;
  /** Stops what was started for it; a deployment that was there stays as it is. */
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The router at ROUTER_URL, asked with ROUTER_API_KEY (and ROUTER_MODEL where the choice matters);
 * without ROUTER_URL one of our own. ROUTER_SCENE=test says that the one at ROUTER_URL is that of
 * docker-compose.test.yml: then the key is known, and LOG_SINK_URL may name its log sink.
 */
export async function openDeployment(env: Environment): Promise<OpenDeployment> {
  const url = env["ROUTER_URL"]?.replace(/\/+$/, "") || null;
  if (url === null) {
    const scene = await startOwnScene();
    const { routerUrl, logSinkUrl } = scene;
    const asked = { url: routerUrl, key: SCENE_KEYS.tester, isTestScene: true, logSinkUrl };
    return { deployment: await withModel(asked, null), close: () => scene.close() };
  }
  const isTestScene = env["ROUTER_SCENE"] === "test";
  const key = env["ROUTER_API_KEY"] || (isTestScene ? SCENE_KEYS.tester : "");
  if (key === "") throw new Error("ROUTER_API_KEY is missing: a key of the router at ROUTER_URL");
  const asked = { url, key, isTestScene, logSinkUrl: env["LOG_SINK_URL"] || null };
  const deployment = await withModel(asked, env["ROUTER_MODEL"] || null);
  return { deployment, close: () => Promise.resolve() };
}

const READY_MS_MAX = 30_000;
const ASK_AGAIN_MS = 200;

/** Waits until it is ready and lists a model, then looks for one that chats. */
async function withModel(
  asked: Omit<Deployment, "model">,
  wanted: string | null,
): Promise<Deployment> {
  const endMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const { models, problem } = await listModels(asked);
    if (models.length > 0)
      return { ...asked, model: wanted ?? (await firstThatChats(asked, models)) };
    if (performance.now() > endMs) throw new Error(`${asked.url}: ${problem}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

interface Found {
  readonly models: readonly string[];
  readonly problem: string;
}

async function listModels({ url, key }: Omit<Deployment, "model">): Promise<Found> {
  try {
    const answer = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    if (!answer.ok) return { models: [], problem: await answer.text() };
    const { data } = (await answer.json()) as { readonly data: readonly { readonly id: string }[] };
    return { models: data.map(({ id }) => id), problem: "no worker serves a model" };
  } catch (error) {
    const { message, cause } = error as Error;
    return { models: [], problem: `${message}: ${String(cause)}` };
  }
}

/** Embedding models are listed too, and nothing in the list tells them apart. */
async function firstThatChats(
  { url, key }: Omit<Deployment, "model">,
  models: readonly string[],
): Promise<string> {
  for (const model of models) {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(chat(model)),
    });
    await answer.body?.cancel();
    if (answer.ok) return model;
  }
  throw new Error(`none of ${models.join(", ")} answers chats: set ROUTER_MODEL to one that does`);
}

/** The smallest chat that is worth an answer: real deployments run these suites too. */
export function chat(model: string) {
  const messages = [{ role: "user" as const, content: "Say hello." }];
  return { model, messages, max_tokens: 8 };
}
