import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { createAuthThrottle } from "./auth-throttle.ts";
import { installAuth } from "./auth.ts";
import { createErrorHandler, createNotFoundHandler, type OnError } from "./error-handler.ts";
import { guardRequest, requestIdOf } from "./guard.ts";
import type { KeyDirectory } from "./keys.ts";
import { denyOutsiders, type NetworkGate, type ProxyMatcher } from "./network.ts";
import { apiHeaders } from "./response-headers.ts";
import { answerMalformed, httpServerOptions } from "./server-options.ts";

export interface DoorSettings {
  readonly keys: KeyDirectory;
  readonly gate: NetworkGate;
  readonly isProxy: ProxyMatcher;
}

export interface FrontDoor {
  /** Asked for each request. */
  readonly settings: () => DoorSettings;
  readonly bodyLimitMb: number;
  /** Where plugins add routes that cannot declare their access, such as "/docs". */
  readonly publicPrefixes: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly onError: OnError;
}

/** What Fastify must know when it is made. */
export function frontDoorOptions(door: FrontDoor) {
  const answerError = createErrorHandler(door);
  return {
    ...httpServerOptions(door.bodyLimitMb),
    genReqId: requestIdOf,
    trustProxy: (address: string | undefined) => door.settings().isProxy(address),
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => {
      answerMalformed(error, socket, door.onError);
    },
    // For URLs that the router cannot read: no route is found, and no hook runs.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      answerError(error, request, reply);
    },
  };
}

/**
 * Every check that comes before a handler, in this order: network, guard, key, role. Must be called
 * before any route is registered, because the checks are put on routes as they come.
 */
export async function installFrontDoor(app: FastifyInstance, door: FrontDoor): Promise<void> {
  app.setErrorHandler(createErrorHandler(door));
  app.setNotFoundHandler(createNotFoundHandler(door.onError));
  app.addHook(
    "onRequest",
    denyOutsiders(() => door.settings().gate),
  );
  app.addHook("onRequest", guardRequest);
  app.addHook("onSend", apiHeaders);
  installJsonParser(app);
  const throttle = createAuthThrottle(door);
  const keys = (): KeyDirectory => door.settings().keys;
  await installAuth(app, { keys, publicPrefixes: door.publicPrefixes, throttle });
  // Node would answer an unknown Expect by itself and without a body; the guard explains it.
  app.server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    app.routing(request, response);
  });
}

declare module "fastify" {
  interface FastifyRequest {
    /** A JSON body as it came, for what is passed on; empty where there was none. */
    bodyText: string;
  }
}

function installJsonParser(app: FastifyInstance): void {
  app.decorateRequest("bodyText", "");
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser<string>(
    "application/json",
    { parseAs: "string" },
    (request, body, done) => {
      request.bodyText = body;
      // Common clients name a content type on every request, also where they send nothing.
      if (body === "" && request.method === "DELETE") done(null);
      else void parseJson(request, body, done);
    },
  );
}
