import { describe, expect, test } from "vitest";
import { settle } from "../../support/fake-clock.ts";
import { serving } from "../../support/routing-builders.ts";
import { createTurns } from "./turns-setup.ts";

describe("a user at their gpu_limit who waits", () => {
  test("in one class has a free slot for another on the GPUs that they hold", async () => {
    const [chat, text] = [{ path: "/v1/chat/completions" }, { path: "/v1/completions" }] as const;
    const paths = [chat, text, chat].map(({ path }) => new Set([path]));
    const { turns, ask, end, kindOf } = createTurns([
      serving(0, { slots: 1, paths: paths[0]!, placement: 7 }),
      serving(1, { slots: 1, paths: paths[1]!, placement: 7 }),
      serving(2, { slots: 1, paths: paths[2]!, placement: 8 }),
    ]);
    await ask("a1", "alice", text);
    await ask("a2", "alice", chat);
    await ask("a3", "alice", chat);
    await ask("a4", "alice", text);
    turns.lookAgain();
    await end("a1");
    expect(["a2", "a3", "a4"].map(kindOf)).toEqual(["turn", undefined, "turn"]);
  });

  test("and gives up is not passed over later, when they hold nothing any more", async () => {
    const { clock, queue, ask, end, kindOf } = createTurns(
      [0, 1].map((i) => serving(i, { slots: 1 })),
    );
    await ask("a1", "alice");
    await ask("a2", "alice");
    clock.advance(30_100);
    await settle();
    expect([kindOf("a2"), queue.size]).toEqual(["refused", 0]);
    await end("a1");
    for (const id of ["b1", "b2"]) await ask(id, "bob");
    await ask("a3", "alice");
    await end("b1");
    expect(kindOf("a3")).toBe("turn");
  });

  test("is refused for good once their limit is 0, and not passed over when it is raised again", async () => {
    const { queue, limits, got, ask, end, kindOf } = createTurns(
      [0, 1].map((i) => serving(i, { slots: 1 })),
    );
    await ask("a1", "alice");
    await ask("a2", "alice");
    limits["alice"] = 0;
    await end("a1");
    expect(got["a2"]).toMatchObject({ kind: "refused", error: { code: "NO_GPU_FITS" } });
    limits["alice"] = 1;
    for (const id of ["b1", "b2"]) await ask(id, "bob");
    await ask("a3", "alice");
    await end("b2");
    expect([kindOf("a3"), queue.size]).toEqual(["turn", 0]);
  });

  test("goes on when their limit is raised", async () => {
    const { queue, limits, ask, kindOf } = createTurns([0, 1].map((i) => serving(i, { slots: 1 })));
    await ask("a1", "alice");
    await ask("a2", "alice");
    limits["alice"] = 2;
    queue.pump({ alsoParked: false });
    await settle();
    expect(kindOf("a2")).toBeUndefined();
    queue.pump({ alsoParked: true });
    await settle();
    expect(kindOf("a2")).toBe("turn");
  });

  test("is looked at again when a poll has changed the workers, and not before", async () => {
    const { turns, limits, ask, poll, kindOf } = createTurns(
      [0, 1].map((i) => serving(i, { slots: 1 })),
    );
    await ask("a1", "alice");
    await ask("a2", "alice");
    turns.lookAgain();
    limits["alice"] = 2;
    turns.lookAgain();
    await settle();
    expect(kindOf("a2")).toBeUndefined();
    poll([0, 1].map((i) => serving(i, { slots: 1 })));
    turns.lookAgain();
    await settle();
    expect(kindOf("a2")).toBe("turn");
  });
});
