import type { Clock } from "../clock.ts";
import type { Answer, AnswerSink, RouteTags } from "../dispatch/answer.ts";
import type { RouterError } from "../errors.ts";
import type { Dice } from "./dice.ts";
import { PING } from "./manners.ts";
import type { RequestPlan } from "./scene.ts";

export interface VirtualClientDeps {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly stalls: RequestPlan["stalls"];
  /** The answer broke a rule. */
  readonly onBreach: (what: string) => void;
}

/** What the client got: nothing, a whole answer, an error, or a stream, whole or cut. */
export type Got = "nothing" | "whole" | "refusal" | "begun" | "ended" | "cut";

/** Where an answer goes, with an eye on what AnswerSink promises. */
export class VirtualClient implements AnswerSink {
  readonly #deps: VirtualClientDeps;
  got: Got = "nothing";
  hasLeft = false;
  status = 0;
  error: RouterError | null = null;
  tags: RouteTags | null = null;
  readonly chunks: Buffer[] = [];
  #isFull = false;

  constructor(deps: VirtualClientDeps) {
    this.#deps = deps;
  }

  /** The client is gone: whatever comes from now on is a breach. */
  leave(): void {
    this.hasLeft = true;
  }

  whole(answer: Answer, tags: RouteTags): void {
    this.#expect("whole", "nothing");
    this.chunks.push(answer.body);
    this.#become("whole", answer.status, tags);
  }

  begin(head: Pick<Answer, "status" | "contentType">, tags: RouteTags): void {
    this.#expect("begin", "nothing");
    this.#become("begun", head.status, tags);
  }

  write(chunk: Buffer): boolean {
    this.#expect("write", "begun");
    if (this.#isFull) this.#deps.onBreach("a chunk was written while the client's buffer was full");
    if (!chunk.equals(PING)) this.chunks.push(chunk);
    const { dice, stalls } = this.#deps;
    this.#isFull = stalls.share > 0 && dice.chance(stalls.share);
    return !this.#isFull;
  }

  onDrain(resume: () => void): void {
    if (!this.#isFull) this.#deps.onBreach("it waits for room in a buffer that has room");
    const { clock, stalls } = this.#deps;
    clock.after(stalls.forMs, () => {
      this.#isFull = false;
      resume();
    });
  }

  end(): void {
    this.#expect("end", "begun");
    this.got = "ended";
  }

  cut(error: RouterError): void {
    this.#expect("cut", "begun");
    this.got = "cut";
    this.error = error;
  }

  fail(error: RouterError, tags: RouteTags | null): number {
    if (this.got === "begun") {
      this.cut(error);
      return this.status;
    }
    if (this.got === "nothing") this.refuse(error, tags);
    return this.status;
  }

  refuse(error: RouterError, tags: RouteTags | null): void {
    this.#expect("refuse", "nothing");
    this.error = error;
    this.#become("refusal", error.status, tags);
  }

  #become(got: Got, status: number, tags: RouteTags | null): void {
    this.got = got;
    this.status = status;
    this.tags = tags;
  }

  #expect(call: string, before: Got): void {
    if (this.hasLeft) this.#deps.onBreach(`${call} after the client had left`);
    if (this.got !== before) this.#deps.onBreach(`${call} after the client got: ${this.got}`);
  }
}
