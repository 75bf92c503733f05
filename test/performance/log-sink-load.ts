import { Pool } from "undici";
import { BENCH_KEY } from "./bench-config.ts";

const TICK_MS = 10;
const CONNECTIONS = 32;
const body = JSON.stringify({
  model: "bench",
  messages: [{ role: "user", content: "Tell me about GPUs. ".repeat(50) }],
});
const headers = { authorization: `Bearer ${BENCH_KEY}`, "content-type": "application/json" };

/** Chat requests at a rate of their own, whether or not those before them are answered. */
export class PacedLoad {
  /** Answered with 200. */
  served = 0;
  /** Anything else. */
  failed = 0;
  readonly #pool: Pool;
  readonly #timer: NodeJS.Timeout;
  readonly #underWay = new Set<Promise<void>>();

  constructor(url: string, perSecond: number) {
    this.#pool = new Pool(url, { connections: CONNECTIONS });
    const startedAtMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAtMs) * perSecond) / 1000);
      for (; sent < due; sent++) this.#begin();
    }, TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    await this.#pool.close();
  }

  #begin(): void {
    const sent = this.#send().finally(() => void this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }

  async #send(): Promise<void> {
    try {
      const path = "/v1/chat/completions";
      const answer = await this.#pool.request({ method: "POST", path, headers, body });
      await answer.body.dump();
      if (answer.statusCode === 200) this.served += 1;
      else this.failed += 1;
    } catch {
      this.failed += 1;
    }
  }
}
