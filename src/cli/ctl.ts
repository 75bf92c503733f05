import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { holdProcess, systemClock } from "../clock.ts";
import { processEnvironment } from "../config/environment.ts";
import { runCtl } from "./ctl-command.ts";
import { OK, REFUSED } from "./ctl-desk.ts";

const env = processEnvironment();
const { stdout, stderr } = process;

// While it waits for a worker to drain, nothing else would keep it alive.
holdProcess();

/** The first write that failed. */
let failure: NodeJS.ErrnoException | null = null;
const print = (part: string): void => {
  stdout.write(part, (error) => (failure ??= error ?? null));
};
// Told to the write itself; without anybody who listens it would end the process with a stack trace.
stdout.on("error", () => undefined);
stderr.on("error", () => undefined);

/** Some terminals do not know theirs. */
const widthOf = (stream: { readonly isTTY: boolean; readonly columns: number }): number =>
  (stream.isTTY && stream.columns) || Infinity;

const code = await runCtl(process.argv.slice(2), {
  env,
  fetch,
  clock: systemClock,
  page: {
    width: widthOf(stdout),
    colours: stdout.isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb",
  },
  errWidth: widthOf(stderr),
  out: print,
  err: (part) => stderr.write(part),
  read: (path) => (path === "-" ? text(process.stdin) : readFile(path, "utf8")),
  onInterrupt: (run) => process.once("SIGINT", run).once("SIGTERM", run),
});
stdout.write("", () => {
  // Whoever reads it may have stopped, as `head` does.
  if (failure === null || failure.code === "EPIPE") process.exit(code);
  stderr.write(`the output could not be written: ${failure.message}\n`);
  process.exit(code === OK ? REFUSED : code);
});
