import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LogSinkSample } from "./log-sink-router.ts";

const LINE_END = 0x0a;

/** A router in a process of its own, whose stdout is read here, or left to fill its pipe. */
export interface LoggingRouter {
  readonly url: string;
  /** Lines on its stdout so far. */
  readonly linesRead: number;
  sample(what: "memory" | "counts"): Promise<LogSinkSample>;
  pauseReading(): void;
  resumeReading(): void;
  stop(): void;
}

export async function startLoggingRouter(
  sinkUrl: string,
  workerUrls: readonly string[],
): Promise<LoggingRouter> {
  const path = fileURLToPath(new URL("log-sink-router.ts", import.meta.url));
  const child = fork(path, [sinkUrl, ...workerUrls], {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const died = (): void => reject(new Error("the router has ended by itself"));
      child.once("exit", died).once("message", (message) => {
        child.off("exit", died);
        resolve(message);
      });
    });
  let linesRead = 0;
  child.stdout?.on("data", (bytes: Buffer) => {
    for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) {
      linesRead += 1;
    }
  });
  const { urls } = (await next()) as { urls: readonly string[] };
  return {
    url: urls[0] ?? "",
    get linesRead() {
      return linesRead;
    },
    sample(what) {
      child.send(what);
      return next() as Promise<LogSinkSample>;
    },
    pauseReading: () => void child.stdout?.pause(),
    resumeReading: () => void child.stdout?.resume(),
    stop: () => void child.kill("SIGKILL"),
  };
}
