import * as z from "zod";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The name of an environment variable that holds a secret. Only capital letters, so that a secret
 * pasted here by mistake is not taken for a name and printed.
 */
export function secretVariable(env: Environment) {
  const error = "must be the name of an environment variable (capital letters, digits and _)";
  return z.string({ error }).superRefine((variable, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    const secret = readSecret(env, variable);
    if (!/^[A-Z_][A-Z0-9_]{0,127}$/.test(variable)) refuse(error);
    else if (secret === null) refuse(`the environment variable ${variable} is not set`);
    else if (!/^[\x21-\x7e]+$/.test(secret)) {
      refuse(`the environment variable ${variable} holds characters that cannot be sent`);
    }
  });
}

/** Trimmed, because secrets read from files tend to end in a line break. */
export function readSecret(env: Environment, variable: string | null): string | null {
  return (variable === null ? undefined : env[variable]?.trim()) || null;
}
