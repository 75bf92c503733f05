import { hash } from "node:crypto";
import type { Config } from "../config/schema.ts";
import type { DemoFleet } from "./demo-fleet.ts";

/** Telemetry of the demo moves fast enough to be watched. */
const UPDATE_INTERVAL_S = 1;

/** Room to play. The user limited has the default limits, to see them work. */
const DEMO_USER = {
  id: "demo",
  gpu_limit: 4,
  request_limit: 100_000,
  priority_limit: 5,
  token_limit: null,
  expiration_time: null,
};

/** What a config file for the demo fleet would say. */
export function demoConfig(config: Config, fleet: DemoFleet): Config {
  return {
    ...config,
    gpu_monitoring: {
      ...config.gpu_monitoring,
      source: "service",
      url: fleet.monitoringUrl,
      update_interval: Math.min(config.gpu_monitoring.update_interval, UPDATE_INTERVAL_S),
    },
    workers: fleet.workers.map((worker) => ({
      ...worker,
      gpus: [...worker.gpus],
      models: [],
      types: ["inference"],
      api_key_env: null,
      api_key: null,
      load_timeout: 300,
    })),
    users: config.users.some(({ id }) => id === DEMO_USER.id)
      ? config.users
      : [...config.users, DEMO_USER],
    auth: {
      keys: fleet.keys.map(({ key, ...entry }) => ({
        ...entry,
        sha256: hash("sha256", key, "hex"),
      })),
    },
  };
}
