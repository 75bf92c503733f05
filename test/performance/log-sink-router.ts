import "../../src/v8-flags.ts";
import { createApp, KNOWN_NAMES } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createLogger, type LogCounts } from "../../src/observability/logger.ts";
import { benchConfig } from "./bench-config.ts";

/** The product as it is shipped, its log on stdout and sent to a Logging Service. */
const [sinkUrl = "", ...workerUrls] = process.argv.slice(2);
const { config } = loadConfig({
  env: { ...benchConfig(workerUrls), LOGGING_URL: sinkUrl },
  cwd: "/nonexistent",
  names: KNOWN_NAMES,
});
const ship = { url: sinkUrl, format: config.logging.format };
const logger = createLogger({ clock: systemClock, level: "info", destination: 1, ship });
const { log } = logger;
const app = await createApp({
  ...{ config, clock: systemClock, log, version: "0", demoKey: null },
  logCounts: () => logger.counts,
});
const url = await app.listen();
await app.start();
process.send?.({ urls: [url] });

/** What the router has used and holds. */
export interface LogSinkSample {
  /** User and system, since the start. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly counts: LogCounts;
}

/** "memory": after a collection. Anything else leaves the heap alone. */
process.on("message", (what) => {
  if (what === "memory") globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const { counts } = logger;
  const sample: LogSinkSample = {
    cpuUs: user + system,
    rssBytes: rss,
    heapBytes: heapUsed,
    counts,
  };
  process.send?.(sample);
});
