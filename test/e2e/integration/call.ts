import { expect, inject } from "vitest";
import { chat } from "../deployment.ts";

export const { url, key, model, isTestScene, logSinkUrl } = inject("deployment");

/** Small enough for a real fleet, whose models may take a while. */
export const hello = chat(model);

export type Headers = Readonly<Record<string, string>>;

/** With the deployment's key, unless `headers` bring another. */
export function get(path: string, headers: Headers = {}): Promise<Response> {
  return fetch(url + path, { headers: { authorization: `Bearer ${key}`, ...headers } });
}

export function post(path: string, body: unknown, headers: Headers = {}): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export function remove(path: string): Promise<Response> {
  return fetch(url + path, { method: "DELETE", headers: { authorization: `Bearer ${key}` } });
}

/** Every refusal has the one form, with the id that the log has too. */
export async function expectRefusal(answer: Response, status: number, code: string): Promise<void> {
  expect(answer.status).toBe(status);
  const body = (await answer.json()) as { readonly error: Readonly<Record<string, unknown>> };
  expect(body.error).toMatchObject({
    code,
    message: expect.stringMatching(/./),
    request_id: answer.headers.get("x-request-id"),
  });
}
