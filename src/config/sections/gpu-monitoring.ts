import { parseHttpUrl } from "../addresses.ts";
import { SHORTEST_S, address, choice, list, mapping, number, seconds } from "../fields.ts";
import type { Environment } from "../secrets.ts";
import { readSecret, secretVariable } from "../secrets.ts";

export function gpuMonitoring(env: Environment) {
  return mapping({
    url: address(parseHttpUrl)
      .nullable()
      .default("http://gpu-monitoring-service:8080")
      .describe(
        "Base URL of the GPU Monitoring Service. null = no telemetry: workers are routed on " +
          "the router's own counts.",
      ),
    urls: list(address(parseHttpUrl))
      .default([])
      .describe(
        "More monitoring services beside url, one per GPU box. A dead one ages only its own GPUs.",
      ),
    source: choice(["service", "nvidia-smi", "dcgm"])
      .default("service")
      .describe("Where telemetry comes from: service asks url and urls."),
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
      settings.urls.forEach((url, index) => {
        if (url !== settings.url && settings.urls.indexOf(url) === index) return;
        const message = "the same service is listed twice: its GPUs would be reported twice";
        context.addIssue({ code: "custom", path: ["urls", index], message });
      });
    })
    .transform((settings) => ({ ...settings, token: readSecret(env, settings.token_env) }))
    .prefault({})
    .describe("What tells the router about the GPUs.");
}
