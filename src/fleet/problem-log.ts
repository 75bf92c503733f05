import type { Log } from "../log.ts";

/** Warns once per subject and text, so that what is wrong at every poll is news only once. */
export type ProblemLog = (subject: Readonly<Record<string, string>>, problem: string) => void;

/** What varies without end must not fill the memory, nor the log. */
const MAX_TEXTS = 1000;

export function createProblemLog(log: Log, message: string): ProblemLog {
  const told = new Set<string>();
  return (subject, problem) => {
    const key = `${JSON.stringify(subject)} ${problem}`;
    if (told.has(key) || told.size >= MAX_TEXTS) return;
    told.add(key);
    log.warn({ ...subject, problem }, message);
    if (told.size === MAX_TEXTS) log.warn({ kept: MAX_TEXTS }, `${message}: no more are logged`);
  };
}
