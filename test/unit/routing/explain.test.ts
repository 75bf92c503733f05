import { describe, expect, test } from "vitest";
import { decide, type Question } from "../../../src/routing/decide.ts";
import { explain, firstRejection, rejectingFilters } from "../../../src/routing/explain.ts";
import { Random } from "../../../src/routing/random.ts";
import type { Filter } from "../../../src/routing/stages.ts";
import { gpu } from "../../support/fleet-builders.ts";
import { questionOf, serving, strategyNamed } from "../../support/routing-builders.ts";

const explained = (question: Question) => explain(question, decide(question));

describe("a decision that is explained", () => {
  test("names every worker: scored with all its scores, or the first filter that rejected it", () => {
    const hot = serving(3, { gpuIds: ["a"], gpus: [gpu("a", { tooHot: true })] });
    const workers = [serving(0), serving(1, { slots: 1 }), serving(2, { state: "down" }), hot];
    const moment = { own: { 1: 1, 3: 256 }, speeds: { 0: 3 } };
    expect(explained(questionOf(workers, moment))).toEqual({
      strategy: "hybrid",
      chosen: "worker-0",
      candidates: [
        {
          worker_id: "worker-0",
          gpu_ids: [],
          score: 0.8,
          scores: { usage: 1, priority: 0.5, performance: 0.75, health: 1 },
          rejected_by: null,
        },
        rejected("worker-1", "free_slot", "all slots are taken (1 of 1)"),
        rejected("worker-2", "worker_up", "down: it has not answered yet"),
        {
          ...rejected("worker-3", "temperature", expect.stringContaining("too hot")),
          gpu_ids: ["a"],
        },
      ],
    });
  });

  test("has the scores to four digits", () => {
    const [report] = explained(questionOf([serving(0)], { speeds: { 0: 2 } })).candidates;
    expect(report?.scores?.["performance"]).toBe(0.6667);
    expect(report?.score).toBe(0.7833);
  });

  test("says so where a worker passed all filters and was not drawn", () => {
    const workers = Array.from({ length: 100 }, (_, index) => serving(index));
    const { candidates } = explained(questionOf(workers));
    const sampled = candidates.filter(({ rejected_by }) => rejected_by?.filter === "sample");
    expect(sampled).toHaveLength(36);
    expect(sampled[0]?.rejected_by?.reason).toMatch(/passed all filters.*64/);
    expect(candidates.filter(({ score }) => score !== null)).toHaveLength(64);
  });

  test("chooses nobody where nobody passes", () => {
    const { chosen, candidates } = explained(questionOf([serving(0, { state: "starting" })]));
    expect(chosen).toBeNull();
    expect(candidates.map(({ rejected_by }) => rejected_by?.filter)).toEqual(["worker_up"]);
  });

  test("can be had again from the random state with which it began", () => {
    const workers = Array.from({ length: 100 }, (_, index) => serving(index));
    const random = new Random(5);
    for (let draw = 0; draw < 20; draw++) {
      const { state } = random;
      const question = questionOf(workers, {}, { strategy: strategyNamed("power_of_two"), random });
      const { chosen } = explained(question);
      expect(explained({ ...question, random: new Random(state) }).chosen).toBe(chosen);
    }
  });
});

describe("the first rejection", () => {
  test("is null for a worker that passes", () => {
    expect(firstRejection(questionOf([]), serving(0))).toBeNull();
  });

  test("is by the first filter in the strategy's order, not by any later one", () => {
    const question = questionOf([], { own: { 0: 1 } }, { request: { path: "/v1/rerank" } });
    expect(firstRejection(question, serving(0, { slots: 1 }))?.filter).toBe("serves_path");
    const unserving = serving(0, { slots: 1, models: new Map(), state: "down" });
    expect(firstRejection(question, unserving)?.filter).toBe("serves_model");
  });
});

function rejected(worker_id: string, filter: string, reason: string) {
  const rejected_by = { filter, reason, permanent: false };
  return { worker_id, gpu_ids: [], score: null, scores: null, rejected_by };
}

describe("the filters that turned workers away, where nobody was found", () => {
  const names = (question: Question): readonly string[] => [...rejectingFilters(question)];

  test("are told once each: of each worker of the model the first", () => {
    const other = serving(3, { models: new Map(), state: "down" });
    const full = { slots: 1 };
    const workers = [serving(0, full), serving(1, full), serving(2, { state: "down" }), other];
    const question = questionOf(workers, { own: { 0: 1, 1: 1 } });
    expect(names(question)).toEqual(["free_slot", "worker_up"]);
  });

  test("are serves_model alone, where nobody has the model", () => {
    expect(names(questionOf([]))).toEqual(["serves_model"]);
    expect(names(questionOf([serving(0, { models: new Map() })]))).toEqual(["serves_model"]);
  });

  test("are those of 64 workers at most, evenly spread", () => {
    let asked = 0;
    const strategy = strategyNamed("hybrid");
    const counting: Filter = {
      name: "counting",
      scope: "moment",
      passes() {
        asked += 1;
        return false;
      },
      reject: () => ({ reason: "never", permanent: false }),
    };
    const workers = Array.from({ length: 1000 }, (_, index) => serving(index));
    const last = serving(992, { state: "down" });
    workers[992] = last;
    const filters = [...strategy.filters, counting];
    const question = questionOf(workers, {}, { strategy: { ...strategy, filters } });
    expect(names(question)).toEqual(["counting", "worker_up"]);
    expect(asked).toBe(62);
  });
});
