import type { RoutedRequest } from "../../dispatch/routed-request.ts";
import type { Clock } from "../../clock.ts";
import type { Decision } from "../../routing/explain.ts";
import { submittingUser, type LimitsOfUsers } from "../caller.ts";
import { routeBodySchema, toRoutedRequest, type JobTimeouts } from "../envelope.ts";
import { jobUserHeader } from "../find-job.ts";
import { decisionSchema } from "../job-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";

export interface ExplainRoutesDeps {
  readonly clock: Clock;
  readonly timeouts: JobTimeouts;
  readonly quotas: LimitsOfUsers;
  /** Decides by the very code that routes, and takes nothing. */
  readonly explainRequest: (request: RoutedRequest) => Decision;
}

export function explainRoutes(app: RouterApp, deps: ExplainRoutesDeps): void {
  app.post(
    "/api/v1/route/explain",
    {
      config: { access: "user" },
      schema: {
        tags: ["Jobs"],
        summary: "Where a job would go now, and why; nothing is sent",
        security: SECURED,
        headers: jobUserHeader,
        body: routeBodySchema,
        response: {
          200: describedJson("The decision.", decisionSchema),
          ...errorResponses("USER_MISMATCH", "PRIORITY_LIMIT_EXCEEDED", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const { body, bodyText } = request;
      const user = submittingUser(request, body);
      const bytes = Buffer.from(bodyText);
      return deps.explainRequest(toRoutedRequest(body, { ...deps, user, bytes }));
    },
  );
}
