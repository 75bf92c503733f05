import type { RoutedRequest } from "../../dispatch/routed-request.ts";
import type { Clock } from "../../clock.ts";
import type { Decision } from "../../routing/explain.ts";
import { identityOf } from "../auth.ts";
import type { TimeoutLimits } from "../caller.ts";
import { routeBodySchema, toRoutedRequest } from "../envelope.ts";
import { decisionSchema } from "../job-view.ts";
import type { RouterApp } from "../router-app.ts";
import { describedJson, errorResponses, SECURED } from "../schemas.ts";
import { refuseUnsupported } from "../unsupported.ts";

export interface ExplainRoutesDeps {
  readonly clock: Clock;
  readonly timeouts: TimeoutLimits;
  /** Decides by the very code that routes, and takes nothing. */
  readonly explainRequest: (request: RoutedRequest) => Decision;
}

export function explainRoutes(app: RouterApp, deps: ExplainRoutesDeps): void {
  app.post(
    "/api/v1/route/explain",
    {
      config: { access: "user" },
      preValidation: refuseUnsupported,
      schema: {
        tags: ["Jobs"],
        summary: "Where a job would go now, and why; nothing is sent",
        security: SECURED,
        body: routeBodySchema,
        response: {
          200: describedJson("The decision.", decisionSchema),
          ...errorResponses("USER_MISMATCH", "BODY_TOO_LARGE"),
        },
      },
    },
    (request) => {
      const { clock, timeouts } = deps;
      const { bodyText } = request;
      const identity = identityOf(request);
      const context = { identity, bodyText, clock, timeouts };
      return deps.explainRequest(toRoutedRequest(request.body, context));
    },
  );
}
