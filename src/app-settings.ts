import type { GivenLimits, LimitSettings } from "./admission/user-limits.ts";
import type { Config } from "./config/schema.ts";
import type { DispatchSettings } from "./dispatch/dispatcher.ts";
import type { CooldownSettings } from "./failures/cooldowns.ts";
import type { FleetSettings } from "./fleet/fleet-loop.ts";
import type { SourceSpec } from "./fleet/sources/open-source.ts";
import { workerSpecOf } from "./fleet/worker-spec.ts";
import type { JobTimeouts } from "./http/envelope.ts";
import type { DoorSettings } from "./http/front-door.ts";
import { createKeyDirectory } from "./http/keys.ts";
import { createNetworkGate, createProxyMatcher } from "./http/network.ts";
import { signingKey } from "./requests/callback-message.ts";
import type { CallbackSettings } from "./requests/callbacks.ts";
import { buildStrategy } from "./routing/strategies.ts";

/** What each part is told of the config, in the units of the code. */

export const MS = 1000;
export const MIB = 1024 * 1024;

/** Everything that the parts are told of one config, worked out before any of it counts. */
export interface AppSettings {
  readonly config: Config;
  readonly door: DoorSettings;
  readonly timeouts: JobTimeouts;
  readonly fleet: FleetSettings;
  readonly cooldowns: CooldownSettings;
  readonly dispatch: DispatchSettings;
  readonly limits: LimitSettings;
  readonly callbacks: CallbackSettings;
}

export function settingsOf(config: Config): AppSettings {
  return {
    config,
    door: doorSettings(config),
    timeouts: timeoutSettings(config),
    fleet: fleetSettings(config),
    cooldowns: cooldownSettings(config),
    dispatch: dispatchSettings(config),
    limits: limitSettings(config),
    callbacks: callbackSettings(config),
  };
}

function doorSettings({ auth, network }: Config): DoorSettings {
  return {
    keys: createKeyDirectory(auth.keys),
    gate: createNetworkGate({ allowedCidrs: network.allowed_cidrs }),
    isProxy: createProxyMatcher(network.trusted_proxies),
  };
}

function timeoutSettings({ request_router: router, queue }: Config): JobTimeouts {
  return {
    defaultMs: router.request_timeout * MS,
    maxMs: router.max_timeout * MS,
    queueMs: queue.job_timeout * MS,
  };
}

function fleetSettings({ gpu_monitoring, error_handler, network, workers }: Config): FleetSettings {
  return {
    workers: workers.map(workerSpecOf),
    workerHosts: network.worker_hosts,
    maxTemperatureC: gpu_monitoring.max_temperature,
    sources: sourcesOf(gpu_monitoring),
    updateIntervalMs: gpu_monitoring.update_interval * MS,
    healthCheckIntervalMs: gpu_monitoring.health_check_interval * MS,
    retry: { maxRetries: error_handler.max_retries, delayMs: error_handler.retry_delay * MS },
  };
}

function sourcesOf({ source, url, urls, token }: Config["gpu_monitoring"]): SourceSpec[] {
  if (source === "nvidia-smi") return [{ kind: source }];
  return [url, ...urls].flatMap((each) =>
    each === null ? [] : { kind: source, url: each, token },
  );
}

function cooldownSettings({ error_handler: handler }: Config): CooldownSettings {
  return {
    errorThreshold: handler.error_threshold,
    cooldownMs: handler.gpu_cooldown_period * MS,
    earlyRecovery: handler.early_recovery,
  };
}

function dispatchSettings(config: Config): DispatchSettings {
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

function callbackSettings({ callbacks }: Config): CallbackSettings {
  const secrets = Object.entries(callbacks.secrets);
  return {
    allowedHosts: new Set(callbacks.allowed_hosts),
    keys: new Map(secrets.map(([user, secret]) => [user, signingKey(secret)])),
  };
}

function limitSettings({ user_quota_manager: manager, users }: Config): LimitSettings {
  return {
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
