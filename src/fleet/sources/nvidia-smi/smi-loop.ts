import { spawn, type ChildProcess } from "node:child_process";
import type { Clock, Timer } from "../../../clock.ts";
import { fieldsOf, parseRow, WHOLE_QUERY, withoutField, type Row } from "./columns.ts";
import {
  explainEnding,
  explainNoStart,
  refusedField,
  unreachableGpu,
  type Ending,
} from "./explain-failure.ts";
import { lineSplitter } from "./line-splitter.ts";
import { Rounds } from "./rounds.ts";

export interface Round {
  /** One per GPU, in the order of their index. */
  readonly rows: readonly Row[];
  /** No GPU was left out. */
  readonly isWhole: boolean;
}

export interface SmiLoopOptions {
  readonly clock: Clock;
  readonly command: string;
  /** Between two rounds. */
  readonly intervalMs: number;
  /** No reading for so long: it hangs in the driver. */
  readonly silenceMs: number;
  readonly onRound: (round: Round) => void;
  readonly onFailure: (reason: string) => void;
  /**
   * It reads no GPU while it cannot open this one; `wasWhole`: it was asked for all. The ids of those
   * that are left; null = no such GPU was ever seen.
   */
  readonly idsWithout: (busId: string, wasWhole: boolean) => readonly string[] | null;
}

/** Without persistence mode the driver takes seconds per GPU to wake up. */
const FIRST_SILENCE_MS = 60_000;
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
/** So often it is tried whether a GPU that was left out can be opened again. */
const LEFT_OUT_MS = 600_000;
/** What is stuck in the driver cannot be killed; nobody waits longer for it. */
const CLOSE_MS = 1000;
const MAX_REMARKS = 5;
const MAX_REMARK_CHARS = 300;

/**
 * One nvidia-smi that runs on and prints a round at each interval: starting one per poll costs
 * seconds on a box with many cards. It is started anew when it ends or hangs, and never while the
 * old one is still there. When this process dies, its pipe breaks and it ends at its next line.
 */
export class SmiLoop {
  readonly #options: SmiLoopOptions;
  #query = WHOLE_QUERY;
  /** The GPUs that it is asked for; [] = all. */
  #ids: readonly string[] = [];
  /** While it looks whether a lost GPU is back: those that it read before. Else []. */
  #idsBefore: readonly string[] = [];
  #child: ChildProcess | null = null;
  #timers: Timer[] = [];
  #heardAtMs = 0;
  #heard = false;
  #isOverdue = false;
  #killed: { readonly reason: string | null } | null = null;
  #backoffMs = FIRST_BACKOFF_MS;
  #closed = false;
  #onGone: () => void = () => undefined;

  constructor(options: SmiLoopOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, command, intervalMs } = this.#options;
    const query = `--query-gpu=${fieldsOf(this.#query)}`;
    const only = this.#ids.length > 0 ? [`--id=${this.#ids.join(",")}`] : [];
    const args = [...only, query, "--format=csv,noheader,nounits", `--loop-ms=${intervalMs}`];
    this.#heardAtMs = clock.now();
    this.#heard = false;
    this.#isOverdue = false;
    this.#killed = null;
    let child;
    try {
      child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      // What cannot be executed is thrown, and what is not there is an event.
      return this.#tryLater(explainNoStart(command, error as Error));
    }
    this.#follow(child);
    this.#timers.push(clock.every(Math.max(250, intervalMs), () => this.#watch()));
    if (only.length > 0) this.#timers.push(clock.after(LEFT_OUT_MS, () => this.#kill(null)));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimers();
    const child = this.#child;
    if (child === null) return;
    const gone = Promise.withResolvers<void>();
    this.#onGone = gone.resolve;
    const patience = this.#options.clock.after(CLOSE_MS, gone.resolve);
    child.kill("SIGKILL");
    // What a wrapper script started lives on, until it finds nobody to print to.
    child.stdout?.destroy();
    child.stderr?.destroy();
    await gone.promise;
    patience.cancel();
  }

  #follow(child: ChildProcess): void {
    this.#child = child;
    const remarks = this.#listen(child);
    child.on("error", (error) => {
      // Else it could not be killed, and is still there.
      if (child.pid !== undefined) return;
      this.#end(child, () => explainNoStart(this.#options.command, error));
    });
    child.once("close", (exitCode) => this.#end(child, () => this.#judge({ remarks, exitCode })));
  }

  /** Returns what it says besides readings, and will have said when it ends. */
  #listen(child: ChildProcess): readonly string[] {
    const remarks: string[] = [];
    const query = this.#query;
    const rounds = new Rounds((rows) => {
      this.#backoffMs = FIRST_BACKOFF_MS;
      this.#idsBefore = [];
      this.#options.onRound({ rows, isWhole: this.#ids.length === 0 });
    });
    const onLine = (line: string): void => {
      const row = parseRow(line, query);
      if (row !== null) {
        this.#heardAtMs = this.#options.clock.now();
        this.#heard = true;
        this.#isOverdue = false;
        rounds.take(row);
      } else if (remarks.length < MAX_REMARKS) remarks.push(line.slice(0, MAX_REMARK_CHARS));
    };
    child.stdout?.setEncoding("utf8").on("data", lineSplitter(onLine));
    child.stderr?.setEncoding("utf8").on("data", lineSplitter(onLine));
    return remarks;
  }

  #watch(): void {
    const { clock, silenceMs, onFailure } = this.#options;
    const isAwake = this.#heard || this.#idsBefore.length > 0;
    const patienceMs = isAwake ? silenceMs : Math.max(FIRST_SILENCE_MS, silenceMs);
    // One that was killed for no fault of its own may be found to hang as well.
    if (this.#killed?.reason || clock.now() - this.#heardAtMs < patienceMs) return;
    if (!this.#isOverdue) {
      // Perhaps this process stood still: what was printed meanwhile is read before the next look.
      this.#isOverdue = true;
      return;
    }
    const reason = `nvidia-smi printed no readings for ${patienceMs / 1000} s: it hangs in the driver`;
    onFailure(reason);
    this.#kill(reason);
  }

  /** null: for no fault of its own. */
  #kill(reason: string | null): void {
    this.#killed = { reason };
    this.#child?.kill("SIGKILL");
  }

  /** What is wrong; null = nothing that a start at once does not mend. */
  #judge(ending: Ending): string | null {
    if (this.#narrowQuery(ending)) return null;
    const reason = this.#killed?.reason ?? explainEnding(ending);
    const left = this.#idsLeft(ending);
    if (left !== null) {
      this.#ids = left;
      this.#idsBefore = [];
      return left.length > 0 ? null : this.#allLost(reason);
    }
    // A look for lost GPUs that failed goes back to the others; where those fail, it looks at all.
    const isExpected = this.#killed?.reason === null || this.#idsBefore.length > 0;
    [this.#ids, this.#idsBefore] = [this.#idsBefore, this.#ids];
    return isExpected ? null : reason;
  }

  /** It refused a field, and is asked without it. */
  #narrowQuery({ remarks }: Ending): boolean {
    const field = refusedField(remarks);
    const narrower = field === null ? null : withoutField(this.#query, field);
    if (narrower === null) return false;
    this.#query = narrower;
    return true;
  }

  /** It could not open a GPU: the others, for which it is asked; null = that cannot help. */
  #idsLeft({ remarks }: Ending): readonly string[] | null {
    const busId = unreachableGpu(remarks);
    if (busId === null) return null;
    const wasWhole = this.#ids.length === 0;
    const left = this.#options.idsWithout(busId, wasWhole);
    // Where fewer GPUs did not help, the same again would not either.
    return left !== null && (wasWhole || left.length < this.#ids.length) ? left : null;
  }

  /** That none can be opened is a reading too, and is taken again before it is stale. */
  #allLost(reason: string): string {
    this.#options.onRound({ rows: [], isWhole: false });
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#options.silenceMs / 2);
    return reason;
  }

  #end(child: ChildProcess, judge: () => string | null): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#cancelTimers();
    this.#onGone();
    if (this.#closed) return;
    const reason = judge();
    if (reason === null) this.start();
    else this.#tryLater(reason);
  }

  #tryLater(reason: string): void {
    this.#options.onFailure(reason);
    this.#timers.push(this.#options.clock.after(this.#backoffMs, () => this.start()));
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }
}
