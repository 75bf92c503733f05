import { expect, test } from "vitest";
import { answers, ends, setStage, type Step } from "./route-setup.ts";

const crash = answers(500);
const unsent = ends({ kind: "unreachable", failure: "connection refused" });
const broken = ends({ kind: "broken", failure: "reset", committed: false });

test("a request that fails is charged to its user's turns; one that no worker saw is not", async () => {
  const served = async (step: Step): Promise<number> => {
    const { send, fairShare } = setStage({ maxRetries: 0, steps: [step] });
    await send();
    return fairShare.of("alice", "m").served;
  };
  expect(await served(broken)).toBeGreaterThan(0);
  expect(await served(crash)).toBeGreaterThan(0);
  expect(await served(unsent)).toBe(0);
});
