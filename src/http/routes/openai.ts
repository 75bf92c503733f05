import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { readBodyFields } from "../../dispatch/request-body.ts";
import { Abandonment, type RoutedRequest } from "../../dispatch/routed-request.ts";
import type { RouteEnd, RouteRequest } from "../../dispatch/route-request.ts";
import { RouterError } from "../../errors.ts";
import type { FleetSnapshot } from "../../fleet/snapshot.ts";
import { API_PATHS, type ApiPath } from "../../fleet/worker.ts";
import type { Quotas } from "../../admission/quotas.ts";
import { readWishes, type TimeoutLimits } from "../caller.ts";
import { HttpAnswer } from "../http-answer.ts";
import type { NewWork } from "../new-work.ts";
import { rateLimitHeaders } from "../rate-limit-headers.ts";
import { readBody } from "../read-body.ts";
import { OPENAI_BODIES, OPENAI_SUMMARIES, WISH_HEADERS, workerAnswers } from "../openai-schemas.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface OpenaiRoutesDeps {
  readonly clock: Clock;
  /** api.body_limit_mb. */
  readonly bodyLimitMb: number;
  readonly timeouts: TimeoutLimits;
  readonly quotas: Quotas;
  readonly routeRequest: RouteRequest;
  readonly snapshot: () => FleetSnapshot;
  readonly newWork: NewWork;
  readonly onEnd: (request: RoutedRequest, end: RouteEnd) => void;
  readonly onDefect: (request: RoutedRequest, error: unknown) => void;
}

/** The hot path: read the body once, route, and leave the answer to the relay. */
export function openaiRoutes(app: FastifyInstance, deps: OpenaiRoutesDeps): void {
  for (const path of API_PATHS) registerPath(app, path, deps);
  registerModels(app, deps);
}

function registerPath(app: FastifyInstance, path: ApiPath, deps: OpenaiRoutesDeps): void {
  app.route({
    method: "POST",
    url: path,
    config: { access: "user" },
    onRequest: [deps.newWork.beforeBody, passOn(path, deps)],
    schema: {
      tags: ["OpenAI and Anthropic API"],
      summary: OPENAI_SUMMARIES[path],
      description:
        "The body goes to the worker unchanged, and its answer comes back unchanged. " +
        "Response headers tell the way (x-worker-id, x-gpu-id, x-route-attempts, x-queue-ms) and " +
        "what the user has left (x-ratelimit-remaining-requests and others).",
      security: SECURED,
      headers: WISH_HEADERS,
      body: OPENAI_BODIES[path],
      response: workerAnswers(STREAMING_PATHS.has(path)),
    },
    handler: neverCalled,
  });
}

/**
 * The last hook, after all checks, and in the place of the handler: what the framework does between the
 * two, for bodies that it understands, would cost as much as the routing. So no hook of a later stage
 * than onRequest runs here. The schema documents; it does not judge what only the worker understands.
 */
function passOn(path: ApiPath, deps: OpenaiRoutesDeps): onRequestHookHandler {
  return (request, reply, done) => {
    readBody(request.raw, deps.bodyLimitMb, (error, body) => {
      if (error !== null) {
        // What was not read of the body must not be taken for the next request.
        reply.header("connection", "close");
        return done(error);
      }
      try {
        routeToWorker({ request, reply, path, body }, deps);
      } catch (refusal) {
        done(refusal as Error);
      }
    });
  };
}

function neverCalled(): never {
  throw new Error("the last hook of this route answers");
}

interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly path: ApiPath;
  readonly body: Buffer;
}

function routeToWorker(call: Call, deps: OpenaiRoutesDeps): void {
  const { request, reply } = call;
  const routed = readRequest(call, deps);
  deps.newWork.admit(routed.band);
  reply.hijack();
  const rateLimits = (): string[] => rateLimitHeaders(deps.quotas.rateOf(routed.user));
  const answer = new HttpAnswer(reply.raw, request.id, rateLimits);
  reply.raw.on("close", () => {
    if (!reply.raw.writableFinished) routed.abandonment.abandon("client_gone");
  });
  deps.routeRequest(routed, answer).then(
    (end) => deps.onEnd(routed, end),
    (cause: unknown) => {
      deps.onDefect(routed, cause);
      const error = new RouterError("INTERNAL", "the router failed on this request", { cause });
      const status = answer.fail(error, answer.tags);
      deps.onEnd(routed, { status, error, attempts: [], queueMs: 0 });
    },
  );
}

function readRequest({ request, path, body }: Call, deps: OpenaiRoutesDeps): RoutedRequest {
  if (body.length === 0) throw new RouterError("INVALID_REQUEST", "a JSON body is required");
  const wishes = readWishes(request, deps);
  const { model, stream } = readBodyFields(body);
  const acceptedAtMs = deps.clock.now();
  return {
    id: request.id,
    user: wishes.user,
    path,
    type: "inference",
    model,
    band: wishes.band,
    stream: stream && STREAMING_PATHS.has(path),
    body,
    memoryBytes: null,
    computeUnits: null,
    acceptedAtMs,
    deadlineAtMs: acceptedAtMs + wishes.timeoutMs,
    timeoutMs: null,
    reservation: null,
    isPlacement: false,
    abandonment: new Abandonment(),
  };
}

/** Elsewhere a `stream` field means nothing, and engines answer JSON. */
const STREAMING_PATHS: ReadonlySet<ApiPath> = new Set([
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/messages",
]);

const modelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.number().describe("Start of the router, in seconds since 1970."),
  owned_by: z.string(),
});

const modelListSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) });

function registerModels(app: FastifyInstance, { snapshot, clock }: OpenaiRoutesDeps): void {
  const created = Math.floor(clock.wallMs() / 1000);
  const describe = (id: string) => ({
    id,
    object: "model" as const,
    created,
    owned_by: "gpu-request-router",
  });
  const tags = ["OpenAI and Anthropic API"];
  app.get(
    "/v1/models",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Models that some worker serves",
        security: SECURED,
        response: {
          200: describedJson("The models, in OpenAI's form.", modelListSchema),
          ...errorResponses(),
        },
      },
    },
    () => {
      const names = [...snapshot().workersByModel.keys()].toSorted();
      return { object: "list", data: names.map(describe) };
    },
  );
  app.get<{ Params: { "*": string } }>(
    "/v1/models/*",
    {
      config: { access: "user" },
      // The document calls the wildcard by its name.
      validatorCompiler: () => (value: unknown) => ({ value }),
      schema: {
        tags,
        summary: "One model; its name may contain slashes",
        security: SECURED,
        params: z.object({ model: z.string().describe("The model's name.") }),
        response: {
          200: describedJson("The model.", modelSchema),
          ...errorResponses("MODEL_NOT_FOUND"),
        },
      },
    },
    (request) => {
      const id = request.params["*"];
      if (snapshot().workersByModel.has(id)) return describe(id);
      const message = `no worker serves the model ${id.slice(0, 256)}`;
      throw new RouterError("MODEL_NOT_FOUND", message, { param: "model" });
    },
  );
}
