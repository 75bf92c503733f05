import pino from "pino";
import type { Log } from "../log.ts";

export interface LoggerOptions {
  readonly level: string;
  /** A file descriptor: 1 is stdout. Tests give a path. */
  readonly destination: number | string;
}

export interface Logger {
  readonly log: Log;
  /** Writes what is buffered, at exit. */
  flush(): void;
}

/** A reader that is slow or gone may cost log lines, never memory without end. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;

/** One JSON line per event, written without blocking the loop. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  const stream = pino.destination({
    dest: destination,
    sync: false,
    maxLength: BUFFER_BYTES_MAX,
  });
  // A closed pipe must not end the process: requests matter more than their log.
  stream.on("error", () => {});
  const logger = pino({ level, base: null, redact: SECRETS }, stream);
  return {
    log: {
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      error: (fields, message) => logger.error(fields, message),
    },
    flush() {
      try {
        stream.flushSync();
      } catch {
        // Not open yet, or closed already: there is nobody left to tell.
      }
    },
  };
}

/** No part logs these; should one ever, the value stays out. */
const SECRETS = {
  paths: ["authorization", "*.authorization", "apiKey", "*.apiKey", "key", "*.key", "token"],
  censor: "[redacted]",
};
