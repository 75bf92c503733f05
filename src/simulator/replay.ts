import { drawHistory } from "./history.ts";
import { runScene } from "./run-scene.ts";

const EVENTS_KEPT = 40;

/** The history of a failing seed once more: the rule that it breaks, what led there, and how to replay it. */
export async function replay(seed: number): Promise<string> {
  const events: string[] = [];
  const tell = (sceneMs: number, text: string): void => {
    events.push(`  ${(sceneMs / 1000).toFixed(3).padStart(8)} s  ${text}`);
    if (events.length > EVENTS_KEPT) events.shift();
  };
  const { violation } = await runScene(drawHistory(seed), { tell });
  const what = violation?.message ?? "nothing this time: the history is not the same twice";
  return [
    `seed ${seed} broke a rule: ${what}`,
    ...events,
    `replay: npm run simulate:faults -- --seed ${seed} --trace`,
  ].join("\n");
}
