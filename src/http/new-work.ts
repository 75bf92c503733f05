import type { onRequestHookHandler } from "fastify";
import type { Overload } from "../admission/overload.ts";
import { stoppedError } from "../dispatch/stopped.ts";

export interface NewWorkDeps {
  readonly state: { readonly draining: boolean };
  readonly overload: Pick<Overload, "lowestBand" | "refusal">;
  /** `band`: null where it was refused unread. */
  readonly onShed: (band: number | null) => void;
}

/** Whether the router takes new work at this moment. Reads, health and cancels always pass. */
export interface NewWork {
  /** Before any quota is taken. Throws SHUTTING_DOWN or OVERLOADED. */
  readonly admit: (band: number) => void;
  /** For the routes of new work: a body is not read where nobody's would be taken. */
  readonly beforeBody: onRequestHookHandler;
}

const TOP_BAND = 5;

export function createNewWork({ state, overload, onShed }: NewWorkDeps): NewWork {
  return {
    admit(band) {
      if (state.draining) throw stoppedError("refused");
      if (band >= overload.lowestBand) return;
      onShed(band);
      throw overload.refusal();
    },
    beforeBody(_request, _reply, done) {
      if (overload.lowestBand <= TOP_BAND) return done();
      onShed(null);
      done(overload.refusal());
    },
  };
}
