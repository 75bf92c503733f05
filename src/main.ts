import { readFileSync } from "node:fs";
import { createApp, KNOWN_NAMES, type App } from "./app.ts";
import { systemClock } from "./clock.ts";
import { processEnvironment } from "./config/environment.ts";
import { ConfigError, loadConfig, type LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { demoBanner } from "./demo/banner.ts";
import { demoConfig } from "./demo/demo-config.ts";
import { startDemoFleet, type DemoFleet } from "./demo/demo-fleet.ts";
import { generateKey } from "./http/keys.ts";
import { createLogger, type Logger } from "./observability/logger.ts";

/** Starts the process: config -> app -> listen -> close on signal. Nothing else exits. */
async function main(): Promise<void> {
  const checkOnly = isCheckOnly(process.argv.slice(2));
  const loaded = readConfig();
  if (checkOnly) return printConfigIsValid(loaded);
  const demo = loaded.origin.kind === "demo" ? await startDemo(loaded.config) : null;
  const config = demo ? demoConfig(loaded.config, demo) : loaded.config;
  const logger = createLogger({ clock: systemClock, level: levelOf(config), destination: STDOUT });
  const app = await createApp({
    config,
    clock: systemClock,
    log: logger.log,
    version: readVersion(),
    demoKey: demo?.docsKey ?? null,
  });
  const address = await listen(app, config);
  if (demo) process.stdout.write(bannerFor(demo, address));
  announce(loaded, { address, logger });
  closeOnSignal(async () => {
    await app.close();
    await demo?.close();
    await logger.close();
  });
  await app.start();
}

const STDOUT = 1;
const CHECK_CONFIG = "--check-config";

/** A mistyped argument must not start a server. */
function isCheckOnly(args: readonly string[]): boolean {
  const unknown = args.find((arg) => arg !== CHECK_CONFIG);
  if (unknown === undefined) return args.length > 0;
  const message = `unknown argument ${unknown}: there is only ${CHECK_CONFIG}`;
  throw new StartError(`${message}; settings are in config.yaml and the environment`);
}

function readConfig(): LoadedConfig {
  return loadConfig({ env: processEnvironment(), cwd: process.cwd(), names: KNOWN_NAMES });
}

function printConfigIsValid({ origin, notices }: LoadedConfig): void {
  const lines = origin.kind === "demo" ? ["no config.yaml: the demo would start"] : [origin.path];
  process.stdout.write([...lines, ...notices, "the config is valid", ""].join("\n"));
}

function startDemo({ api }: Config): Promise<DemoFleet> {
  return startDemoFleet({
    clock: systemClock,
    host: api.host,
    makeKey: () => generateKey().key,
  });
}

function bannerFor({ keys }: DemoFleet, baseUrl: string): string {
  return demoBanner({ baseUrl, key: keys[0]?.key ?? "", limitedKey: keys[1]?.key ?? "" });
}

async function listen(app: App, { api }: Config): Promise<string> {
  try {
    return await app.listen();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const sentence = LISTEN_PROBLEMS[code]?.(api);
    if (sentence === undefined) throw error;
    throw new StartError(sentence);
  }
}

const LISTEN_PROBLEMS: Readonly<Record<string, (api: Config["api"]) => string>> = {
  EADDRINUSE: ({ port }) =>
    `port ${port} is taken: stop what listens there, or choose another port with ` +
    `API_PORT=${port < 65_535 ? port + 1 : port - 1} (api.port in the config)`,
  EACCES: ({ port }) =>
    `port ${port} needs more rights than this process has: choose one from 1024 up with ` +
    "API_PORT (api.port in the config)",
  EADDRNOTAVAIL: notOurs,
  ENOTFOUND: notOurs,
  EAI_AGAIN: notOurs,
};

function notOurs({ host }: Config["api"]): string {
  return (
    `this machine has no address ${host}: set API_HOST (api.host in the config) to one that it ` +
    "has, or to 0.0.0.0 for all"
  );
}

/** Names what is missing, each with its fix: an incomplete config starts, and says so. */
function announce(
  { config, origin, notices }: LoadedConfig,
  { address, logger }: { readonly address: string; readonly logger: Logger },
): void {
  const { log } = logger;
  if (origin.kind === "file") {
    log.info({ address, docs: `${address}/docs`, config: origin.path }, "listening");
  }
  for (const notice of notices) log.warn({}, notice);
  if (origin.kind === "demo") return;
  if (config.auth.keys.length === 0) log.warn({}, NO_KEYS);
  if (config.workers.length === 0) log.warn({}, NO_WORKERS);
}

const NO_KEYS =
  "no API keys configured: run npm run key -- --user <name> --role admin, and paste its output " +
  "into config.yaml";
const NO_WORKERS =
  "no workers configured: list your inference servers under workers: in config.yaml";

function closeOnSignal(close: () => Promise<void>): void {
  let closingSinceMs: number | null = null;
  const onSignal = (): void => {
    const nowMs = systemClock.now();
    if (closingSinceMs === null) {
      closingSinceMs = nowMs;
      close().then(() => process.exit(0), fail);
    } else if (nowMs - closingSinceMs > REPEAT_MS) {
      process.exit(1);
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** npm passes a terminal's Ctrl-C on, so one key press arrives twice; a later one means it. */
const REPEAT_MS = 500;

function levelOf({ api, logging }: Config): string {
  return api.debug ? "debug" : logging.level;
}

function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** A mistake of the operator's, told in a sentence and without a stack. */
class StartError extends Error {}

function fail(error: unknown): never {
  const isOperators = error instanceof ConfigError || error instanceof StartError;
  const text = isOperators ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

main().catch(fail);
