import pino from "pino";
import { sleep, type Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { censor } from "./censor.ts";

export interface LoggerOptions {
  readonly level: string;
  /** A file descriptor: 1 is stdout. Tests give a path. */
  readonly destination: number | string;
}

export interface Logger {
  readonly log: Log;
  /** Writes what is buffered and ends, whether or not anybody reads it. The last call, at exit. */
  close(clock: Clock): Promise<void>;
}

/** A reader that is slow or gone may cost log lines, never memory without end. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
/** Lines of a busy moment leave in one write: a write each costs more than making the line. */
const WRITE_BYTES = 32 * 1024;
const WRITE_BYTES_MAX = 64 * 1024;
/** A line waits no longer than this. */
const FLUSH_MS = 200;
/** Longest wait for a slow reader at exit. */
const CLOSE_MS = 1000;

/** One JSON line per event, written without blocking the loop. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  const stream = pino.destination({
    dest: destination,
    sync: false,
    maxLength: BUFFER_BYTES_MAX,
    minLength: WRITE_BYTES,
    maxWrite: WRITE_BYTES_MAX,
    periodicFlush: FLUSH_MS,
  });
  // A closed pipe must not end the process: requests matter more than their log.
  stream.on("error", () => {});
  const logger = pino({ level, base: null, formatters: { log: censor } }, stream);
  return {
    log: {
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      error: (fields, message) => logger.error(fields, message),
    },
    async close(clock) {
      // Not flushSync(), which tries for ever where the reader is gone, as in `npm start | tee log`
      // after a Ctrl-C; nor may the stream do so by itself at exit, hence destroy().
      const flushed = new Promise<void>((resolve) => stream.flush(() => resolve()));
      await Promise.race([flushed, sleep(clock, CLOSE_MS)]);
      stream.destroy();
    },
  };
}
