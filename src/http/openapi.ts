import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { pageHeaders } from "./response-headers.ts";
import type { RouterApp } from "./router-app.ts";

/** Must be registered before the routes that it documents. */
export async function installOpenapi(app: RouterApp, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "gpu-request-router",
        description: "One address in front of your GPU inference servers.",
        version,
      },
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer", description: "npm run key makes one." },
        },
      },
    },
    transform: jsonSchemaTransform,
  });
}

/** `demoKey`: filled in for the reader, in demo mode only; null = everyone brings their own. */
export async function installDocs(app: RouterApp, demoKey: string | null): Promise<void> {
  await app.register(async (docs) => {
    docs.addHook("onSend", pageHeaders);
    await docs.register(swaggerUi, {
      routePrefix: "/docs",
      uiConfig: {
        deepLinking: false,
        tryItOutEnabled: true,
        ...(demoKey === null ? {} : { onComplete: preauthorize(demoKey) }),
      },
    });
  });
}

/** Swagger UI writes the function's source into its page: it can close over nothing. */
function preauthorize(key: string): () => void {
  const source = `window.ui.preauthorizeApiKey("key", ${JSON.stringify(key)})`;
  // oxlint-disable-next-line typescript/no-implied-eval -- never called here: only its source is used
  return new Function(source) as () => void;
}
