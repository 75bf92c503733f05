/** Runs a task when a lane is free; the others wait in order. */
export type Lanes = <T>(task: () => Promise<T>) => Promise<T>;

/** At most `width` tasks run at a time. */
export function createLanes(width: number): Lanes {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resume) => waiting.push(resume));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
