import type { viewSummary } from "../http/job-view.ts";
import type { viewQuota } from "../http/quota-view.ts";
import { counted, duration } from "./quantities.ts";
import { layoutTable, painted, type Cell, type Column, type Page } from "./table.ts";

/** Who may take what, and what is under way for them. */

export type QuotaBody = ReturnType<typeof viewQuota>;

const QUOTA_COLUMNS: readonly Column[] = [
  { title: "USER", least: 12 },
  { title: "REQUESTS", align: "right" },
  { title: "TOKENS", align: "right" },
  { title: "GPUS", align: "right" },
  { title: "PRIORITY", align: "right" },
  { title: "WINDOW", align: "right", spare: 1 },
  { title: "EXPIRES", spare: 2 },
];

/** What was used, of what is allowed. */
export function quotaTable(quota: QuotaBody, page: Page): string[] {
  const { requests, tokens, gpus, priority, expiration_time: expires } = quota;
  const row: Cell[] = [
    quota.user_id,
    usedOf(requests.used, requests.limit),
    // Held ones count until their requests end.
    tokens === null ? "no limit" : usedOf(tokens.used + tokens.held, tokens.limit),
    usedOf(gpus.held, gpus.limit),
    `1-${priority.limit}`,
    duration(quota.window_ms),
    expires ?? "-",
  ];
  const lines = layoutTable(QUOTA_COLUMNS, [row], page);
  return quota.lasts === null
    ? lines
    : [...lines, "", painted(`an override; it lasts ${quota.lasts}`, page)];
}

function usedOf(used: number, limit: number): Cell {
  const text = `${used}/${limit}`;
  return used >= limit ? { text, colour: "red" } : text;
}

/** What GET /api/v1/requests answers. */
export interface JobsBody {
  readonly requests: readonly ReturnType<typeof viewSummary>[];
  readonly next_cursor: string | null;
}

const JOB_COLUMNS: readonly Column[] = [
  { title: "JOB", least: 12 },
  { title: "STATUS" },
  { title: "USER", least: 8, spare: 2 },
  { title: "MODEL", least: 10, spare: 3 },
  { title: "PRIORITY", align: "right", spare: 1 },
  { title: "PLACE", align: "right" },
  { title: "WORKER", least: 8, spare: 4 },
  { title: "AGE", align: "right" },
];

/** Newest first, as the router lists them. `atWallMs`: when the router said so. */
export function jobsTable(
  { requests, next_cursor: next }: JobsBody,
  atWallMs: number,
  page: Page,
): string[] {
  if (requests.length === 0) return ["no jobs"];
  const rows = requests.map((job): Cell[] => [
    job.request_id,
    job.status === "failed" ? { text: job.status, colour: "red" } : job.status,
    job.user_id,
    job.model_id,
    String(job.priority),
    // 0 = running: only those that wait have a place.
    job.queue_position ? String(job.queue_position) : "-",
    job.worker_id ?? "-",
    duration(atWallMs - Date.parse(job.submitted_at ?? "")),
  ]);
  const lines = layoutTable(JOB_COLUMNS, rows, page);
  if (next === null) return lines;
  return [...lines, "", `the newest ${counted(rows.length, "job")}; there are older ones`];
}
