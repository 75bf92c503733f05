import type * as z from "zod";
import { mapping } from "./fields.ts";
import type { Environment } from "./secrets.ts";
import { api } from "./sections/api.ts";
import { auth } from "./sections/auth.ts";
import { errorHandler } from "./sections/error-handler.ts";
import { gpuMonitoring } from "./sections/gpu-monitoring.ts";
import { callbacks, jobs, queue } from "./sections/jobs.ts";
import { checkChosenStrategy, loadBalancer, strategies } from "./sections/load-balancer.ts";
import { logging } from "./sections/logging.ts";
import { network } from "./sections/network.ts";
import { requestRouter } from "./sections/request-router.ts";
import { userQuotaManager, users } from "./sections/users.ts";
import { workers } from "./sections/workers.ts";

/** Names that config checks references against, but does not import. */
export interface KnownNames {
  readonly strategies: readonly string[];
  readonly filters: readonly string[];
  readonly scorers: readonly string[];
  readonly pickers: readonly string[];
  readonly engines: readonly string[];
}

/** What the checks of a setting depend on beside the setting itself. */
export interface Surroundings {
  readonly names: KnownNames;
  /** Where settings that name a variable find their secret. */
  readonly env: Environment;
}

/** Every setting: its form, default, unit and meaning. In the order of config.example.yaml. */
export function configSchema({ names, env }: Surroundings) {
  return mapping({
    api,
    gpu_monitoring: gpuMonitoring(env),
    load_balancer: loadBalancer,
    strategies: strategies(names),
    request_router: requestRouter,
    error_handler: errorHandler,
    user_quota_manager: userQuotaManager,
    users,
    queue,
    jobs,
    callbacks,
    logging,
    network,
    workers: workers(names.engines, env),
    auth,
  }).superRefine((config, context) => checkChosenStrategy(config, names, context), {
    when: () => true,
  });
}

/** The YAML's own shape and units, every key present. Secrets are read from the environment. */
export type Config = z.output<ReturnType<typeof configSchema>>;
