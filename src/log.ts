/**
 * What a part may say about itself. Fixed lowercase message, data in the fields, never a secret. The
 * fields must not be changed afterwards: the line is made a little later.
 */
export type LogFn = (fields: object, message: string) => void;

/** Handed in by app.ts, so that nothing below it knows the logging library. */
export interface Log {
  readonly debug: LogFn;
  readonly info: LogFn;
  readonly warn: LogFn;
  readonly error: LogFn;
}
