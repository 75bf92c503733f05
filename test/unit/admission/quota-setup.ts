import { MemoryQuotaStore } from "../../../src/admission/memory-quota-store.ts";
import type { QuotaStore } from "../../../src/admission/quota-store.ts";
import { Quotas, type Reservation } from "../../../src/admission/quotas.ts";
import type { GivenLimits, UserLimits } from "../../../src/admission/user-limits.ts";
import { FakeClock } from "../../support/fake-clock.ts";

export const WINDOW_MS = 60_000;
/** How much longer than the window a unit may count. */
export const SLICE_MS = 1_000;

export const DEFAULTS = {
  gpuLimit: 2,
  requestLimit: 5,
  priorityLimit: 3,
  tokenLimit: null,
} as const satisfies Omit<UserLimits, "expiresAtWallMs">;

interface Setup {
  readonly defaults?: Partial<Omit<UserLimits, "expiresAtWallMs">>;
  readonly config?: Readonly<Record<string, GivenLimits>>;
  readonly store?: (memory: MemoryQuotaStore) => QuotaStore;
}

export function setUp({ defaults, config = {}, store: wrap = (memory) => memory }: Setup = {}) {
  const clock = new FakeClock();
  const memory = new MemoryQuotaStore(clock, WINDOW_MS);
  const quotas = new Quotas({
    clock,
    store: wrap(memory),
    windowMs: WINDOW_MS,
    settings: {
      defaults: { ...DEFAULTS, ...defaults },
      config: new Map(Object.entries(config)),
    },
  });
  return { clock, memory, quotas };
}

/** A reservation of a store that answers at once. */
export function reserve(quotas: Quotas, user: string, tokens = 0): Reservation {
  const reservation = quotas.reserve(user, tokens);
  if (reservation instanceof Promise) throw new Error("the store did not answer at once");
  return reservation;
}

export function reserveMany(quotas: Quotas, user: string, tokens: readonly number[]) {
  const reservations = quotas.reserveMany(user, tokens);
  if (reservations instanceof Promise) throw new Error("the store did not answer at once");
  return reservations;
}

export const SENT = { sent: true, tokens: null };
export const UNSENT = { sent: false, tokens: null };
