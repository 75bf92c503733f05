import type { Clock } from "./clock.ts";
import { lookAtFile, watchFile, type FileLook } from "./config/watch-file.ts";
import type { Log } from "./log.ts";

/** What makes a running process read its config again: SIGHUP, and a change of the file. */

/**
 * From now on SIGHUP does not end the process. One that comes before the returned function has been
 * called counts when it is.
 */
export function takeHangUps(): (onHangUp: () => void) => void {
  let isWaiting = false;
  let handle = (): void => {
    isWaiting = true;
  };
  process.on("SIGHUP", () => handle());
  return (onHangUp) => {
    handle = onHangUp;
    if (isWaiting) onHangUp();
  };
}

export interface ConfigFileWatch {
  readonly clock: Clock;
  readonly log: Log;
  readonly path: string;
  /** How the file looked before it was read. */
  readonly seen: FileLook;
  readonly reload: () => void;
}

/** Returns what reads it at once. A file that is changed and then named by SIGHUP is read once. */
export function watchConfigFile(options: ConfigFileWatch): () => void {
  const { clock, log, path, seen, reload } = options;
  const watch = watchFile(seen, {
    clock,
    look: () => lookAtFile(path),
    onChange: reload,
    onGone: () => log.warn({ config: path }, "config file is gone, the old config stays in force"),
  });
  const readNow = async (): Promise<void> => {
    watch.believe(await lookAtFile(path));
    reload();
  };
  return () => void readNow();
}
