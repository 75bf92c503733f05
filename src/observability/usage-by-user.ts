import type { RequestReport } from "../dispatch/request-report.ts";
import { InRows } from "./in-rows.ts";

/** What each user asked for since the start, for GET /api/v1/metrics as JSON. */
export interface UserUsage {
  readonly userId: string;
  readonly totalRequests: number;
  readonly failedRequests: number;
  readonly totalTokens: number;
  readonly totalMs: number;
}

/** Callers with the role service name users freely: beyond this many they share one row. */
const USERS_MAX = 10_000;
const OTHERS = "(others)";

export class UsageByUser {
  readonly #rows = new Map<string, { -readonly [Key in keyof UserUsage]: UserUsage[Key] }>();

  readonly #reports = new InRows<RequestReport>((report) => this.#count(report));

  add(report: RequestReport): void {
    this.#reports.add(report);
  }

  #count(report: RequestReport): void {
    const { user, status, errorCode, promptTokens, completionTokens, totalMs } = report;
    const known = this.#rows.has(user) || this.#rows.size < USERS_MAX;
    const userId = known ? user : OTHERS;
    let row = this.#rows.get(userId);
    if (!row) {
      row = { userId, totalRequests: 0, failedRequests: 0, totalTokens: 0, totalMs: 0 };
      this.#rows.set(userId, row);
    }
    row.totalRequests += 1;
    row.totalMs += totalMs;
    if (status >= 400 || errorCode !== null) row.failedRequests += 1;
    row.totalTokens += (promptTokens ?? 0) + (completionTokens ?? 0);
  }

  rows(): UserUsage[] {
    this.#reports.catchUp();
    return [...this.#rows.values()];
  }
}
