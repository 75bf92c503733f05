import type { Decision } from "../routing/explain.ts";
import { layoutTable, painted, type Cell, type Column, type Page } from "./table.ts";

/** A decision: who takes the request, the others by their score, and who cannot, with the reason. */
export function decisionTables(decision: Decision, page: Page): string[] {
  const { chosen, strategy, candidates } = decision;
  const by = `strategy ${strategy}`;
  const first: Cell =
    chosen === null
      ? { text: `nobody could take it now (${by})`, colour: "red" }
      : { text: `it would go to ${chosen} (${by})`, colour: "green" };
  const eligible = candidates
    .filter(({ score }) => score !== null)
    .toSorted((a, b) => rank(b, chosen) - rank(a, chosen));
  const rejected = candidates.filter(({ score }) => score === null);
  return [
    painted(first, page),
    ...(eligible.length === 0 ? [] : ["", ...scoreTable(eligible, chosen, page)]),
    ...(rejected.length === 0 ? [] : ["", ...rejectionTable(rejected, page)]),
  ];
}

type Candidate = Decision["candidates"][number];

/** Scores end at 1: who was chosen comes first, also where a near-tie was not decided by the score. */
function rank({ worker_id: id, score }: Candidate, chosen: string | null): number {
  return id === chosen ? 2 : (score ?? 0);
}

function scoreTable(candidates: readonly Candidate[], chosen: string | null, page: Page): string[] {
  const scorers = Object.keys(candidates[0]?.scores ?? {});
  const columns: Column[] = [
    { title: "" },
    { title: "WORKER", least: 12 },
    { title: "SCORE", align: "right" },
    ...scorers.map((name, at): Column => {
      return { title: name.toUpperCase(), align: "right", spare: scorers.length - at };
    }),
  ];
  const rows = candidates.map(({ worker_id: id, score, scores }): Cell[] => [
    id === chosen ? { text: "*", colour: "green" } : "",
    id,
    figure(score),
    ...scorers.map((name) => figure(scores?.[name])),
  ]);
  return layoutTable(columns, rows, page);
}

function figure(score: number | null | undefined): string {
  return score?.toFixed(2) ?? "-";
}

/** Reasons are sentences: a narrow terminal wraps them, and nothing of them is cut. */
function rejectionTable(candidates: readonly Candidate[], page: Page): string[] {
  const columns: Column[] = [{ title: "REJECTED" }, { title: "BY" }, { title: "BECAUSE" }];
  const rows = candidates.map(({ worker_id: id, rejected_by: by }): Cell[] => {
    const forEver = by?.permanent === true ? "; waiting cannot help" : "";
    return [id, by?.filter ?? "-", `${by?.reason ?? "-"}${forEver}`];
  });
  return layoutTable(columns, rows, { ...page, width: Infinity });
}
