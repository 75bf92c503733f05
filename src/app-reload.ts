import type { Quotas } from "./admission/quotas.ts";
import type { LiveSettings } from "./app-live-settings.ts";
import { ConfigError, type LoadedConfig } from "./config/load.ts";
import { compareConfigs } from "./config/reload.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { FleetLoop } from "./fleet/fleet-loop.ts";
import type { Log } from "./log.ts";

/** What became of a new config: it counts whole from this moment on, or the old one stays whole. */
export type ReloadOutcome =
  | {
      readonly kind: "applied";
      /** Paths of the settings that are others now. */
      readonly changed: readonly string[];
      readonly loaded: LoadedConfig;
    }
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

interface ReloadDeps {
  readonly settings: LiveSettings;
  readonly log: Log;
  readonly metrics: { configRead(outcome: ReloadOutcome["kind"]): void };
  /** Those that must do more than read the new settings. */
  readonly quotas: Pick<Quotas, "reconfigure">;
  readonly loop: Pick<FleetLoop, "reconfigured">;
  readonly dispatcher: Pick<Dispatcher, "reconfigured">;
}

/** `read` gives the new config, or throws ConfigError. Nothing that it throws passes. */
export type Reload = (read: () => LoadedConfig) => ReloadOutcome;

export function createReload(deps: ReloadDeps): Reload {
  const { settings, log, metrics } = deps;
  return (read) => {
    const outcome = reload(read, settings);
    if (outcome.kind === "applied") act(deps);
    metrics.configRead(outcome.kind);
    tell(outcome, log);
    return outcome;
  };
}

/** In the tick in which the settings changed; the dispatcher last, since it looks at all others. */
function act({ settings, quotas, loop, dispatcher }: ReloadDeps): void {
  quotas.reconfigure(settings.now.limits);
  loop.reconfigured();
  dispatcher.reconfigured();
}

function reload(read: () => LoadedConfig, settings: LiveSettings): ReloadOutcome {
  try {
    const loaded = read();
    const { changed, refusals } = compareConfigs(settings.now.config, loaded.config);
    if (refusals.length > 0) return { kind: "refused", problems: refusals };
    if (changed.length === 0) return { kind: "unchanged" };
    settings.replace(loaded.config);
    return { kind: "applied", changed, loaded };
  } catch (error) {
    return { kind: "refused", problems: problemsOf(error) };
  }
}

function tell(outcome: ReloadOutcome, log: Log): void {
  switch (outcome.kind) {
    case "applied":
      return log.info({ changed: outcome.changed }, "config reloaded");
    case "unchanged":
      return log.debug({}, "config read again, nothing changed");
    case "refused":
      return log.error(
        { problems: outcome.problems },
        "config not reloaded, the old one stays in force",
      );
  }
}

function problemsOf(error: unknown): readonly string[] {
  return error instanceof ConfigError ? error.problems : [String(error)];
}
