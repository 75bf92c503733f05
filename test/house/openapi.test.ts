import { beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { ERRORS } from "../../src/errors.ts";
import { batchBodySchema } from "../../src/http/batch-envelope.ts";
import { routeBodySchema } from "../../src/http/envelope.ts";
import { maintenanceBodySchema } from "../../src/http/maintenance-view.ts";
import { overrideSchema } from "../../src/http/quota-view.ts";
import { OPENAI_BODIES } from "../../src/http/openai-schemas.ts";
import { completeBodySchema } from "../../src/http/routes/complete.ts";
import { loadApi, operationsOf } from "../support/api-document.ts";
import type { Api, ApiDocument, Operation } from "../support/api-document.ts";
import { findSchemaFaults } from "./schema-faults.ts";

let api: Api;
let document: ApiDocument;
let operations: readonly (readonly [string, Operation])[];

beforeAll(async () => {
  api = await loadApi();
  document = api.document;
  operations = operationsOf(document);
});

test("the OpenAPI document is the committed one", async () => {
  const howToUpdate =
    "The API changed. If it was meant to: npm test -- -u test/house/openapi.test.ts";
  await expect(`${JSON.stringify(document, null, 2)}\n`, howToUpdate).toMatchFileSnapshot(
    "openapi.snapshot.json",
  );
});

/** The pages of /docs come from a plugin, and HEAD comes with every GET. */
const isDocumented = (route: string): boolean => !/^HEAD |^\S+ \/docs(?:\/|$)/.test(route);

test("every route is in the document, and nothing else is", () => {
  const documented = operations.map(([name]) => name);
  const routes = api.routes
    .filter(isDocumented)
    .map((route) =>
      route.replaceAll(/:(\w+)/g, "{$1}").replace("/v1/models/*", "/v1/models/{model}"),
    );
  expect(documented.toSorted()).toEqual(routes.toSorted());
});

describe("the document", () => {
  test("is of OpenAPI 3.1 and names the product", () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: "gpu-request-router", version: "0.0.0" });
  });

  test("has valid schemas, and every $ref leads somewhere", () => {
    const schemas = [
      ...Object.values(document.components.schemas),
      ...operations.flatMap(([, operation]) => schemasOf(operation)),
    ];
    expect(schemas.length).toBeGreaterThan(operations.length);
    expect(schemas.flatMap((schema) => findSchemaFaults(schema, document))).toEqual([]);
  });

  test("declares every error that a handler can answer", () => {
    const declared = new Set(operations.flatMap(([, { responses }]) => codesOf(responses)));
    // Of paths that have no operation.
    declared.add("ROUTE_NOT_FOUND");
    expect([...declared].toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });
});

test("every operation has a summary, one tag, and a key unless it is public", () => {
  for (const [name, { summary, tags, security }] of operations) {
    expect(summary, name).toMatch(/^\S.{10,}/);
    expect(tags, name).toHaveLength(1);
    const isPublic = name.startsWith("GET /health");
    expect(security, name).toEqual(isPublic ? undefined : [{ key: [] }]);
  }
  expect(Object.keys(document.components.securitySchemes)).toEqual(["key"]);
});

test("every operation declares its path's parameters, each parameter once", () => {
  for (const [name, { parameters = [] }] of operations) {
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    const named = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter = ""]) => parameter);
    expect(inPath.map((parameter) => parameter.name).toSorted(), name).toEqual(named.toSorted());
    expect(
      inPath.every(({ required }) => required),
      name,
    ).toBe(true);
    const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
    expect(new Set(keys).size, name).toBe(keys.length);
    // OpenAPI ignores these three as parameters, and so would every page made from it.
    for (const key of keys)
      expect(key).not.toMatch(/^header (?:accept|content-type|authorization)$/i);
  }
});

test("every response is described, and every error names its codes and has the one form", () => {
  const ownForm = ["GET /health 503", "GET /health/ready 503"];
  for (const [name, { responses }] of operations) {
    for (const [status, response] of Object.entries(responses)) {
      const where = `${name} ${status}`;
      expect(status, where).toMatch(/^[2-5]\d\d$/);
      expect(response.description, where).not.toBe("Default Response");
      if (Number(status) < 400 || ownForm.includes(where)) continue;
      const known = codesOf({ [status]: response });
      const isWorkers = response.description.includes("he worker's own refusal");
      if (!isWorkers) expect(known, where).not.toEqual([]);
      for (const code of known) expect(ERRORS[code].status, where).toBe(Number(status));
      const text = JSON.stringify(response.content?.["application/json"]?.schema);
      expect(text, where).toContain('{"$ref":"#/components/schemas/Error"}');
    }
  }
});

test("every operation declares what the front door may answer before its handler", () => {
  for (const [name, { responses, security }] of operations) {
    const front = ["INVALID_REQUEST", "NETWORK_DENIED", "UNSUPPORTED_MEDIA_TYPE", "INTERNAL"];
    const ofKeys = security === undefined ? [] : ["UNAUTHORIZED", "AUTH_THROTTLED"];
    expect(codesOf(responses), name).toEqual(expect.arrayContaining([...front, ...ofKeys]));
  }
});

/** Of the operations whose body is not that of a job. */
const BODIES: Readonly<Record<string, z.ZodType>> = {
  ...OPENAI_BODIES,
  "/api/v1/route/batch": batchBodySchema,
  "/api/v1/quotas/{user_id}": overrideSchema,
  "/api/v1/requests/{request_id}/complete": completeBodySchema,
  "/api/v1/gpus/{gpu_id}/maintenance": maintenanceBodySchema,
};

test("every body has an example that the router accepts", () => {
  for (const [name, { requestBody }] of operations) {
    expect(requestBody !== undefined, name).toBe(/^(?:POST|PUT) /.test(name));
    if (!requestBody) continue;
    expect(Object.keys(requestBody.content), name).toEqual(["application/json"]);
    const example = requestBody.content["application/json"]?.example;
    const schema = BODIES[name.replace(/^\w+ /, "")] ?? routeBodySchema;
    expect(schema.safeParse(example).error, name).toBeUndefined();
    const models = [...JSON.stringify(example).matchAll(/"(?:model|model_id)":"([^"]+)"/g)];
    for (const [, model] of models) expect(model, name).toMatch(/^demo-\w+$/);
  }
});

function schemasOf(operation: Operation): unknown[] {
  const bodies = [operation.requestBody, ...Object.values(operation.responses)];
  const ofBodies = bodies.flatMap((body) =>
    Object.values(body?.content ?? {}).map(({ schema }) => schema),
  );
  return [...ofBodies, ...(operation.parameters ?? []).map(({ schema }) => schema)];
}

/** The codes that the descriptions of these responses name. */
function codesOf(responses: Operation["responses"]): (keyof typeof ERRORS)[] {
  const words = Object.values(responses).flatMap(({ description }) => description.split(/\W+/));
  return words.filter((word): word is keyof typeof ERRORS => word in ERRORS);
}
