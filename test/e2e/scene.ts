import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The repository's root, in an image too. */
export const ROOT = join(import.meta.dirname, "../..");

/** Plain keys of deploy/compose/config.test.yaml, which holds their digests. They open nothing else. */
export const SCENE_KEYS = {
  tester: "test-admin-key-of-no-secret",
  visitor: "test-visitor-key-of-no-secret",
} as const;

/** What the stub workers serve: one model answers at once, the other never does. */
export const QUICK_MODEL = "test-chat";
export const STUCK_MODEL = "test-stuck";

export const SCENE_WORKERS = ["worker-1", "worker-2", "worker-3"] as const;
export const SCENE_GPUS = ["GPU-test-1", "GPU-test-2", "GPU-test-3"] as const;

export function sceneConfig(): string {
  return readFileSync(join(ROOT, "deploy/compose/config.test.yaml"), "utf8");
}
