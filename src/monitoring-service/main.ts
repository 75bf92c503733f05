import { hostname } from "node:os";
import type { AddressInfo } from "node:net";
import type { Server } from "node:http";
import { holdProcess, systemClock } from "../clock.ts";
import { processEnvironment } from "../config/environment.ts";
import { createNvidiaSmi } from "../fleet/sources/nvidia-smi.ts";
import { createLogger } from "../observability/logger.ts";
import { createMonitor } from "./server.ts";
import { readMonitorSettings, SettingsError, type MonitorSettings } from "./settings.ts";
import { watchSource } from "./watch.ts";

/** Starts the companion of a GPU box: settings -> nvidia-smi -> listen -> close on signal. */
async function main(): Promise<void> {
  refuseArguments(process.argv.slice(2));
  const settings = readMonitorSettings(processEnvironment());
  const { intervalMs, token } = settings;
  const logger = createLogger({
    clock: systemClock,
    level: "info",
    destination: STDOUT,
    ship: null,
  });
  const { log } = logger;
  const source = createNvidiaSmi({ name: "nvidia-smi", clock: systemClock, intervalMs });
  const server = createMonitor({ source, token, log });
  const port = await listen(server, settings);
  const watch = watchSource({
    source,
    clock: systemClock,
    log,
    routerConfig: routerConfig(settings, port),
  });
  endOnSignal(async () => {
    watch.stop();
    server.close();
    server.closeAllConnections();
    await source.close();
    await logger.close();
  });
  await watch.told;
  if (token === null && !isLoopback(settings.host)) log.warn({}, OPEN);
}

const STDOUT = 1;

const OPEN =
  "whoever can reach this port can read the telemetry: let only the router through the firewall, " +
  "or set MONITOR__TOKEN";

/** A mistyped argument must not start a server. */
function refuseArguments([first]: readonly string[]): void {
  if (first === undefined) return;
  throw new SettingsError(
    `unknown argument ${first}: settings are MONITOR__HOST, MONITOR__PORT, MONITOR__INTERVAL and ` +
      "MONITOR__TOKEN in the environment",
  );
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|::1|127\..*)$/.test(host);
}

/** The port that it listens on. */
async function listen(server: Server, { host, port }: MonitorSettings): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(port, host, resolve);
  try {
    await promise;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw code in LISTEN_PROBLEMS ? new SettingsError(LISTEN_PROBLEMS[code]?.(host, port)) : error;
  }
  return (server.address() as AddressInfo).port;
}

const LISTEN_PROBLEMS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (_, port) =>
    `port ${port} is taken: stop what listens there, or choose another with MONITOR__PORT`,
  EACCES: (_, port) =>
    `port ${port} needs more rights than this process has: choose one from 1024 up with ` +
    "MONITOR__PORT",
  EADDRNOTAVAIL: notOurs,
  ENOTFOUND: notOurs,
  EAI_AGAIN: notOurs,
};

function notOurs(host: string): string {
  return (
    `this machine has no address ${host}: set MONITOR__HOST to one that it has, or to 0.0.0.0 ` +
    "for all"
  );
}

function routerConfig({ host, token }: MonitorSettings, port: number): string {
  const isAny = host === "0.0.0.0" || host === "::";
  const name = isAny ? hostname() : host;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
  const secret = token === null ? "" : ", token_env: GPU_MONITORING_TOKEN";
  return `gpu_monitoring: { url: "${url}"${secret} }`;
}

function endOnSignal(end: () => Promise<void>): void {
  const onSignal = (): void => {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
    holdProcess();
    end().then(() => process.exit(0), fail);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
}

function fail(error: unknown): never {
  const isOperators = error instanceof SettingsError;
  const text = isOperators ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

main().catch(fail);
