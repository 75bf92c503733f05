import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { holdProcess, systemClock } from "../clock.ts";
import { processEnvironment } from "../config/environment.ts";
import { runCtl } from "./ctl-command.ts";

const env = processEnvironment();
const { stdout, stderr } = process;

// While it waits for a worker to drain, nothing else would keep it alive.
holdProcess();

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
  out: (part) => stdout.write(part),
  err: (part) => stderr.write(part),
  read: (path) => (path === "-" ? text(process.stdin) : readFile(path, "utf8")),
  onInterrupt: (run) => process.once("SIGINT", run).once("SIGTERM", run),
});
// When all is out, or whoever reads it has stopped, as `head` does.
stdout.write("", () => process.exit(code));
