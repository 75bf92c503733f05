import { engines } from "../../../src/fleet/engines/engines.ts";
import { Fleet, type FleetOptions } from "../../../src/fleet/fleet.ts";
import { createSpeedBook } from "../../../src/fleet/speed.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { keepingLog, workerSpec } from "../../support/fleet-builders.ts";

/** A fleet of two workers that is told of by two sources, and polled every 5 s. */
export function setUpFleet(changes: Partial<FleetOptions> = {}) {
  const clock = new FakeClock();
  const { log, lines } = keepingLog();
  const fleet = new Fleet({
    clock,
    log,
    engines,
    speeds: createSpeedBook(),
    workers: [workerSpec("node1"), workerSpec("node2")],
    maxTemperatureC: 85,
    updateIntervalMs: 5000,
    workerHosts: ["10.0.0.5"],
    ...changes,
  });
  fleet.addSource("one", "host1");
  fleet.addSource("two", "host2");
  const messages = () => lines.map(({ message }) => message);
  const worker = (id: string) => fleet.snapshot().workers.find((known) => known.id === id);
  return { clock, lines, messages, fleet, worker };
}
