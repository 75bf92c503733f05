import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A server in a process of its own, so that its CPU time can be told from the load generator's. */
export interface CpuChild {
  readonly urls: readonly string[];
  /** User and system CPU time of the process so far, in microseconds. */
  cpuUs(): Promise<number>;
  stop(): void;
}

/** Starts one of the files beside this one; it must call `serveCpu` once it listens. */
export async function startChild(file: string, args: readonly string[]): Promise<CpuChild> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const { urls } = (await nextMessage(child)) as { urls: readonly string[] };
  return {
    urls,
    async cpuUs() {
      child.send("cpu");
      return ((await nextMessage(child)) as { cpuUs: number }).cpuUs;
    },
    stop: () => void child.kill("SIGKILL"),
  };
}

/** In the child: says where it listens, and answers each question for its CPU time. */
export function serveCpu(urls: readonly string[]): void {
  process.send?.({ urls });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system });
  });
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null): void => {
      reject(new Error(`a bench server exited with ${code}`));
    };
    child.once("exit", died);
    child.once("message", (message) => {
      child.off("exit", died);
      resolve(message);
    });
  });
}
