import { nearest } from "../config/nearest.ts";
import type { Environment } from "../config/secrets.ts";

export interface MonitorSettings {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Between two readings of the GPUs. */
  readonly intervalMs: number;
  /** What callers must send as Bearer; null = anyone may ask. */
  readonly token: string | null;
}

/** A mistake of the operator's, told in sentences and without a stack. */
export class SettingsError extends Error {}

/**
 * Two underscores, as in the router's own names: Kubernetes sets MONITOR_PORT to a URL wherever a
 * service is called "monitor".
 */
const PREFIX = "MONITOR__";

const READERS: Readonly<Record<string, (text: string) => Partial<MonitorSettings> | string>> = {
  MONITOR__HOST: (host) =>
    /^[\w.:-]+$/.test(host) ? { host } : "must be an address of this machine",
  MONITOR__PORT: (text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
    return port <= 65_535 ? { port } : "must be a port, 0 to 65535";
  },
  MONITOR__INTERVAL: (text) => {
    const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (seconds >= 0.1 && seconds <= 60) return { intervalMs: Math.round(seconds * 1000) };
    return "must be 0.1 to 60 (seconds)";
  },
  MONITOR__TOKEN: (token) =>
    /^[\x21-\x7e]{8,512}$/.test(token)
      ? { token }
      : "must be 8 to 512 characters that can be sent: letters, digits, punctuation",
};

/**
 * The container of the router's compose file, and a router on another machine, must reach it: so it
 * listens on all addresses unless told otherwise.
 */
const DEFAULTS: MonitorSettings = { host: "0.0.0.0", port: 8080, intervalMs: 2000, token: null };

/** Empty counts as unset. Throws a SettingsError that names every variable at fault, and the fix. */
export function readMonitorSettings(env: Environment): MonitorSettings {
  const problems: string[] = [];
  const given: Partial<MonitorSettings>[] = [];
  for (const [variable, raw = ""] of Object.entries(env)) {
    const text = raw.trim();
    if (!variable.startsWith(PREFIX) || text === "") continue;
    const read = READERS[variable];
    const result = read === undefined ? unknown(variable) : read(text);
    if (typeof result === "string") problems.push(`${variable}: ${result}`);
    else given.push(result);
  }
  if (problems.length > 0) throw new SettingsError(problems.join("\n"));
  return Object.assign({}, DEFAULTS, ...given) as MonitorSettings;
}

function unknown(variable: string): string {
  const known = Object.keys(READERS);
  const names = known.map((name) => name.slice(PREFIX.length));
  const near = nearest(variable.slice(PREFIX.length), names);
  if (near !== null) return `unknown setting, did you mean ${PREFIX}${near}?`;
  return `unknown setting, there are ${known.join(", ")}`;
}
