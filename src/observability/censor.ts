/**
 * No part logs a secret; should one ever, its value stays out. Pino's own redaction takes its paths
 * apart for every line, and costs as much as the rest of the line.
 */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "authorization",
  "apiKey",
  "api_key",
  "key",
  "password",
  "secret",
  "token",
]);

export function isSecret(name: string): boolean {
  return SECRET_NAMES.has(name);
}

type Fields = Record<string, unknown>;

/** The fields with every value of a secret's name replaced, at any depth of plain objects. */
export function censor(fields: object): Fields {
  const given = fields as Fields;
  let censored = given;
  for (const name in given) {
    const value = given[name];
    const replaced = isSecret(name) ? "[redacted]" : inside(value);
    if (replaced === value) continue;
    if (censored === given) censored = { ...given };
    censored[name] = replaced;
  }
  return censored;
}

function inside(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.getPrototypeOf(value) === Object.prototype ? censor(value) : value;
}
