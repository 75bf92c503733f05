import { z } from "zod";
import type { Clock } from "../../clock.ts";
import { RouterError } from "../../errors.ts";
import { identityOf } from "../auth.ts";
import { checkUserId, maySeeQuotaOf } from "../caller.ts";
import {
  overrideSchema,
  quotaSchema,
  toGivenLimits,
  viewQuota,
  type QuotaViewDeps,
} from "../quota-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface QuotaRoutesDeps extends QuotaViewDeps {
  readonly clock: Pick<Clock, "wallMs">;
  /** Those who waited for it may go on. */
  readonly limitsChanged: () => void;
}

const tags = ["Quotas"];
const userParams = z.object({ user_id: z.string() });
const PATH = "/api/v1/quotas/:user_id";

export function quotaRoutes(app: RouterApp, deps: QuotaRoutesDeps): void {
  registerRead(app, deps);
  registerOverride(app, deps);
}

function registerRead(app: RouterApp, deps: QuotaRoutesDeps): void {
  app.get(
    "/api/v1/quotas",
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "Your own limits, and what you have used of them",
        security: SECURED,
        response: { 200: describedJson("Your quota.", quotaSchema), ...errorResponses() },
      },
    },
    (request) => viewQuota(identityOf(request).user, deps),
  );
  app.get(
    PATH,
    {
      config: { access: "user" },
      schema: {
        tags,
        summary: "A user's limits, and what is used of them",
        description: "Others than your own: roles service, operator and admin.",
        security: SECURED,
        params: userParams,
        response: {
          200: describedJson("The user's quota.", quotaSchema),
          ...errorResponses("USER_MISMATCH"),
        },
      },
    },
    (request) => {
      const user = checkUserId(request.params.user_id, "user_id");
      const identity = identityOf(request);
      if (maySeeQuotaOf(user, identity)) return viewQuota(user, deps);
      const message = `this key belongs to ${identity.user}: ask for /api/v1/quotas`;
      throw new RouterError("USER_MISMATCH", message, { param: "user_id" });
    },
  );
}

function registerOverride(app: RouterApp, deps: QuotaRoutesDeps): void {
  app.put(
    PATH,
    {
      config: { access: "admin" },
      schema: {
        tags,
        summary: "Override a user's limits, until the router restarts",
        description:
          "Takes the place of an earlier override. Limits that are left out are those of " +
          "config.yaml. What was used stays used.",
        security: SECURED,
        params: userParams,
        body: overrideSchema,
        response: {
          200: describedJson("The user's quota from now on.", quotaSchema),
          ...errorResponses("FORBIDDEN", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const user = checkUserId(request.params.user_id, "user_id");
      deps.quotas.setOverride(user, toGivenLimits(request.body, deps.clock.wallMs()));
      deps.limitsChanged();
      return viewQuota(user, deps);
    },
  );
  app.delete(
    PATH,
    {
      config: { access: "admin" },
      schema: {
        tags,
        summary: "Give a user the limits of config.yaml again",
        security: SECURED,
        params: userParams,
        response: {
          200: describedJson("The user's quota from now on.", quotaSchema),
          ...errorResponses("FORBIDDEN", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const user = checkUserId(request.params.user_id, "user_id");
      deps.quotas.clearOverride(user);
      deps.limitsChanged();
      return viewQuota(user, deps);
    },
  );
}
