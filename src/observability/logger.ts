import pino from "pino";
import { until, type Clock } from "../clock.ts";
import type { Log, LogFn } from "../log.ts";
import { censor, isSecret } from "./censor.ts";
import { LineBatch, type Unmade } from "./line-batch.ts";
import type { LogSender } from "./log-sender.ts";
import { createLogShipper, type LogSink } from "./log-shipper.ts";
import { LogWriter } from "./log-writer.ts";

export interface LoggerOptions {
  readonly clock: Clock;
  readonly level: string;
  /** A file descriptor: 1 is stdout. Tests give a path. */
  readonly destination: number | string;
  /** The Logging Service, which gets a copy of every line; null = none. */
  readonly ship: LogSink | null;
}

/** Lines since the start, for the metrics. */
export interface LogCounts {
  /** Lost on stdout: the reader was too slow, or is gone. */
  readonly droppedByStdout: number;
  /** Lost for the Logging Service: too many waited, it refused them, or the process ended. */
  readonly droppedByService: number;
  /** Taken by the Logging Service. */
  readonly shipped: number;
  /** Bytes that wait for the Logging Service. */
  readonly backlogBytes: number;
}

export interface Logger {
  readonly log: Log;
  /** debug, info, warn or error: the least important lines that are written from now on. */
  setLevel(level: string): void;
  readonly counts: LogCounts;
  /** Writes and ships what is buffered, and ends, whoever takes it or not. The last call, at exit. */
  close(): Promise<void>;
}

/** Of lines about requests, some 32 KiB. */
const BATCH_LINES = 80;
const BATCH_LENGTH = 32 * 1024;
/** A line waits no longer than this. */
const FLUSH_MS = 200;
/** Longest wait for a slow reader, or a slow Logging Service, at exit. */
const CLOSE_MS = 5000;

/** One JSON line per event, written without blocking the loop. */
export function createLogger({ clock, level, destination, ship }: LoggerOptions): Logger {
  const writer = new LogWriter(clock, destination);
  const batch = new LineBatch({
    clock,
    maxLines: BATCH_LINES,
    maxLength: BATCH_LENGTH,
    maxWaitMs: FLUSH_MS,
    write(lines) {
      writer.write(lines);
      shipper?.add(lines);
    },
  });
  // Where a defect ends the process, its last lines are those that tell why.
  const flush = (): void => writer.endNow(batch.take());
  process.prependListener("exit", flush);
  const logger = pino({ level, base: null }, batch);
  const logAt = (at: "debug" | "info" | "warn" | "error"): LogFn => {
    const start = `{"level":${pino.levels.values[at]},"time":`;
    return (fields, message) => {
      if (!logger.isLevelEnabled(at)) return;
      if (isPlain(fields)) batch.write(new PlainLine(start, clock.wallMs(), { fields, message }));
      else logger[at](censor(fields), message);
    };
  };
  const log: Log = {
    debug: logAt("debug"),
    info: logAt("info"),
    warn: logAt("warn"),
    error: logAt("error"),
  };
  const shipper = ship && createLogShipper(ship, { clock, log });
  return {
    log,
    setLevel(next) {
      logger.level = next;
    },
    get counts() {
      return countsOf(writer, shipper);
    },
    async close() {
      const endsAtMs = clock.now() + CLOSE_MS;
      batch.flush();
      shipper?.finish();
      await until(clock, () => writer.isDone && (shipper?.isDone ?? true), CLOSE_MS);
      shipper?.close();
      // What was told meanwhile, such as that the Logging Service fails.
      batch.flush();
      await until(clock, () => writer.isDone, endsAtMs - clock.now());
      // Not before: the process may be made to end during the waits.
      process.off("exit", flush);
      writer.close();
    },
  };
}

function countsOf(writer: LogWriter, shipper: LogSender | null): LogCounts {
  return {
    droppedByStdout: writer.droppedLines,
    droppedByService: shipper?.droppedLines ?? 0,
    shipped: shipper?.shippedLines ?? 0,
    backlogBytes: shipper?.waitingBytes ?? 0,
  };
}

/** Nothing in it to hide, and nothing that JSON alone could not say: no error, no object, no bigint. */
function isPlain(fields: object): boolean {
  for (const name in fields) {
    const value = (fields as Record<string, unknown>)[name];
    if (isSecret(name) || !isPlainValue(value)) return false;
  }
  return true;
}

function isPlainValue(value: unknown): boolean {
  if (typeof value === "string" || typeof value === "number") return true;
  return value === null || value === undefined || typeof value === "boolean";
}

/** The line that pino would make field by field, at a fifth of the cost. */
class PlainLine implements Unmade {
  readonly #start: string;
  readonly #wallMs: number;
  readonly #event: { readonly fields: object; readonly message: string };

  constructor(
    start: string,
    wallMs: number,
    event: { readonly fields: object; readonly message: string },
  ) {
    this.#start = start;
    this.#wallMs = wallMs;
    this.#event = event;
  }

  make(): string {
    const { fields, message } = this.#event;
    const json = JSON.stringify(fields).slice(1, -1);
    return `${this.#start}${this.#wallMs}${json && ","}${json},"msg":${JSON.stringify(message)}}\n`;
  }
}
