import "../../src/v8-flags.ts";
import { createApp, KNOWN_NAMES } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { benchConfig } from "./bench-config.ts";
import { serveCpu } from "./cpu-child.ts";

/** The product as it is shipped, everything on: keys, checks, decision, metrics, log lines. */
const { config } = loadConfig({
  env: benchConfig(process.argv.slice(2)),
  cwd: "/nonexistent",
  names: KNOWN_NAMES,
});
const destination = "/dev/null";
const { log } = createLogger({ clock: systemClock, level: "info", destination, ship: null });
const app = await createApp({ config, clock: systemClock, log, version: "0", demoKey: null });
const url = await app.listen();
await app.start();
serveCpu([url]);
process.on("SIGINT", () => process.exit(0));
