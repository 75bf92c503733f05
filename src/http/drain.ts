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

/** New connections are refused at once; what runs gets its time, and is then cut off. */
export async function drain({ server, clock, timeoutMs, open, cutOff }: Drain): Promise<void> {
  const closed = server.close();
  if (!(await until(clock, () => open() === 0, timeoutMs))) cutOff();
  server.server.closeAllConnections();
  await closed;
}
