import type { QuotasDeps } from "./admission/quotas.ts";
import type { GivenLimits } from "./admission/user-limits.ts";
import type { Config } from "./config/schema.ts";
import type { DispatchSettings } from "./dispatch/dispatcher.ts";
import type { FleetSettings } from "./fleet/fleet-loop.ts";
import { workerSpecOf } from "./fleet/worker-spec.ts";
import { createKeyDirectory } from "./http/keys.ts";
import { buildStrategy } from "./routing/strategies.ts";

/** What each part is told of the config, in the units of the code. */

export const MS = 1000;
export const MIB = 1024 * 1024;

export function frontSettings({ auth, network, api, request_router: router, queue }: Config) {
  return {
    door: {
      keys: createKeyDirectory(auth.keys),
      allowedCidrs: network.allowed_cidrs,
      trustedProxies: network.trusted_proxies,
      bodyLimitMb: api.body_limit_mb,
    },
    timeouts: {
      defaultMs: router.request_timeout * MS,
      maxMs: router.max_timeout * MS,
      queueMs: queue.job_timeout * MS,
    },
  };
}

export function fleetSettings({
  gpu_monitoring,
  error_handler,
  network,
  workers,
}: Config): FleetSettings {
  const { url, urls, token } = gpu_monitoring;
  return {
    workers: workers.map(workerSpecOf),
    workerHosts: network.worker_hosts,
    maxTemperatureC: gpu_monitoring.max_temperature,
    monitorUrls: url === null ? urls : [url, ...urls],
    monitorToken: token,
    updateIntervalMs: gpu_monitoring.update_interval * MS,
    healthCheckIntervalMs: gpu_monitoring.health_check_interval * MS,
    retry: { maxRetries: error_handler.max_retries, delayMs: error_handler.retry_delay * MS },
  };
}

export function dispatchSettings(config: Config): DispatchSettings {
  const { request_router: router, gpu_monitoring: monitoring, load_balancer: balancer } = config;
  const { queue } = config;
  return {
    strategy: buildStrategy({
      name: balancer.strategy,
      weights: balancer.weights,
      pipelines: config.strategies,
    }),
    retry: { maxRetries: router.max_retries, delayMs: router.retry_delay * MS },
    maxTemperatureC: monitoring.max_temperature,
    foreignFadeMs: 2 * monitoring.update_interval * MS,
    streamIdleMs: router.stream_idle_timeout * MS,
    maxAnswerBytes: router.max_response_mb * MIB,
    queue: {
      maxRequests: queue.max_requests,
      maxBytes: queue.max_mb * MIB,
      userShare: queue.user_share,
      ageingMs: queue.ageing * MS,
    },
  };
}

export function quotaSettings({
  user_quota_manager: manager,
  users,
}: Config): Omit<QuotasDeps, "clock" | "store"> {
  return {
    windowMs: manager.quota_check_interval * MS,
    defaults: {
      gpuLimit: manager.default_gpu_limit,
      requestLimit: manager.default_request_limit,
      priorityLimit: manager.default_priority_limit,
      tokenLimit: null,
    },
    config: new Map(users.map((user) => [user.id, givenLimitsOf(user)])),
  };
}

function givenLimitsOf(user: Config["users"][number]): GivenLimits {
  const { gpu_limit: gpuLimit, request_limit: requestLimit } = user;
  const { priority_limit: priorityLimit, token_limit: tokenLimit } = user;
  return {
    limits: {
      ...(gpuLimit !== null && { gpuLimit }),
      ...(requestLimit !== null && { requestLimit }),
      ...(priorityLimit !== null && { priorityLimit }),
      ...(tokenLimit !== null && { tokenLimit }),
    },
    expiresAtWallMs: user.expiration_time === null ? null : Date.parse(user.expiration_time),
  };
}
