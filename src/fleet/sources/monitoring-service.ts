import { systemClock, type Clock } from "../../clock.ts";
import { createGetAgent, limitedGet, refusal, type GetAnswer } from "./limited-get.ts";
import { parseLenientJson, type LenientJson } from "./lenient-json.ts";
import { readGpus } from "./read-gpus.ts";
import { readHealth } from "./read-health.ts";
import type { GpuSource } from "./source.ts";

export interface MonitoringServiceOptions {
  readonly name: string;
  /** Base URL; `/gpus` and `/gpus/{id}/health` are asked below it. */
  readonly url: string;
  /** Sent as Bearer. */
  readonly token: string | null;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

const MAX_BODY_BYTES = 5 * 1024 * 1024;

/** GPU telemetry from the GPU Monitoring Service, over HTTP. */
export function createMonitoringService(options: MonitoringServiceOptions): GpuSource {
  const { name, token, timeoutMs = 2000, clock = systemClock } = options;
  const { hostname, origin, pathname } = new URL(options.url);
  const base = origin + pathname.replace(/\/+$/, "");
  const agent = createGetAgent(timeoutMs);

  async function get(url: string): Promise<GetAnswer> {
    try {
      return await limitedGet(agent, { url, token, timeoutMs, maxBytes: MAX_BODY_BYTES, clock });
    } catch (error) {
      throw new Error(`${(error as Error).message}; ${NO_ANSWER_FIX}`, { cause: error });
    }
  }

  return {
    name,
    host: hostname,
    async poll() {
      const url = `${base}/gpus`;
      return readAnswer(await get(url), url, ({ value, repaired }) => {
        const result = readGpus(value);
        return repaired ? { ...result, problems: [NOT_JSON, ...result.problems] } : result;
      });
    },
    async health(gpuId) {
      const url = `${base}/gpus/${encodeURIComponent(gpuId)}/health`;
      const answer = await get(url);
      if (answer.status === 404) return null;
      return readAnswer(answer, url, ({ value }) => readHealth(value));
    },
    close: () => agent.destroy(),
  };
}

const NO_ANSWER_FIX =
  "start the GPU Monitoring Service there, or correct gpu_monitoring.url (null = no telemetry)";

const NOT_JSON = "the answer has NaN or Infinity, which JSON does not know; they count as unknown";

function readAnswer<T>(
  { status, text }: GetAnswer,
  url: string,
  shape: (json: LenientJson) => T,
): T {
  if (status !== 200) throw new Error(`GET ${url} ${reasonOf(status, text) ?? refusal(status)}`);
  const json = parseLenientJson(text);
  if (json === null) {
    const found = `GET ${url} answered 200 with ${kindOf(text)}`;
    throw new Error(`${found}, expected JSON; check gpu_monitoring.url`);
  }
  try {
    return shape(json);
  } catch (error) {
    throw new Error(`GET ${url} answered 200 with ${(error as Error).message}`, { cause: error });
  }
}

const MAX_REASON_CHARS = 500;

/** Why it cannot answer, in its own words; null = it gives none. Our companion gives one. */
function reasonOf(status: number, text: string): string | null {
  if (status < 500) return null;
  const body = parseLenientJson(text)?.value as { readonly error?: { readonly message?: unknown } };
  const message = body?.error?.message;
  if (typeof message !== "string" || message === "") return null;
  return `answered ${status}: ${message.slice(0, MAX_REASON_CHARS)}`;
}

function kindOf(text: string): string {
  if (text.trim() === "") return "an empty body";
  return text.trimStart().startsWith("<") ? "HTML" : "text that is not JSON";
}
