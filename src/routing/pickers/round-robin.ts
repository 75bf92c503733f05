import type { Candidate, Picker } from "../stages.ts";

/** Each worker in turn. Remembers only whom it picked last, so workers may come and go. */
export function createRoundRobin(): Picker {
  let lastIndex = -1;
  return {
    name: "round_robin",
    pick({ candidates }) {
      let first: Candidate | undefined;
      let next: Candidate | undefined;
      for (const candidate of candidates) {
        const { index } = candidate.worker;
        if (!first || index < first.worker.index) first = candidate;
        if (index > lastIndex && (!next || index < next.worker.index)) next = candidate;
      }
      return (next ?? first)!;
    },
    picked({ index }) {
      lastIndex = index;
    },
  };
}
