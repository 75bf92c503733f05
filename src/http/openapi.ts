import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { pageHeaders } from "./response-headers.ts";
import type { RouterApp } from "./router-app.ts";

/** Must be registered before the routes that it documents. */
export async function installOpenapi(
  app: RouterApp,
  { version, demoKey }: { readonly version: string; readonly demoKey: string | null },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "gpu-request-router",
        description: demoKey === null ? DESCRIPTION : `${DESCRIPTION} ${OF_THE_DEMO}`,
        version,
      },
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer", description: "npm run key makes one." },
        },
      },
    },
    transform: documentRoute,
    transformObject: documentComponents,
  });
}

const DESCRIPTION = "One address in front of your GPU inference servers.";
const OF_THE_DEMO =
  "This is the demo: calls from this page carry its key, unless you authorize another.";

/** A name that may hold slashes is a wildcard to Fastify, which OpenAPI does not know. */
const WILDCARDS: Readonly<Record<string, string>> = { "/v1/models/*": "/v1/models/:model" };

const documentRoute: typeof jsonSchemaTransform = (document) => {
  const { schema, url } = jsonSchemaTransform(document);
  return { schema, url: WILDCARDS[url] ?? url };
};

/** Schemas with an id are written once. Only answers have ids, so their forms as input go. */
const documentComponents: typeof jsonSchemaTransformObject = (document) => {
  const whole = jsonSchemaTransformObject(document);
  const schemas = "components" in whole ? (whole.components?.schemas ?? {}) : {};
  for (const name of Object.keys(schemas)) {
    if (name.endsWith("Input")) Reflect.deleteProperty(schemas, name);
  }
  return whole;
};

/** `demoKey`: sent for the reader, in demo mode only; null = everyone brings their own. */
export async function installDocs(app: RouterApp, demoKey: string | null): Promise<void> {
  await app.register(async (docs) => {
    docs.addHook("onSend", pageHeaders);
    await docs.register(swaggerUi, {
      routePrefix: "/docs",
      theme: { title: "gpu-request-router" },
      uiConfig: {
        // Without the bar for opening other documents.
        layout: "BaseLayout",
        deepLinking: false,
        tryItOutEnabled: true,
        ...(demoKey === null ? {} : { requestInterceptor: sendKey(demoKey) }),
      },
    });
  });
}

/**
 * Sends the key with every call that has none, and so also with the curl command on the page.
 * Swagger UI writes the function's source into its page: it can close over nothing.
 */
function sendKey(key: string): (request: Record<string, unknown>) => Record<string, unknown> {
  const value = JSON.stringify(`Bearer ${key}`);
  const source = `request.headers.Authorization ??= ${value}; return request;`;
  // oxlint-disable-next-line typescript/no-implied-eval -- never called here: only its source is used
  return new Function("request", source) as ReturnType<typeof sendKey>;
}
