import { SourcePolls, type SourcePollsOptions } from "./source-polls.ts";
import type { GpuSource } from "./sources/source.ts";

/** The sources that are polled now, and what the fleet knows of them. */
export class PolledSources {
  readonly #options: SourcePollsOptions;
  readonly #polls = new Map<GpuSource, SourcePolls>();

  constructor(options: SourcePollsOptions) {
    this.#options = options;
  }

  /** `next` in the place of those until now; one that was polled before goes on as it was. */
  replace(next: readonly GpuSource[]): void {
    const { fleet } = this.#options;
    const known = namesOf(this.#polls.keys());
    const wanted = namesOf(next);
    for (const [source, polls] of this.#polls) {
      if (next.includes(source)) continue;
      polls.close();
      this.#polls.delete(source);
      if (!wanted.has(source.name)) fleet.removeSource(source.name);
    }
    for (const source of next) {
      if (this.#polls.has(source)) continue;
      this.#polls.set(source, new SourcePolls(source, this.#options));
      // The same service with another token keeps its GPUs until it has answered.
      if (!known.has(source.name)) fleet.addSource(source.name, source.host);
    }
  }

  /** Resolves when all have answered once; `onAnswer` is called after each. */
  async poll(onAnswer: () => Promise<void>): Promise<void> {
    const polls = [...this.#polls.values()].map((source) => source.poll());
    await Promise.all(polls.map((poll) => poll.then(onAnswer)));
  }

  async checkHealth(): Promise<void> {
    await Promise.all([...this.#polls.values()].map((source) => source.checkHealth()));
  }

  close(): void {
    for (const polls of this.#polls.values()) polls.close();
  }
}

function namesOf(sources: Iterable<GpuSource>): ReadonlySet<string> {
  return new Set([...sources].map(({ name }) => name));
}
