import { settingsOf, type AppSettings } from "./app-settings.ts";
import type { Config } from "./config/schema.ts";
import type { JobTimeouts } from "./http/envelope.ts";

/**
 * The settings of now: one object for all parts, replaced in one assignment. Parts are given functions
 * that read it, so nobody ever works with half of a change.
 */
export class LiveSettings {
  #now: AppSettings;

  constructor(config: Config) {
    this.#now = settingsOf(config);
  }

  get now(): AppSettings {
    return this.#now;
  }

  /** Throws, and changes nothing, where a part can make nothing of the config. */
  replace(config: Config): void {
    this.#now = settingsOf(config);
  }

  /** For parts that keep it: each look is at the settings of that moment. */
  get timeouts(): JobTimeouts {
    const now = (): JobTimeouts => this.#now.timeouts;
    return {
      get defaultMs() {
        return now().defaultMs;
      },
      get maxMs() {
        return now().maxMs;
      },
      get queueMs() {
        return now().queueMs;
      },
    };
  }
}
