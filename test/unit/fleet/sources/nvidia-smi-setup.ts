import { onTestFinished } from "vitest";
import { sleep, systemClock, type Timer } from "../../../../src/clock.ts";
import { createNvidiaSmi, type NvidiaSmi } from "../../../../src/fleet/sources/nvidia-smi.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeNvidiaSmi, type FakeState } from "../../../support/fake-nvidia-smi.ts";

/** Knows how long it was asked to wait. */
class ListeningClock extends FakeClock {
  readonly waitsMs: number[] = [];

  override after(delayMs: number, run: () => void): Timer {
    this.waitsMs.push(delayMs);
    return super.after(delayMs, run);
  }
}

/** The program is real and prints in real time; what waits for it stands still. */
export function setUp(state: Partial<FakeState> = {}, intervalMs = 20, isBehindScript = false) {
  const program = new FakeNvidiaSmi({ everyMs: 20, ...state });
  const clock = new ListeningClock();
  const command = isBehindScript ? program.behindScript() : program.command;
  const source = createNvidiaSmi({ name: "local", clock, intervalMs, command });
  onTestFinished(async () => {
    const closed = source.close();
    clock.advance(60_000);
    await closed;
    program.remove();
  });
  return { program, clock, source };
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(systemClock, 5);
}

/** The program, after its next start, gives readings again. */
export async function untilItAnswers(source: NvidiaSmi): Promise<void> {
  while ((await source.poll().catch(() => null)) === null) await sleep(systemClock, 5);
}

/** So long that minutes may pass between two of its rounds. */
export const RARELY_MS = 300_000;
