import { Callers } from "./callers.ts";
import { checkEntry, checkIdle } from "./final-checks.ts";
import { checkChoice, Invariants } from "./invariants.ts";
import { checkClosed, checkRecovery } from "./after-the-storm.ts";
import type { Scene } from "./scene.ts";
import { createWorld, type Violation, type World } from "./world.ts";

/** What became of a scene. */
export interface SceneEnd {
  /** The first rule that was broken; null = none. */
  readonly violation: Violation | null;
  readonly world: World;
}

export interface SceneWatch {
  /** Told of each event, with the time since the start of the scene. */
  readonly tell?: (sceneMs: number, text: string) => void;
  /** Told before anything happens. */
  readonly onStart?: (world: World) => void;
}

const LOOK_MS = 500;
/** A client that reads no more is gone after a minute, and a job may wait and run for less. */
const LONGEST_TAIL_MS = 120_000;
/** So long a silent worker is asked whether it is alive. */
const LAST_ASK_MS = 3000;

/** Plays the scene to its end, and holds the invariants against it after every event. */
export async function runScene(scene: Scene, watch: SceneWatch = {}): Promise<SceneEnd> {
  const { tell = null, onStart } = watch;
  const world = createWorld(scene, {
    tell: tell ? (text) => tell(world.timeline.nowMs - world.startedAtMs, text()) : () => undefined,
    onChoice: checkChoice,
  });
  onStart?.(world);
  const callers = new Callers(world);
  try {
    await play(world);
    const wasStopped = scene.acts.some(({ does }) => does === "stop");
    if (!world.violation() && !wasStopped) await checkRecovery(world, callers);
    if (!world.violation()) await checkClosed(world);
  } catch (defect) {
    world.breach(`something threw: ${defect instanceof Error ? defect.stack : String(defect)}`);
  }
  return { violation: world.violation(), world };
}

async function play(world: World): Promise<void> {
  const { scene, timeline, loop, ledger, violation } = world;
  const invariants = new Invariants(world);
  const looking = timeline.world.every(LOOK_MS, () => invariants.sometimes());
  const isBroken = (): boolean => {
    invariants.afterEvent();
    return violation() !== null;
  };
  const run = (forMs: number, isOver: () => boolean): Promise<void> =>
    timeline.run(timeline.nowMs + forMs, () => isBroken() || isOver());
  void loop.start();
  await run(scene.endsAtMs, () => false);
  await run(LONGEST_TAIL_MS, () => ledger.underWay.size === 0);
  await run(LAST_ASK_MS, () => false);
  looking.cancel();
  if (violation()) return;
  for (const entry of ledger.entries.values()) checkEntry(world, entry);
  checkIdle(world);
}
