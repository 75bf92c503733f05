/**
 * Which part may import which. Imports run down the house, never up; what is not written here is
 * forbidden, and so is a folder or a package without a row.
 */

const FOLDERS = [
  "demo",
  "monitoring-service",
  "cli",
  "simulator",
  "http",
  "requests",
  "dispatch",
  "routing",
  "admission",
  "fleet",
  "failures",
  "config",
  "observability",
] as const;

const FILES = {
  "src/main.ts": "main",
  "src/app.ts": "app",
  "src/app-settings.ts": "app",
  "src/app-live-settings.ts": "app",
  "src/app-reload.ts": "app",
  "src/reload-triggers.ts": "main",
  "src/app-cooldowns.ts": "app",
  "src/app-reports.ts": "app",
  "src/require-node.js": "leaves",
  "src/errors.ts": "leaves",
  "src/clock.ts": "leaves",
  "src/log.ts": "leaves",
  "src/network-failure.ts": "leaves",
  "src/retry-after.ts": "leaves",
  "src/v8-flags.ts": "leaves",
} as const;

export type Part = (typeof FOLDERS)[number] | (typeof FILES)[keyof typeof FILES];

interface Arrows {
  /** Parts (or single files) whose code may be used. */
  readonly uses: readonly (Part | `src/${string}`)[];
  /** Parts of which only types may be imported. */
  readonly knows?: readonly Part[];
}

const INNER = [
  "http",
  "requests",
  "dispatch",
  "routing",
  "admission",
  "fleet",
  "failures",
  "config",
  "leaves",
] as const;

/** Demo, monitoring-service, cli and simulator are roots: in nobody's row but main.ts's. */
export const MAY_IMPORT: Readonly<Record<Part, Arrows>> = {
  main: {
    uses: ["app", "demo", "config", "leaves", "src/observability/logger.ts", "src/http/keys.ts"],
  },
  app: { uses: [...INNER, "observability"] },
  demo: { uses: ["fleet", "config", "leaves"] },
  "monitoring-service": { uses: ["fleet", "config", "leaves", "src/observability/logger.ts"] },
  cli: { uses: INNER },
  simulator: { uses: INNER.filter((part) => part !== "http") },
  http: {
    uses: ["requests", "dispatch", "routing", "admission", "fleet", "failures", "leaves"],
    knows: ["config"],
  },
  requests: { uses: ["dispatch", "leaves"], knows: ["admission", "routing", "fleet"] },
  dispatch: { uses: ["routing", "admission", "fleet", "failures", "leaves"] },
  routing: { uses: ["leaves"], knows: ["fleet", "admission", "failures"] },
  admission: { uses: ["leaves"], knows: ["fleet", "failures"] },
  fleet: { uses: ["leaves"], knows: ["failures", "config"] },
  failures: { uses: ["leaves"] },
  config: { uses: ["leaves"] },
  observability: { uses: ["leaves"], knows: INNER },
  leaves: { uses: ["leaves"] },
};

/** Which files may import a package: paths of files, or of folders with a slash at their end. */
export const PACKAGE_USERS: Readonly<Record<string, readonly string[]>> = {
  fastify: ["src/http/", "src/app.ts"],
  "@fastify/bearer-auth": ["src/http/", "src/app.ts"],
  "@fastify/swagger": ["src/http/", "src/app.ts"],
  "@fastify/swagger-ui": ["src/http/", "src/app.ts"],
  "fastify-type-provider-zod": ["src/http/", "src/app.ts"],
  zod: ["src/config/", "src/http/", "src/fleet/sources/", "src/fleet/engines/"],
  "js-yaml": ["src/config/"],
  undici: [
    "src/dispatch/attempt.ts",
    "src/dispatch/relay.ts",
    "src/fleet/sources/",
    "src/fleet/engines/",
    "src/requests/callbacks.ts",
    "src/observability/log-shipper.ts",
  ],
  pino: ["src/observability/"],
  "prom-client": ["src/observability/"],
};

const SOCKET_USERS = [
  "src/http/",
  "src/dispatch/",
  "src/fleet/",
  "src/demo/",
  "src/monitoring-service/",
];

/** Built-ins that are not free to use everywhere. */
export const BUILT_IN_USERS: Readonly<Record<string, readonly string[]>> = {
  "node:child_process": ["src/fleet/sources/"],
  "node:http": SOCKET_USERS,
  "node:http2": [],
  "node:https": SOCKET_USERS,
  // Its BlockList and isIP are plain arithmetic.
  "node:net": [...SOCKET_USERS, "src/config/", "src/requests/callback-address.ts"],
  "node:tls": SOCKET_USERS,
  "node:perf_hooks": ["src/clock.ts", "src/observability/"],
  // Its `env` and `exit` would pass by the rules for them: use the global.
  "node:process": [],
  "node:timers": ["src/clock.ts"],
  "node:timers/promises": ["src/clock.ts"],
};

/** null: the file belongs to no part. */
export function partOf(path: string): Part | null {
  const file = Object.entries(FILES).find(([name]) => name === path);
  if (file) return file[1];
  return FOLDERS.find((folder) => path.startsWith(`src/${folder}/`)) ?? null;
}
