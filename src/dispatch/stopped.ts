import { RouterError } from "../errors.ts";

/** Another instance answers at once, and a restarted router within this time. */
const RETRY_AFTER_MS = 2000;

const MESSAGES = {
  refused:
    "the router is stopping and takes no new work: send it to another instance, or again later",
  unsent: "the router stopped before this ran: no worker saw it, so it may be sent again",
  sent: "the router stopped while this was running: a worker may have done it in part",
} as const;

/** What the router's end means for one request: it was not taken, taken but not sent, or sent. */
export function stoppedError(what: keyof typeof MESSAGES): RouterError {
  return new RouterError("SHUTTING_DOWN", MESSAGES[what], { retryAfterMs: RETRY_AFTER_MS });
}
