import "./v8-flags.ts";
import { readFileSync } from "node:fs";
import { createApp, KNOWN_NAMES, type App } from "./app.ts";
import { holdProcess, sleep, systemClock } from "./clock.ts";
import { processEnvironment } from "./config/environment.ts";
import { ConfigError, configPath, loadConfig, type LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { lookAtFile, type FileLook } from "./config/watch-file.ts";
import { demoBanner } from "./demo/banner.ts";
import { demoConfig } from "./demo/demo-config.ts";
import { startDemoFleet, type DemoFleet } from "./demo/demo-fleet.ts";
import { generateKey } from "./http/keys.ts";
import type { Log } from "./log.ts";
import { createLogger, type Logger } from "./observability/logger.ts";
import { takeHangUps, watchConfigFile } from "./reload-triggers.ts";

/** Starts the process: config -> app -> listen -> close on signal. Nothing else exits. */
async function main(): Promise<void> {
  const checkOnly = isCheckOnly(process.argv.slice(2));
  // A terminal that is closed ends what was started in it, as everywhere.
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY;
  const onHangUp = hasTerminal ? () => {} : takeHangUps();
  const seen = await lookAtFile(configPath(SURROUNDINGS));
  const loaded = readConfig();
  if (checkOnly) return printConfigIsValid(loaded);
  const demo = loaded.origin.kind === "demo" ? await startDemo(loaded.config) : null;
  const config = demo ? demoConfig(loaded.config, demo) : loaded.config;
  const logger = openLog(config);
  const app = await createApp({
    config,
    clock: systemClock,
    log: logger.log,
    version: readVersion(),
    demoKey: demo?.docsKey ?? null,
    logCounts: () => logger.counts,
  });
  const address = await listen(app, config);
  if (demo) process.stdout.write(bannerFor(demo, address));
  announce(loaded, { address, logger });
  onHangUp(reloadOnChange(loaded, { app, logger, seen }));
  endOnSignal(async (signal) => {
    if (signal === "SIGTERM") await serveAsLameDuck(app);
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

const SURROUNDINGS = { env: processEnvironment(), cwd: process.cwd() };

function readConfig(): LoadedConfig {
  return loadConfig({ ...SURROUNDINGS, names: KNOWN_NAMES });
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
  warnOfGaps({ config, origin, notices }, log);
}

function warnOfGaps({ config, origin, notices }: LoadedConfig, log: Log): void {
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

interface Running {
  readonly app: App;
  readonly logger: Logger;
  /** How the config file looked before it was read. */
  readonly seen: FileLook;
}

/** Takes up the config anew whenever its file changes, and when what is returned is called. */
function reloadOnChange({ origin }: LoadedConfig, { app, logger, seen }: Running): () => void {
  const { log } = logger;
  if (origin.kind === "demo")
    return () => log.info({}, "nothing to reload: the demo has no config");
  const { path } = origin;
  const reload = (): void => {
    const outcome = app.reload(() => readAgain(path));
    if (outcome.kind !== "applied") return;
    logger.setLevel(levelOf(outcome.loaded.config));
    warnOfGaps(outcome.loaded, log);
  };
  return watchConfigFile({ clock: systemClock, log, path, seen, reload });
}

/** Without its file a process would become the demo at its start; one that runs stays what it is. */
function readAgain(path: string): LoadedConfig {
  const loaded = readConfig();
  if (loaded.origin.kind === "file") return loaded;
  throw new ConfigError([`${path}: there is no such file any more`]);
}

/** Whoever sends requests here has this long to see that it is not ready, and to send no more. */
const LAME_DUCK_MS = 5_000;

/** Who stops a service by SIGTERM has others that take over; who presses Ctrl-C waits for the end. */
async function serveAsLameDuck(app: App): Promise<void> {
  app.retire();
  await sleep(systemClock, LAME_DUCK_MS);
}

function endOnSignal(end: (signal: NodeJS.Signals) => Promise<void>): void {
  let endingSinceMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = systemClock.now();
    if (endingSinceMs === null) {
      endingSinceMs = nowMs;
      holdProcess();
      end(signal).then(() => process.exit(0), fail);
    } else if (nowMs - endingSinceMs > REPEAT_MS) {
      process.exit(1);
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** npm passes a terminal's Ctrl-C on, so one key press arrives twice; a later one means it. */
const REPEAT_MS = 500;

function openLog(config: Config): Logger {
  const { url, format } = config.logging;
  const ship = url === null ? null : { url, format };
  return createLogger({ clock: systemClock, level: levelOf(config), destination: STDOUT, ship });
}

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
