import { FILTERS, PICKERS, SCORERS, STRATEGIES } from "../support/routing-entries.ts";
import { describeFilter } from "./filter.contract.ts";
import { describePicker } from "./picker.contract.ts";
import { describeScorer } from "./scorer.contract.ts";
import { describeStrategy } from "./strategy.contract.ts";

for (const filter of FILTERS) describeFilter(() => filter);
for (const scorer of SCORERS) describeScorer(() => scorer);
for (const make of Object.values(PICKERS)) describePicker(make);
for (const [name, make] of Object.entries(STRATEGIES)) describeStrategy(name, make);
