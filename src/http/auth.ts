import bearerAuth from "@fastify/bearer-auth";
import type { FastifyInstance, FastifyRequest, onRequestHookHandler, RouteOptions } from "fastify";
import { RouterError } from "../errors.ts";
import type { AuthThrottle } from "./auth-throttle.ts";
import { ConnectionKeys } from "./connection-keys.ts";
import { isMistyped } from "./keys.ts";
import type { Identity, KeyDirectory, Role } from "./keys.ts";

/** Who may use a route: everyone, every key, or the keys of that role and of admin. */
type Access = "public" | Role;

declare module "fastify" {
  interface FastifyContextConfig {
    /** Every route says it; one that does not stops the server at start. */
    access: Access;
  }
  interface FastifyRequest {
    /** null on public routes. Handlers read it through `identityOf`. */
    identity: Identity | null;
  }
}

interface AuthDeps {
  /** Asked for each request. */
  readonly keys: () => KeyDirectory;
  readonly throttle: AuthThrottle;
  /** Where plugins add routes that cannot declare their access, such as "/docs". */
  readonly publicPrefixes: readonly string[];
}

interface IdentifyDeps extends AuthDeps {
  readonly known: ConnectionKeys;
}

const ALLOWED_ROLES: Readonly<Record<Role, readonly Role[]>> = {
  user: ["user", "service", "operator", "admin"],
  service: ["service", "admin"],
  operator: ["operator", "admin"],
  admin: ["admin"],
};

/**
 * Puts the key and role checks on every route that is registered afterwards. They are hooks of the
 * route, so they run after the server's own (network, guard) and public routes pay nothing.
 */
export async function installAuth(app: FastifyInstance, deps: AuthDeps): Promise<void> {
  app.decorateRequest("identity", null);
  const identifying = { ...deps, known: new ConnectionKeys() };
  await app.register(bearerAuth, {
    addHook: false,
    keys: [],
    specCompliance: "rfc6749",
    // The plugin's own line about each bad key: refusals are already in the request log.
    verifyErrorLogLevel: "trace",
    auth: (key, request) => identify(key, request, identifying),
  });
  const authenticate = createAuthenticate(app, identifying);
  app.addHook("onRoute", (route) => {
    const access = accessOf(route, deps.publicPrefixes);
    if (access === "public") return;
    route.onRequest = [authenticate, requireRole(access), ...[route.onRequest ?? []].flat()];
  });
}

/** Whose request this is. Throws on public routes, where nobody was asked: a defect of the caller. */
export function identityOf(request: FastifyRequest): Identity {
  if (request.identity === null) throw new Error("identityOf was called on a public route");
  return request.identity;
}

function accessOf(route: RouteOptions, publicPrefixes: readonly string[]): Access {
  const declared = route.config?.access;
  if (declared !== undefined) return declared;
  const underPrefix = (prefix: string) =>
    route.url === prefix || route.url.startsWith(`${prefix}/`);
  if (publicPrefixes.some(underPrefix)) return "public";
  throw new Error(`route ${String(route.method)} ${route.url} must declare config.access`);
}

function createAuthenticate(
  app: FastifyInstance,
  { keys, known }: Pick<IdentifyDeps, "keys" | "known">,
): onRequestHookHandler {
  const { verifyBearerAuth } = app;
  if (!verifyBearerAuth) throw new Error("@fastify/bearer-auth did not register");
  return (request, reply, done) => {
    if (keys().size === 0) done(noKeysConfigured());
    else if (hasKeyInQuery(request.url)) done(keyInQuery());
    else {
      const { socket, headers } = request.raw;
      request.identity = known.identityOf(socket, headers.authorization ?? "", keys());
      if (request.identity !== null) return done();
      verifyBearerAuth(request, reply, (error) => {
        if (error === undefined || error instanceof RouterError) done(error);
        else done(noBearerKey(request));
      });
    }
  };
}

/** Called by the plugin with what follows "Bearer". The key decides first: good ones always pass. */
function identify(key: string, request: FastifyRequest, deps: IdentifyDeps): boolean {
  const keys = deps.keys();
  const identity = keys.find(key);
  if (identity === null) throw badKey(key, deps.throttle.countBadKey(request.ip));
  request.identity = identity;
  const { socket, headers } = request.raw;
  deps.known.remember(socket, headers.authorization ?? "", { keys, identity });
  return true;
}

function requireRole(access: Role): onRequestHookHandler {
  const allowed = ALLOWED_ROLES[access];
  return (request, _reply, done) => {
    const { role } = identityOf(request);
    if (allowed.includes(role)) done();
    else {
      const message = `this route needs a key with the role ${allowed.join(" or ")}, not ${role}`;
      done(new RouterError("FORBIDDEN", message));
    }
  };
}

/** Keys in addresses end up in logs and histories, so they are refused even when they are good. */
function hasKeyInQuery(url: string): boolean {
  const queryAt = url.indexOf("?");
  return queryAt !== -1 && QUERY_KEY.test(url.slice(queryAt));
}

const QUERY_KEY = /[?&](?:api[_-]?key|key|access_token|token)=/i;

function keyInQuery(): RouterError {
  return new RouterError(
    "UNAUTHORIZED",
    "keys are not accepted in the query: send `Authorization: Bearer <key>`, and replace the key",
  );
}

function noKeysConfigured(): RouterError {
  return new RouterError(
    "UNAUTHORIZED",
    "no API keys configured: run npm run key -- --user <name> --role admin " +
      "and paste its output into config.yaml",
  );
}

function noBearerKey(request: FastifyRequest): RouterError {
  const { headers } = request;
  if (headers.authorization !== undefined) {
    const message = "the Authorization header must have the form `Authorization: Bearer <key>`";
    return new RouterError("UNAUTHORIZED", message);
  }
  const hint =
    headers["x-api-key"] === undefined
      ? ""
      : "; x-api-key is not read (in Anthropic clients, set the auth token and not the API key)";
  return new RouterError("UNAUTHORIZED", `no API key: send \`Authorization: Bearer <key>\`${hint}`);
}

function badKey(key: string, retryAfterMs: number | null): RouterError {
  if (retryAfterMs !== null) {
    const message = "too many bad keys from this address: wait, or send a valid key";
    return new RouterError("AUTH_THROTTLED", message, { retryAfterMs });
  }
  return new RouterError(
    "UNAUTHORIZED",
    isMistyped(key)
      ? "the key is mistyped: its checksum does not match; copy it again"
      : "unknown or revoked API key: ask an operator for one (npm run key)",
  );
}
