import type { viewHealth } from "../http/health-view.ts";
import { duration } from "./quantities.ts";
import { painted, type Colour, type Page } from "./table.ts";

export type HealthBody = ReturnType<typeof viewHealth>;

const COLOURS: Readonly<Record<string, Colour>> = {
  healthy: "green",
  degraded: "yellow",
  unhealthy: "red",
};

export function healthLines(health: HealthBody, page: Page): string[] {
  const { status, reasons, workers, gpus, monitors, uptime_ms: uptimeMs } = health;
  const counts = Object.entries(workers).filter(([name, count]) => count > 0 || name === "up");
  return [
    painted({ text: status, colour: COLOURS[status] ?? "red" }, page),
    ...reasons.map((reason) => painted(`  ${reason}`, page)),
    painted(`workers   ${counts.map(([name, count]) => `${count} ${name}`).join(", ")}`, page),
    painted(`GPUs      ${gpus}`, page),
    ...monitors.map(({ name, status: state, age_ms: ageMs }) => {
      const heard = ageMs === null ? "not heard yet" : `last heard ${duration(ageMs)} ago`;
      return painted(`${name} ${state}, ${heard}`, page);
    }),
    painted(`up for    ${duration(uptimeMs)}, boot id ${health.boot_id}`, page),
  ];
}
