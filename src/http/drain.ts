import { sleep, until, type Clock } from "../clock.ts";
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
/** Who asks again at once, on the connection of the last answer, is told and meets no reset. */
const LAST_CALL_MS = 50;

/**
 * New connections are refused at once; what runs gets its time, and is then cut off. Those that are
 * idle stay until then, so that whoever asks on them hears of it instead of meeting a reset.
 */
export async function drain({ server, clock, timeoutMs, open, cutOff }: Drain): Promise<void> {
  // Node takes a connection for idle while the end of its answer still waits for a slow reader.
  server.server.closeIdleConnections = () => {};
  const closed = server.close();
  const isIdle = (): boolean => open() === 0;
  if (!isIdle()) {
    if (!(await until(clock, isIdle, timeoutMs))) cutOff();
    await until(clock, isIdle, LAST_WORDS_MS);
    await sleep(clock, LAST_CALL_MS);
    await until(clock, isIdle, LAST_WORDS_MS);
  }
  server.server.closeAllConnections();
  await closed;
}
