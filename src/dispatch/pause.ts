import type { Clock } from "../clock.ts";
import type { RoutedRequest } from "./routed-request.ts";

/** False: there is no time or no retry left for it, or nobody waits for the answer any more. */
export async function pause(
  clock: Clock,
  request: RoutedRequest,
  delayMs: number | null,
): Promise<boolean> {
  if (delayMs === null || clock.now() + delayMs >= request.deadlineAtMs) return false;
  await new Promise<void>((resolve) => {
    const timer = clock.after(delayMs, resolve);
    request.abandonment.listen(() => {
      timer.cancel();
      resolve();
    });
  });
  request.abandonment.listen(null);
  return request.abandonment.reason === null;
}
