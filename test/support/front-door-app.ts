import { hash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { fastify, LogController } from "fastify";
import type { FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { z } from "zod";
import { identityOf } from "../../src/http/auth.ts";
import { frontDoorOptions, installFrontDoor } from "../../src/http/front-door.ts";
import type { DoorSettings, FrontDoor } from "../../src/http/front-door.ts";
import { createKeyDirectory, ROLES } from "../../src/http/keys.ts";
import type { KeyEntry } from "../../src/http/keys.ts";
import { createNetworkGate, createProxyMatcher } from "../../src/http/network.ts";
import type { Log, LogFn } from "../../src/log.ts";
import { FakeClock } from "./fake-clock.ts";

/** One key per role: the key of the role user is "user-key". */
const ROLE_KEYS: readonly KeyEntry[] = ROLES.map((role) => ({
  id: `${role}-1`,
  user: `${role}-name`,
  role,
  sha256: hash("sha256", `${role}-key`, "hex"),
}));

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function captureLog(lines: LogLine[]): Log {
  const at =
    (level: string): LogFn =>
    (fields, message) => {
      lines.push({ level, fields: { ...fields }, message });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export interface DoorChanges extends Partial<Omit<FrontDoor, "settings">> {
  readonly keys?: DoorSettings["keys"];
  readonly allowedCidrs?: readonly string[];
  readonly trustedProxies?: readonly string[];
}

/** The real front door with a handful of routes behind it, not listening yet. */
export async function makeFrontDoorApp(
  options: DoorChanges = {},
  logStream?: { write(line: string): void },
): Promise<FastifyInstance> {
  const { keys, allowedCidrs = [], trustedProxies = [], ...changes } = options;
  const settings: DoorSettings = {
    keys: keys ?? createKeyDirectory(ROLE_KEYS),
    gate: createNetworkGate({ allowedCidrs }),
    isProxy: createProxyMatcher(trustedProxies),
  };
  const door: FrontDoor = {
    settings: () => settings,
    bodyLimitMb: 1,
    publicPrefixes: ["/docs"],
    clock: new FakeClock(),
    log: captureLog([]),
    onError: () => {},
    ...changes,
  };
  const logger = logStream ? { level: "trace", stream: logStream } : false;
  const app: FastifyInstance = fastify({
    ...frontDoorOptions(door),
    logger,
    logController: new LogController({ disableRequestLogging: true }),
  });
  await installFrontDoor(app, door);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  addRoutes(app);
  return app;
}

function addRoutes(app: FastifyInstance): void {
  app.get("/public", { config: { access: "public" } }, (request) => ({ ip: request.ip }));
  app.get("/items/:id", { config: { access: "public" } }, (request) => request.params);
  for (const role of ROLES) {
    app.get(`/${role}`, { config: { access: role } }, (request) => identityOf(request));
  }
  app.post("/echo", { config: { access: "user" } }, (request) => ({ body: request.body }));
  app.delete("/echo", { config: { access: "user" } }, () => ({}));
  app.post("/strict", { config: { access: "public" }, schema: { body: STRICT } }, () => ({}));
  app.get("/defect", { config: { access: "public" } }, () => {
    throw new Error("the password is swordfish");
  });
}

const STRICT = z.strictObject({
  model_id: z.string(),
  priority: z.number().int().min(1).max(5).optional(),
  requests: z.array(z.strictObject({ timeout: z.number() })).optional(),
});

export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as AddressInfo).port;
}
