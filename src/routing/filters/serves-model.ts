import type { Worker } from "../../fleet/worker.ts";
import type { Filter } from "../stages.ts";

const MODELS_NAMED = 5;

/** Rejects workers that do not serve the model; for now only, while their models are not known. */
export const servesModel: Filter = {
  name: "serves_model",
  scope: "snapshot",
  passes: (worker, { model }) => worker.models.has(model),
  reject: (worker, { model }) =>
    worker.modelsKnown
      ? { reason: `does not serve ${model}; ${servesInstead(worker)}`, permanent: true }
      : {
          reason: `starting, its models are not known yet: ${worker.stateReason ?? "not asked yet"}`,
          permanent: false,
        },
};

function servesInstead(worker: Worker): string {
  const names = [...worker.models.keys()];
  if (names.length === 0) return "it serves no model";
  const more = names.length > MODELS_NAMED ? ` and ${names.length - MODELS_NAMED} more` : "";
  return `it serves ${names.slice(0, MODELS_NAMED).join(", ")}${more}`;
}
