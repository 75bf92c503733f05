import { stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";

/** How the file looked; two that are equal hold the same text. null = there is no such file. */
export type FileLook = string | null;

export interface FileWatchOptions {
  readonly clock: Clock;
  /** How the file looks now; rejects never. */
  readonly look: () => Promise<FileLook>;
  /** Called where the file is another than at the last call, and has stopped changing. */
  readonly onChange: () => void;
  /** Called once each time the file goes away. */
  readonly onGone: () => void;
}

export interface FileWatch {
  /** It is about to be read for another reason: only what comes after this look is news. */
  believe(look: FileLook): void;
  close(): void;
}

const LOOK_EVERY_MS = 1000;

/**
 * Looks at a file every second. Events of the file system would be quicker, but they do not come
 * through bind mounts, and not where an editor or Kubernetes puts another file in its place. What two
 * looks in a row saw is believed, so that a file that is being written is left alone.
 *
 * `known`: how the file looked when it was last read.
 */
export function watchFile(known: FileLook, options: FileWatchOptions): FileWatch {
  const { clock, look, onChange, onGone } = options;
  let believed = known;
  let previous = known;
  let isLooking = false;
  let isClosed = false;
  async function lookOnce(): Promise<void> {
    // A file server that hangs must not be asked again and again.
    if (isLooking) return;
    isLooking = true;
    const now = await look();
    isLooking = false;
    const isSettled = now === previous;
    previous = now;
    if (isClosed || !isSettled || now === believed) return;
    believed = now;
    if (now === null) onGone();
    else onChange();
  }
  const timer = clock.every(LOOK_EVERY_MS, () => void lookOnce());
  return {
    believe(seen) {
      believed = seen;
    },
    close() {
      isClosed = true;
      timer.cancel();
    },
  };
}

/** Of a link it is the file behind it that counts. One that cannot be looked at is as good as gone. */
export async function lookAtFile(path: string): Promise<FileLook> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return null;
  }
}
