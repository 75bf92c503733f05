import { parseHttpUrl } from "../addresses.ts";
import { SHORTEST_S, address, choice, list, mapping, number, seconds } from "../fields.ts";
import type { Environment } from "../secrets.ts";
import { readSecret, secretVariable } from "../secrets.ts";

const DEFAULT_URL = "http://gpu-monitoring-service:8080";

export function gpuMonitoring(env: Environment) {
  return mapping({
    url: address(parseHttpUrl)
      .nullable()
      .default(DEFAULT_URL)
      .describe(
        "Base URL of the GPU Monitoring Service, or of a dcgm-exporter. null = no telemetry from " +
          "there: workers are routed on the router's own counts.",
      ),
    urls: list(address(parseHttpUrl))
      .default([])
      .describe("More of them beside url, one per GPU box. A dead one ages only its own GPUs."),
    source: choice(["service", "nvidia-smi", "dcgm"])
      .default("service")
      .describe(
        "Where telemetry comes from: service (GPU Monitoring Services) and dcgm (dcgm-exporters) " +
          "ask url and urls, nvidia-smi reads the GPUs of this machine.",
      ),
    token_env: secretVariable(env)
      .nullable()
      .default(null)
      .describe(
        "Name of the environment variable with the Bearer token for url and urls. Set it when " +
          "they ask for one.",
      ),
    update_interval: seconds(SHORTEST_S, 3600)
      .default(5)
      .describe(
        "How often telemetry is polled. Lower sees heat and foreign load sooner, and asks more " +
          "often.",
      ),
    health_check_interval: seconds(SHORTEST_S, 86_400)
      .default(60)
      .describe(
        "How often the health of each GPU, and the models of each worker, are asked. Lower it " +
          "when models change often.",
      ),
    max_temperature: number(1, 150)
      .meta({ unit: "°C" })
      .default(85)
      .describe(
        "A GPU this hot gets no new requests until it is 5 °C cooler. Set it a little below " +
          "where your cards throttle.",
      ),
  })
    .superRefine((settings, context) => {
      for (const { path, message } of [...repeatedUrls(settings), ...urlsUnfit(settings)]) {
        context.addIssue({ code: "custom", path: [...path], message });
      }
    })
    .transform((settings) => ({ ...settings, token: readSecret(env, settings.token_env) }))
    .prefault({})
    .describe("What tells the router about the GPUs.");
}

interface Asked {
  readonly source: "service" | "nvidia-smi" | "dcgm";
  readonly url: string | null;
  readonly urls: readonly string[];
}

interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function repeatedUrls({ source, url, urls }: Asked): Fault[] {
  // An exporter may be given with its page.
  const meant = (given: string) => (source === "dcgm" ? given.replace(/\/metrics$/, "") : given);
  const all = urls.map(meant);
  const first = url === null ? null : meant(url);
  return all.flatMap((each, index) => {
    if (each !== first && all.indexOf(each) === index) return [];
    const message = "the same service is listed twice: its GPUs would be reported twice";
    return [{ path: ["urls", index], message }];
  });
}

function urlsUnfit({ source, url, urls }: Asked): Fault[] {
  if (source === "dcgm" && url === DEFAULT_URL) return [{ path: ["url"], message: NO_EXPORTER }];
  if (source !== "nvidia-smi") return [];
  const isGiven = url !== null && url !== DEFAULT_URL;
  return [
    ...(isGiven ? [{ path: ["url"], message: NOTHING_TO_ASK }] : []),
    ...(urls.length > 0 ? [{ path: ["urls"], message: NOTHING_TO_ASK }] : []),
  ];
}

const NO_EXPORTER =
  "the default is that of a GPU Monitoring Service; with source dcgm set it to your dcgm-exporter, " +
  "such as http://10.0.0.11:9400, or to null if all of them are in urls";

const NOTHING_TO_ASK =
  "source nvidia-smi reads the GPUs of this machine and asks no URL: remove this setting, or set " +
  "source to service or dcgm";
