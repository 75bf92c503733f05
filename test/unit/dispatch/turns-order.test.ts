import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { modelsOf, servedModel, serving } from "../../support/routing-builders.ts";
import { createTurns } from "./turns-setup.ts";

describe("a newcomer", () => {
  test("waits behind those who could have the slot that is free now", async () => {
    const { turns, ask, poll, kindOf } = createTurns([serving(0, { slots: 1 })]);
    await ask("a1", "alice");
    await ask("b1", "bob");
    poll([serving(0, { slots: 2 })]);
    await ask("c1", "carol");
    expect(["b1", "c1"].map(kindOf)).toEqual([undefined, undefined]);
    turns.lookAgain();
    await settle();
    expect(["b1", "c1"].map(kindOf)).toEqual(["turn", undefined]);
  });
});

test("who waits is refused as soon as no worker could ever take it", async () => {
  const { turns, queue, got, ask, poll } = createTurns([serving(0, { slots: 1 })]);
  await ask("a1", "alice");
  await ask("b1", "bob");
  poll([serving(0, { models: modelsOf(servedModel("n")) })]);
  turns.lookAgain();
  await settle();
  expect(got["b1"]).toMatchObject({ kind: "refused", error: { code: "MODEL_NOT_FOUND" } });
  expect(queue.size).toBe(0);
});

describe("what counts at once in the order of those who wait", () => {
  /** bob has the training slot, or asks for it, and waits for the other before dave; carol has that. */
  async function createCase(order: readonly ("train" | "wait")[]) {
    const turns = createTurns([
      serving(0, { slots: 1 }),
      serving(1, { slots: 1, types: ["training"] }),
    ]);
    await turns.ask("c1", "carol");
    for (const step of order) {
      if (step === "train") await turns.ask("b-trains", "bob", { type: "training" });
      else for (const user of ["bob", "dave"]) await turns.ask(user, user);
    }
    return turns;
  }

  test("is the request of a user's that starts", async () => {
    const { end, kindOf } = await createCase(["wait", "train"]);
    await end("c1");
    expect(["bob", "dave"].map(kindOf)).toEqual([undefined, "turn"]);
  });

  test("is what one of theirs has cost, when it ends", async () => {
    const { end, kindOf } = await createCase(["train", "wait"]);
    await end("b-trains", { promptTokens: 0, completionTokens: 9000 });
    await end("c1");
    expect(["bob", "dave"].map(kindOf)).toEqual([undefined, "turn"]);
  });
});
