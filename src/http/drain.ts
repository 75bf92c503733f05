import type { Server } from "node:http";
import { until, type Clock } from "../clock.ts";
import type { RouterApp } from "./router-app.ts";

export interface Drain {
  readonly server: RouterApp;
  readonly clock: Clock;
  /** api.drain_timeout. */
  readonly timeoutMs: number;
  /** How much is under way. */
  readonly open: () => number;
  /** Ends what outlasted the timeout. */
  readonly cutOff: () => void;
}

/** For the errors that tell those who were cut off. */
const LAST_WORDS_MS = 1000;

/**
 * New connections are refused at once; what runs gets its time, and is then cut off. Those that are
 * idle stay until then, so that whoever asks on them hears of it instead of meeting a reset.
 */
export async function drain({ server, clock, timeoutMs, open, cutOff }: Drain): Promise<void> {
  // Node takes a connection for idle while the end of its answer still waits for a slow reader.
  server.server.closeIdleConnections = () => {};
  const closed = server.close();
  const isIdle = (): boolean => open() === 0;
  if (!(await until(clock, isIdle, timeoutMs))) {
    cutOff();
    await until(clock, isIdle, LAST_WORDS_MS);
  }
  server.server.closeAllConnections();
  await closed;
}

/**
 * Counts the answers that have not left yet. A request's slot is free as soon as the worker is done,
 * while a slow client may still be reading.
 */
export function countOpenAnswers(server: Server): () => number {
  let open = 0;
  const closed = (): void => {
    open -= 1;
  };
  server.on("request", (_request, response) => {
    open += 1;
    response.once("close", closed);
  });
  return () => open;
}
