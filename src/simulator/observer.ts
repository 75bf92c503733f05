import { learnFrom } from "../dispatch/learn.ts";
import type { AttemptRecord, RouteObserver } from "../dispatch/route-request.ts";
import type { RoutedRequest } from "../dispatch/routed-request.ts";
import type { OutcomeClass } from "../failures/classify.ts";
import type { Choice, Question } from "../routing/decide.ts";
import { explain } from "../routing/explain.ts";
import type { Witness, World } from "./world.ts";

/** What app-reports.ts does with what happens, without metrics and log. */
export function createObserver(world: () => World, { tell, onChoice }: Witness): RouteObserver {
  return {
    onDecision(request: RoutedRequest, question: Question, choice: Choice): void {
      const { worker } = choice;
      tell(() => `${request.id} goes to ${worker?.id ?? "nobody"}`);
      if (worker === null) return;
      onChoice(world(), request, choice);
      const { jobs, timeline } = world();
      const job = jobs.of(request);
      job?.decided(worker, explain(question, choice), timeline.router.wallMs());
    },
    onQueued(request: RoutedRequest): void {
      tell(() => `${request.id} waits`);
      const { jobs, timeline } = world();
      jobs.of(request)?.moveTo("queued", timeline.router.wallMs());
    },
    onAttemptEnd(request: RoutedRequest, record: AttemptRecord, outcome: OutcomeClass): void {
      const { worker, outcome: end } = record;
      tell(() => `${request.id} on ${worker.id}: ${outcome} ${JSON.stringify(end)}`);
      const { loop, ledger } = world();
      ledger.attemptEnded(request, record);
      learnFrom(record, request, {
        speeds: loop.speeds,
        modelMissing: (index, model) => loop.fleet.modelMissing(index, model),
        checkWorker: (index) => loop.check(index),
      });
    },
  };
}
