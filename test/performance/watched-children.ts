import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RouterSample, WatchedRouterSettings } from "./watched-router.ts";

export interface StartedChild {
  readonly process: ChildProcess;
  readonly url: string;
}

/** Starts one of the files beside this one, which says where it listens. */
export async function startServer(file: string, args: readonly string[]): Promise<StartedChild> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const { urls } = (await nextMessage(child)) as { urls: readonly string[] };
  return { process: child, url: urls[0] ?? "" };
}

export function startWatchedRouter(settings: WatchedRouterSettings): Promise<StartedChild> {
  return startServer("watched-router.ts", [JSON.stringify(settings)]);
}

/** What a watched router has said since it was last asked, and holds now. */
export async function sampleOf(router: ChildProcess): Promise<RouterSample> {
  router.send("sample");
  return (await nextMessage(router)) as RouterSample;
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const died = (): void => reject(new Error("a process of this test has ended by itself"));
    child.once("exit", died).once("message", (message) => {
      child.off("exit", died);
      resolve(message);
    });
  });
}
