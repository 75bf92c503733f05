import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep, systemClock } from "../../src/clock.ts";
import { NOTHING_YET, type NvidiaSmi } from "../../src/fleet/sources/nvidia-smi.ts";

const PROGRAM = fileURLToPath(new URL("nvidia-smi-program.ts", import.meta.url));

/** Cells by the field that is asked; one that is not here prints [N/A]. */
export interface FakeGpu {
  readonly index: string;
  readonly uuid: string;
  readonly name: string;
  /** What it prints, and ends with, as soon as it comes to this GPU. */
  readonly cannotBeOpened?: string;
  readonly [field: string]: string | undefined;
}

export interface FakeState {
  readonly driver: string;
  readonly gpus: readonly FakeGpu[];
  readonly unknownFields?: readonly string[];
  /** Lines of --query-compute-apps; null = that query fails. */
  readonly apps?: readonly string[] | null;
  readonly failure?: { readonly text: string; readonly exitCode: number } | undefined;
  /** A GPU that cannot be opened spoils the reading of others too, even when only they are asked. */
  readonly refusesAll?: boolean;
  /** Prints [GPU is lost] in place of each uuid. */
  readonly hidesUuids?: boolean;
  /** Prints nothing more, and stays; "whole" = only where it is asked for all GPUs. */
  readonly hangs?: boolean | "whole";
  /** Prints a round so often, whatever it was told. */
  readonly everyMs?: number;
}

export const NO_DRIVER = {
  text:
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that " +
    "the latest NVIDIA driver is installed and running.",
  exitCode: 9,
};

/** An nvidia-smi that reads from a file what there is to report. */
export class FakeNvidiaSmi {
  readonly folder = mkdtempSync(join(tmpdir(), "nvidia-smi-"));
  /** The path of the program. */
  readonly command = join(this.folder, "nvidia-smi");
  #state: FakeState;
  #version = 0;

  constructor(state: Partial<FakeState> = {}) {
    this.#state = { driver: "", gpus: [fakeGpu("GPU-1", 0)], ...state };
    this.set({});
    writeFileSync(
      this.command,
      `#!/bin/sh\nFAKE_NVIDIA_SMI="${this.#file}" exec "${process.execPath}" "${PROGRAM}" "$@"\n`,
      { mode: 0o755 },
    );
  }

  /** From its next round on. Each change has a driver version of its own. */
  set(changes: Partial<FakeState>): void {
    this.#version += 1;
    this.#state = { ...this.#state, driver: `0.${this.#version}`, ...changes };
    // At once, or the program could read half of it.
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#state));
    renameSync(`${this.#file}.new`, this.#file);
  }

  get gpus(): readonly FakeGpu[] {
    return this.#state.gpus;
  }

  /** How often it was started to read GPUs. */
  get starts(): number {
    return this.#journal.filter((line) => line === "start").length;
  }

  /** It has come to the round that it does not print. */
  get isSilent(): boolean {
    return this.#journal.at(-1) === "silent";
  }

  /** Resolves when its latest run has ended by itself. */
  async hasEnded(): Promise<void> {
    while (this.#journal.at(-1) !== "end") await sleep(systemClock, 5);
  }

  /** Resolves when `source` has taken a round with the latest change; rejects as its poll does. */
  async isSeenBy(source: NvidiaSmi): Promise<void> {
    await firstRound(source);
    while (source.driverVersion !== this.#state.driver) {
      await sleep(systemClock, 5);
      await source.poll();
    }
  }

  /** The path of a script that starts it and waits, and so is what a signal ends. */
  behindScript(): string {
    const script = join(this.folder, "script");
    writeFileSync(script, `#!/bin/sh\n"${this.command}" "$@"\nexit $?\n`, { mode: 0o755 });
    return script;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  get #file(): string {
    return join(this.folder, "state.json");
  }

  get #journal(): readonly string[] {
    const file = `${this.#file}.journal`;
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  }
}

/** Resolves with it: on a busy machine the program may start later than one poll waits. */
export async function firstRound(source: NvidiaSmi): Promise<void> {
  while (source.driverVersion === null) {
    await source.poll().catch((error: unknown) => {
      if ((error as Error).message !== NOTHING_YET) throw error;
    });
  }
}

/** A healthy, idle GPU, with what a test changes. */
export function fakeGpu(uuid: string, index: number, changes: Partial<FakeGpu> = {}): FakeGpu {
  return {
    index: String(index),
    uuid,
    name: "NVIDIA H100 80GB HBM3",
    "pci.bus_id": `00000000:0${index}:00.0`,
    "memory.total": "81559",
    "memory.used": "0",
    "memory.free": "81081",
    "utilization.gpu": "0",
    "temperature.gpu": "41",
    "power.draw": "69.85",
    "enforced.power.limit": "700.00",
    compute_cap: "9.0",
    "ecc.errors.uncorrected.volatile.total": "0",
    "clocks_event_reasons.active": "0x0000000000000001",
    gpu_recovery_action: "None",
    "mig.mode.current": "Disabled",
    ...changes,
  };
}
