import type { ServerResponse } from "node:http";

/** Lets a test decide when a stream goes on. Steps made before they are wanted are kept. */
export class StreamControl {
  #steps = 0;
  readonly #waiting = new Set<() => void>();

  step(count = 1): void {
    for (let made = 0; made < count; made++) {
      const [next] = this.#waiting;
      if (next) next();
      else this.#steps++;
    }
  }

  /** Called by a stream: true with the next step, false if the client is gone before it. */
  taken(response: ServerResponse): Promise<boolean> {
    if (response.closed) return Promise.resolve(false);
    if (this.#steps > 0) {
      this.#steps--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const settle = (going: boolean): void => {
        this.#waiting.delete(wake);
        response.off("close", giveUp);
        resolve(going);
      };
      const wake = (): void => settle(true);
      const giveUp = (): void => settle(false);
      this.#waiting.add(wake);
      response.once("close", giveUp);
    });
  }
}
