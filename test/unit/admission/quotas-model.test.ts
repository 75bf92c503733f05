import fc from "fast-check";
import { expect, test } from "vitest";
import type { Quotas, Reservation } from "../../../src/admission/quotas.ts";
import { RouterError } from "../../../src/errors.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { reserveMany, setUp, SLICE_MS, WINDOW_MS } from "./quota-setup.ts";

/** Every unit ever taken, kept for ever: slow, and plain to see that it is right. */
interface Model {
  nowMs: number;
  readonly admitted: { readonly user: string; readonly atMs: number; sent: boolean }[];
  readonly spent: { readonly user: string; readonly atMs: number; readonly tokens: number }[];
  readonly open: Held[];
}

interface Held {
  readonly user: string;
  readonly tokens: number;
  readonly admitted: Model["admitted"][number];
  readonly reservation: Reservation;
  isOver: boolean;
}

interface Real {
  readonly quotas: Quotas;
  readonly clock: FakeClock;
}

const REQUEST_LIMIT = 4;
const TOKEN_LIMIT = 100;
const USERS = ["alice", "bob"];

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

/** Units of this user that are younger than `ageMs`, and what is held. */
function unitsOf(model: Model, user: string, ageMs: number) {
  const isIn = (unit: { user: string; atMs: number }): boolean =>
    unit.user === user && model.nowMs - unit.atMs < ageMs;
  const held = model.open.filter((one) => one.user === user && !one.isOver);
  return {
    requests: model.admitted.filter((unit) => unit.sent && isIn(unit)).length,
    tokens: sum(model.spent.filter(isIn).map(({ tokens }) => tokens)),
    held: sum(held.map(({ tokens }) => tokens)),
  };
}

/** In no window of the full length, and at no moment, is more admitted than the limit. */
function checkLimits(model: Model): void {
  for (const user of USERS) {
    const { requests, tokens, held } = unitsOf(model, user, WINDOW_MS);
    expect(requests).toBeLessThanOrEqual(REQUEST_LIMIT);
    expect(tokens + held).toBeLessThanOrEqual(TOKEN_LIMIT);
  }
}

class Reserve implements fc.Command<Model, Real> {
  readonly user: string;
  readonly tokens: readonly number[];
  constructor(user: string, tokens: readonly number[]) {
    this.user = user;
    this.tokens = tokens;
  }
  check(): boolean {
    return sum(this.tokens) <= TOKEN_LIMIT;
  }
  run(model: Model, { quotas }: Real): void {
    const { user, tokens } = this;
    let taken: readonly Reservation[];
    try {
      taken = reserveMany(quotas, user, tokens);
    } catch (error) {
      expect(error).toBeInstanceOf(RouterError);
      this.#wasRight(model);
      return;
    }
    for (const [index, reservation] of taken.entries()) {
      const admitted = { user, atMs: model.nowMs, sent: true };
      model.admitted.push(admitted);
      model.open.push({ user, tokens: tokens[index]!, admitted, reservation, isOver: false });
    }
    checkLimits(model);
  }
  /** A refusal is right if a window that is longer by one slice has no room. */
  #wasRight(model: Model): void {
    const { requests, tokens, held } = unitsOf(model, this.user, WINDOW_MS + SLICE_MS);
    const lacksRequests = requests + this.tokens.length > REQUEST_LIMIT;
    expect(lacksRequests || tokens + held + sum(this.tokens) > TOKEN_LIMIT).toBe(true);
  }
  toString(): string {
    return `reserve(${this.user}, [${this.tokens.join(", ")}])`;
  }
}

/** Ends any reservation, those that are over included. */
class End implements fc.Command<Model, Real> {
  readonly at: number;
  readonly sent: boolean;
  readonly share: number | null;
  constructor(at: number, sent: boolean, share: number | null) {
    this.at = at;
    this.sent = sent;
    this.share = share;
  }
  check({ open }: Readonly<Model>): boolean {
    return open.length > 0;
  }
  run(model: Model): void {
    const held = model.open[this.at % model.open.length]!;
    const { user, tokens: estimate } = held;
    // Estimates are the most that is used: what is above them cannot be known beforehand.
    const tokens = this.share === null ? null : Math.floor(estimate * this.share);
    held.reservation.end({ sent: this.sent, tokens });
    if (held.isOver) return;
    held.isOver = true;
    held.admitted.sent = this.sent;
    if (this.sent) model.spent.push({ user, atMs: model.nowMs, tokens: tokens ?? estimate });
    checkLimits(model);
  }
  toString(): string {
    return `end(${this.at}, ${this.sent}, ${this.share})`;
  }
}

class Wait implements fc.Command<Model, Real> {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, { quotas, clock }: Real): void {
    clock.advance(this.ms);
    model.nowMs += this.ms;
    for (const user of USERS) {
      const { held } = unitsOf(model, user, WINDOW_MS);
      expect(quotas.usageOf(user).tokensHeld).toBe(held);
    }
    expect(quotas.openCount).toBe(model.open.filter(({ isOver }) => !isOver).length);
  }
  toString(): string {
    return `wait(${this.ms})`;
  }
}

const user = fc.constantFrom(...USERS);
const estimates = fc.array(fc.integer({ min: 1, max: TOKEN_LIMIT }), {
  minLength: 1,
  maxLength: 3,
});
const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }));
const wait = fc.oneof(
  fc.integer({ min: 0, max: 3 * SLICE_MS }),
  fc.integer({ min: 0, max: 2 * WINDOW_MS }),
  fc.constantFrom(WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 1),
);

test("whatever comes in whatever order, no window has more than the limits, and none less", () => {
  const commands = fc.commands(
    [
      fc.tuple(user, estimates).map(([who, tokens]) => new Reserve(who, tokens)),
      fc
        .tuple(fc.nat(), fc.boolean(), share)
        .map(([at, sent, ofEstimate]) => new End(at, sent, ofEstimate)),
      wait.map((ms) => new Wait(ms)),
    ],
    { maxCommands: 60 },
  );
  fc.assert(
    fc.property(commands, (all) => {
      const { quotas, clock } = setUp({
        defaults: { requestLimit: REQUEST_LIMIT, tokenLimit: TOKEN_LIMIT },
      });
      const start = () => ({
        model: { nowMs: 0, admitted: [], spent: [], open: [] },
        real: { quotas, clock },
      });
      fc.modelRun(start, all);
    }),
    { numRuns: 1_000 },
  );
});

test("a refusal tells the first moment at which the same requests pass", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: REQUEST_LIMIT }), (waits, count) => {
      const { quotas, clock } = setUp({ defaults: { requestLimit: REQUEST_LIMIT } });
      const attempt = (requests: number): number => {
        try {
          reserveMany(
            quotas,
            "alice",
            Array.from({ length: requests }, () => 0),
          );
          return 0;
        } catch (error) {
          return (error as RouterError).retryAfterMs ?? Number.NaN;
        }
      };
      for (const ms of waits) {
        attempt(1);
        clock.advance(ms);
      }
      const waitMs = attempt(count);
      if (waitMs === 0) return;
      clock.advance(waitMs - 1);
      expect(attempt(count)).toBe(1);
      clock.advance(1);
      expect(attempt(count)).toBe(0);
    }),
  );
});
