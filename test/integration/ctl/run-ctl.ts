import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");

export interface CtlOptions {
  readonly url?: string;
  readonly key?: string;
  readonly input?: string;
  /** A path where stdout goes instead. */
  readonly into?: string;
}

/** The real command, as npm runs it. */
export function startCtl(argv: readonly string[], { url, key, input, into }: CtlOptions) {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly scripts: { readonly ctl: string };
  };
  const line = `exec ${scripts.ctl} "$@"${into === undefined ? "" : ` >${into}`}`;
  const child = spawn("sh", ["-c", line, "ctl", ...argv], {
    cwd: ROOT,
    env: {
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      ...(url !== undefined && { ROUTER_URL: url }),
      ...(key !== undefined && { ROUTER_API_KEY: key }),
    },
  });
  const seen = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (seen[name] += chunk.toString()));
  }
  child.stdin.on("error", () => undefined).end(input ?? "");
  const ended = new Promise<{ exitCode: number | null; stdout: string; stderr: string }>(
    (resolve) => child.once("close", (exitCode) => resolve({ exitCode, ...seen })),
  );
  return { child, seen, ended };
}

export const runCtl = (argv: readonly string[], options: CtlOptions) =>
  startCtl(argv, options).ended;
