import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { FastifyInstance } from "fastify";
import { startTestRouter } from "./test-router.ts";

/** The parts of an OpenAPI 3.1 document that tests look at. */
export interface ApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

export interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, ApiResponse>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: unknown;
}

interface ApiResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, MediaType>>;
}

interface MediaType {
  readonly schema: unknown;
  readonly example?: unknown;
}

export interface Api {
  readonly document: ApiDocument;
  /** Every route that Fastify has, as "GET /health"; those made by itself for HEAD included. */
  readonly routes: readonly string[];
}

export async function loadApi(): Promise<Api> {
  const routes: string[] = [];
  const listen = (message: unknown): void => {
    const { fastify } = message as { readonly fastify: FastifyInstance };
    fastify.addHook("onRoute", ({ method, url }) => {
      for (const one of [method].flat()) routes.push(`${one} ${url}`);
    });
  };
  subscribe("fastify.initialization", listen);
  const router = await startTestRouter({ workers: [] });
  unsubscribe("fastify.initialization", listen);
  const answer = await router.get("/docs/json");
  const document = (await answer.json()) as ApiDocument;
  await router.close();
  return { document, routes };
}

/** Every operation of the document with its name, as "GET /health". */
export function operationsOf({ paths }: ApiDocument): readonly (readonly [string, Operation])[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
    ),
  );
}
