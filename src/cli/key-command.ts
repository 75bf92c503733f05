import { parseArgs } from "node:util";
import { generateKey, ROLES } from "../http/keys.ts";
import type { Role } from "../http/keys.ts";

interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const USAGE = `Usage: npm run key -- --user <name> --role <${ROLES.join("|")}> [--id <id>]

  --user  whose limits the key's requests count against
  --role  user: the API · service: also for other users · operator: also the fleet · admin: all
  --id    name of this key in the config and the log; default <name>-<last four characters>
`;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Makes a key. `argv` without the node binary and the script; prints nothing itself. */
export function runKeyCommand(argv: readonly string[]): CommandResult {
  try {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true });
    if (values.help === true) return { exitCode: 0, stdout: USAGE, stderr: "" };
    return printKey(values);
  } catch (error) {
    // parseArgs throws on unknown options, with a sentence that names them.
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const OPTIONS = {
  user: { type: "string" },
  role: { type: "string" },
  id: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

interface Values {
  readonly user?: string | undefined;
  readonly role?: string | undefined;
  readonly id?: string | undefined;
}

function printKey({ user, role, id }: Values): CommandResult {
  if (user === undefined) return refuse("--user is missing: whose key is it?");
  if (!NAME.test(user)) return refuse(nameRule("--user", user));
  if (role === undefined) return refuse(`--role is missing: one of ${ROLES.join(", ")}`);
  if (!isRole(role)) return refuse(`--role "${role}" is not one of ${ROLES.join(", ")}`);
  if (id !== undefined && !NAME.test(id)) return refuse(nameRule("--id", id));

  const { key, sha256, lastFour } = generateKey();
  const entry = { id: id ?? `${user}-${lastFour}`, user, role, sha256 };
  // JSON strings are YAML strings too, and keep a user called "null" or "1e3" a string.
  const fields = Object.entries(entry).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const stdout = `Give this key to ${user}. It is shown once and stored nowhere:

${key}

Paste this into config.yaml:

auth:
  keys:
    - { ${fields.join(", ")} }

If auth.keys exists already, paste only the last line under it.
`;
  return { exitCode: 0, stdout, stderr: "" };
}

function refuse(sentence: string): CommandResult {
  return { exitCode: 2, stdout: "", stderr: `${sentence}\n\n${USAGE}` };
}

function nameRule(option: string, value: string): string {
  return `${option} "${value}" must be 1 to 64 letters, digits or . _ - @, and start with a letter or digit`;
}

function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}
