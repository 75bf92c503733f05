import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { isTooHot, type Gpu, type GpuHealth, type GpuReading } from "./gpu.ts";
import { logGpuChanges, logHealthChange } from "./gpu-changes.ts";
import { missingAfter, type NamedGpus } from "./missing-gpus.ts";
import { isOutdated, withoutMoment } from "./outdated.ts";
import type { SourceState } from "./snapshot.ts";
import { oneSpelling } from "./this-machine.ts";

interface TelemetrySettings {
  readonly maxTemperatureC: number;
  readonly updateIntervalMs: number;
}

export interface TelemetryOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked at each use. */
  readonly settings: () => TelemetrySettings;
}

/** What one source told, and what of it is still believed. */
interface Told {
  state: SourceState;
  gpus: Map<string, Gpu>;
  missing: ReadonlyMap<string, Gpu>;
}

/**
 * The GPUs as their sources tell them. A source that fails loses nothing; one that answers is
 * believed, except that it has lost all of its GPUs.
 */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #sources = new Map<string, Told>();

  constructor(options: TelemetryOptions) {
    this.#options = options;
  }

  get sources(): readonly SourceState[] {
    return [...this.#sources.values()].map(({ state }) => state);
  }

  addSource(name: string, host: string): void {
    const known = { lastSuccessAtMs: null, failure: null, isOutdated: false };
    const state = { name, host: oneSpelling(host), ...known };
    this.#sources.set(name, { state, gpus: new Map(), missing: new Map() });
  }

  removeSource(name: string): void {
    this.#sources.delete(name);
  }

  /** By a new limit, and so without what was decided by the old one. */
  judgeHeat(): void {
    const { maxTemperatureC } = this.#options.settings();
    for (const { gpus } of this.#sources.values()) {
      for (const [id, gpu] of gpus) {
        gpus.set(id, { ...gpu, tooHot: isTooHot(gpu.temperatureC, maxTemperatureC, false) });
      }
    }
  }

  /** Replaces all GPUs of this source by what it reports now. */
  reported(source: string, readings: readonly GpuReading[], named: NamedGpus): void {
    const told = this.#sources.get(source);
    if (!told) return;
    const known = told.gpus.size + told.missing.size;
    if (readings.length === 0 && known > 1) {
      // All cards of a box do not vanish at once; the driver's or the monitor's sight of them does.
      this.failed(source, `it reports none of its ${known} GPUs any more: check the service there`);
      return;
    }
    const before = told.gpus;
    const after = new Map(readings.map((gpu) => [gpu.id, this.#remember(gpu, told)]));
    logGpuChanges(this.#options.log, before, after);
    const isAuto = named.autoHosts.has(told.state.host);
    const { missing } = told;
    told.missing = missingAfter({ before, after, missing, isAuto, namedIds: named.ids });
    told.gpus = after;
    if (told.state.failure !== null) this.#options.log.info({ source }, "gpu source answers again");
    const lastSuccessAtMs = this.#options.clock.now();
    told.state = { ...told.state, lastSuccessAtMs, failure: null, isOutdated: false };
  }

  /** Keeps what the source said before: a dead monitor must not empty the fleet. */
  failed(source: string, failure: string): void {
    const told = this.#sources.get(source);
    if (!told) return;
    const { log, clock, settings } = this.#options;
    const { lastSuccessAtMs, ...was } = told.state;
    const { updateIntervalMs } = settings();
    const outdated = isOutdated({ lastSuccessAtMs, nowMs: clock.now(), updateIntervalMs });
    if (was.failure === null) log.warn({ source, reason: failure }, "gpu source failing");
    if (outdated && !was.isOutdated) {
      log.warn({ source, reason: failure }, "gpu source outdated, its figures count as unknown");
    }
    told.state = { ...told.state, failure, isOutdated: outdated };
  }

  /** True where the verdict is another than before: it must show at once. */
  healthReported(source: string, gpuId: string, health: GpuHealth | null): boolean {
    const gpus = this.#sources.get(source)?.gpus;
    const gpu = gpus?.get(gpuId);
    if (!gpus || !gpu) return false;
    gpus.set(gpuId, { ...gpu, health });
    return logHealthChange(this.#options.log, gpu, health);
  }

  /** As the sources report them now, or did when they last answered. */
  reportedGpus(): readonly Gpu[] {
    return [...this.#sources.values()].flatMap(({ gpus }) => [...gpus.values()]);
  }

  /**
   * Of a GPU that several sources know, what the first one says that is up to date. That one has lost
   * it counts only where no such source has it.
   */
  gpus({ ids, autoHosts }: NamedGpus): Map<string, Gpu> {
    const merged = new Map<string, Gpu>();
    const add = (gpus: Iterable<Gpu>): void => {
      for (const gpu of gpus) if (!merged.has(gpu.id)) merged.set(gpu.id, gpu);
    };
    const all = [...this.#sources.values()];
    for (const { state, gpus } of all) if (!state.isOutdated) add(gpus.values());
    for (const { state, missing } of all) {
      add([...missing.values()].filter(({ id }) => ids.has(id) || autoHosts.has(state.host)));
    }
    for (const { state, gpus } of all) {
      if (state.isOutdated) add([...gpus.values()].map(withoutMoment));
    }
    return merged;
  }

  /** A worker with `gpus: auto` on this host started anew, and so on the GPUs that are left. */
  forgetMissing(host: string, { ids }: NamedGpus): void {
    for (const told of this.#sources.values()) {
      if (told.state.host !== host) continue;
      told.missing = new Map([...told.missing].filter(([id]) => ids.has(id)));
    }
  }

  #remember(reading: GpuReading, { gpus, state }: Told): Gpu {
    const known = gpus.get(reading.id);
    const { maxTemperatureC } = this.#options.settings();
    const tooHot = isTooHot(reading.temperatureC, maxTemperatureC, known?.tooHot ?? false);
    const health = known?.health ?? null;
    return { ...reading, source: state.name, health, tooHot, isMissing: false };
  }
}
