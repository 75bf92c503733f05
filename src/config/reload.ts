import { isDeepStrictEqual } from "node:util";
import { describeSettings } from "./describe-settings.ts";
import { valueAt } from "./document.ts";
import type { Config } from "./schema.ts";

/** What a new config would change in a router that runs. Paths only: values may be secrets. */
export interface ConfigChange {
  /** Settings that differ, in the order of the schema; lists and tables are named as a whole. */
  readonly changed: readonly string[];
  /** A sentence for each of them that only a restart can change; then nothing may be applied. */
  readonly refusals: readonly string[];
}

/** Settings that stay as they were at the start, and why. All others can change at any moment. */
export const NEEDS_RESTART: Readonly<Record<string, string>> = {
  "api.host": "the router listens there",
  "api.port": "the router listens there",
  "api.body_limit_mb": "the HTTP server is made with it",
  "user_quota_manager.quota_check_interval": "what users have taken is counted by it",
  "jobs.ttl": "the results that are kept were promised for so long",
  "jobs.max_mb": "the results that are kept were counted by it",
  "logging.url": "the log is opened once",
  "logging.format": "the log is opened once",
  "logging.trace_file": "the log is opened once",
};

export function compareConfigs(before: Config, after: Config): ConfigChange {
  const changed = SETTINGS.filter((setting) => {
    const path = setting.split(".");
    return !isDeepStrictEqual(valueAt(before, path), valueAt(after, path));
  });
  const refusals = changed.flatMap((setting) => {
    const why = NEEDS_RESTART[setting];
    return why === undefined ? [] : [`${setting}: changing it needs a restart (${why})`];
  });
  return { changed, refusals };
}

/** Those inside items change with their list or table. */
const SETTINGS: readonly string[] = describeSettings()
  .map(({ setting }) => setting)
  .filter((setting) => !/\[\]|<name>/.test(setting));
