import type { Clock } from "../clock.ts";

/** What one user may take. */
export interface UserLimits {
  /** Placements held at once. */
  readonly gpuLimit: number;
  /** Requests per window. */
  readonly requestLimit: number;
  /** Highest band, 1..5. */
  readonly priorityLimit: number;
  /** Prompt and completion tokens per window, at least 1; null = as many as they like. */
  readonly tokenLimit: number | null;
  /** Wall clock: when other limits take the place of these; null = never. */
  readonly expiresAtWallMs: number | null;
}

type LimitValues = Omit<UserLimits, "expiresAtWallMs">;
type LimitName = keyof LimitValues;

/** Limits for one user; one that is left out is as it would be without them. */
export interface GivenLimits {
  readonly limits: Partial<LimitValues>;
  /** Wall clock: from then on none of them applies; null = never. */
  readonly expiresAtWallMs: number | null;
}

/** Where a limit comes from: user_quota_manager, users, or a change at run time. */
export type LimitSource = "default" | "config" | "override";
export type LimitSources = { readonly [Limit in LimitName]: LimitSource };

/** What the operator wrote. */
export interface LimitSettings {
  readonly defaults: LimitValues;
  readonly config: ReadonlyMap<string, GivenLimits>;
}

export interface UserLimitsDeps {
  /** Its wall clock says what has expired, since people write expiry times as dates. */
  readonly clock: Pick<Clock, "wallMs">;
  readonly settings: LimitSettings;
}

/** The limits in force for each user: an override before the config, and that before the defaults. */
export class LimitsByUser {
  readonly #clock: Pick<Clock, "wallMs">;
  #defaults: UserLimits;
  #config: ReadonlyMap<string, GivenLimits>;
  readonly #overrides = new Map<string, GivenLimits>();
  /** Of users with any of their own, worked out once: every request asks. */
  readonly #inForce = new Map<string, UserLimits>();

  constructor({ clock, settings }: UserLimitsDeps) {
    this.#clock = clock;
    this.#defaults = { ...settings.defaults, expiresAtWallMs: null };
    this.#config = settings.config;
    this.#workOutAll();
  }

  /** Takes other defaults and config; overrides stay, and win until they are cleared. */
  reconfigure({ defaults, config }: LimitSettings): void {
    this.#defaults = { ...defaults, expiresAtWallMs: null };
    this.#config = config;
    this.#inForce.clear();
    this.#workOutAll();
  }

  of(user: string): UserLimits {
    const limits = this.#inForce.get(user);
    if (limits === undefined) return this.#defaults;
    const { expiresAtWallMs } = limits;
    if (expiresAtWallMs === null || this.#clock.wallMs() < expiresAtWallMs) return limits;
    this.#workOut(user);
    return this.#inForce.get(user) ?? this.#defaults;
  }

  sourcesOf(user: string): LimitSources {
    const override = this.#unexpired(this.#overrides.get(user));
    const config = this.#unexpired(this.#config.get(user));
    const sourceOf = (limit: LimitName): LimitSource => {
      if (override?.limits[limit] !== undefined) return "override";
      return config?.limits[limit] !== undefined ? "config" : "default";
    };
    return {
      gpuLimit: sourceOf("gpuLimit"),
      requestLimit: sourceOf("requestLimit"),
      priorityLimit: sourceOf("priorityLimit"),
      tokenLimit: sourceOf("tokenLimit"),
    };
  }

  /** In the place of an earlier override, whole. Lasts until the process ends. */
  setOverride(user: string, given: GivenLimits): void {
    this.#overrides.set(user, given);
    this.#workOut(user);
  }

  clearOverride(user: string): void {
    this.#overrides.delete(user);
    this.#workOut(user);
  }

  #workOutAll(): void {
    for (const user of [...this.#config.keys(), ...this.#overrides.keys()]) this.#workOut(user);
  }

  #workOut(user: string): void {
    const override = this.#unexpired(this.#overrides.get(user));
    const config = this.#unexpired(this.#config.get(user));
    if (override === null && config === null) {
      this.#inForce.delete(user);
      return;
    }
    const ends = [override, config].flatMap((given) => given?.expiresAtWallMs ?? []);
    this.#inForce.set(user, {
      ...this.#defaults,
      ...config?.limits,
      ...override?.limits,
      expiresAtWallMs: ends.length === 0 ? null : Math.min(...ends),
    });
  }

  #unexpired(given: GivenLimits | undefined): GivenLimits | null {
    if (given === undefined) return null;
    const { expiresAtWallMs } = given;
    return expiresAtWallMs === null || this.#clock.wallMs() < expiresAtWallMs ? given : null;
  }
}
