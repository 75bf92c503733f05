import type { Decision } from "../routing/explain.ts";
import { jobsTable, quotaTable, type JobsBody, type QuotaBody } from "./account-tables.ts";
import { Misuse, OK, printAnswer, REFUSED, type Desk } from "./ctl-desk.ts";
import { decisionTables } from "./decision-tables.ts";
import { gpusTable, workersTable, type FleetBody } from "./fleet-tables.ts";
import { healthLines, type HealthBody } from "./health-lines.ts";

/** Commands that look and change nothing. */

export async function gpus(_words: readonly string[], desk: Desk) {
  const { body, atWallMs } = await desk.call<FleetBody>({ path: "/api/v1/gpus" });
  printAnswer(desk, body, () => gpusTable(body, atWallMs, desk.page));
  return OK;
}

export async function workers(_words: readonly string[], desk: Desk) {
  const { body, atWallMs } = await desk.call<FleetBody>({ path: "/api/v1/gpus" });
  printAnswer(desk, body, () => workersTable(body, atWallMs, desk.page));
  return OK;
}

export async function jobs(_words: readonly string[], desk: Desk) {
  const { body, atWallMs } = await desk.call<JobsBody>({ path: "/api/v1/requests" });
  printAnswer(desk, body, () => jobsTable(body, atWallMs, desk.page));
  return OK;
}

export async function quotas([user]: readonly string[], desk: Desk) {
  const path = `/api/v1/quotas${user === undefined ? "" : `/${encodeURIComponent(user)}`}`;
  const { body } = await desk.call<QuotaBody>({ path });
  printAnswer(desk, body, () => quotaTable(body, desk.page));
  return OK;
}

/** For scripts, too: a router that can serve nobody is no success. */
export async function health(_words: readonly string[], desk: Desk) {
  const { status, body } = await desk.call<HealthBody>({ path: "/health" });
  printAnswer(desk, body, () => healthLines(body, desk.page));
  return status === 200 ? OK : REFUSED;
}

export async function explain([path]: readonly string[], desk: Desk) {
  const { user } = desk.options;
  const { body } = await desk.call<Decision>({
    method: "POST",
    path: "/api/v1/route/explain",
    body: path === undefined ? bodyOfOptions(desk) : await bodyOfFile(path, desk),
    headers: user === undefined ? {} : { "x-user-id": user },
  });
  printAnswer(desk, body, () => decisionTables(body, desk.page));
  return OK;
}

/** The shortest chat. */
function bodyOfOptions({ options: { model, priority } }: Desk): string {
  if (model === undefined) {
    throw new Misuse("say what to explain: --model <name>, or a file with the body of a job");
  }
  const band = priority === undefined ? undefined : Number(priority);
  if (band !== undefined && !/^[1-5]$/.test(priority!)) {
    throw new Misuse("--priority must be 1, 2, 3, 4 or 5 (5 is the most urgent)");
  }
  return JSON.stringify({ model_id: model, priority: band, payload: { messages: [] } });
}

async function bodyOfFile(path: string, { options, read }: Desk): Promise<string> {
  if (options.model !== undefined || options.priority !== undefined) {
    throw new Misuse("--model and --priority are for bodies that are made: a file says its own");
  }
  const text = await read(path).catch((error: unknown) => {
    throw new Misuse(`cannot read ${path}: ${error instanceof Error ? error.message : "failed"}`);
  });
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Misuse(`${path === "-" ? "stdin" : path} is not JSON: ${(error as Error).message}`);
  }
  return text;
}
