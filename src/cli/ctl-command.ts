import { parseArgs } from "node:util";
import { parseWorkerUrl } from "../config/addresses.ts";
import { readSecret } from "../config/secrets.ts";
import { Misuse, MISUSED, OK, REFUSED, type Desk, type Surroundings } from "./ctl-desk.ts";
import { explain, gpus, health, jobs, quotas, workers } from "./look-commands.ts";
import { clear, cordon, drain, uncordon } from "./maintenance-commands.ts";
import { printable } from "./printable.ts";
import { createRouterClient, Refusal } from "./router-client.ts";

interface Command {
  readonly run: (words: readonly string[], desk: Desk) => Promise<number>;
  readonly says: string;
  /** What may follow its name, as it is typed, and how many words that are; none if left out. */
  readonly form?: string;
  readonly words?: readonly [least: number, most: number];
  /** It is answered without a key. */
  readonly isPublic?: true;
}

const ID = "<gpu or worker>";
const withReason = { form: `${ID} [reason]`, words: [1, Infinity] } as const;

const COMMANDS: Readonly<Record<string, Command>> = {
  gpus: { run: gpus, says: "GPUs, and what the router has on them" },
  workers: { run: workers, says: "workers, with their models" },
  cordon: { run: cordon, says: "send it no new requests; what runs goes on", ...withReason },
  drain: { run: drain, says: "cordon it, and wait until nothing runs there", ...withReason },
  uncordon: { run: uncordon, says: "send it requests again", ...withReason },
  clear: { run: clear, says: "end its cooldown now", form: ID, words: [1, 1] },
  quotas: { run: quotas, says: "limits, and what is used", form: "[user]", words: [0, 1] },
  jobs: { run: jobs, says: "the newest jobs" },
  explain: {
    run: explain,
    says: "where a job would go now, and why; nothing is sent",
    form: "--model <name> | <file> | -",
    words: [0, 1],
  },
  health: { run: health, says: "state of router and fleet", isPublic: true },
};

const OPTIONS = {
  url: { type: "string" },
  "key-file": { type: "string" },
  json: { type: "boolean" },
  model: { type: "string" },
  priority: { type: "string" },
  user: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const DEFAULT_URL = "http://localhost:8000";

/** Runs one command. `argv` without the node binary and the script. Returns the exit code. */
export async function runCtl(argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await run(argv, around);
  } catch (error) {
    if (error instanceof Misuse) {
      around.err(`${printable(error.message)}\n`);
      return MISUSED;
    }
    const message = error instanceof Error ? error.message : String(error);
    const why = "the answer could not be read; is the router of another version?";
    around.err(`${printable(error instanceof Refusal ? message : `${why} (${message})`)}\n`);
    return REFUSED;
  }
}

async function run(argv: readonly string[], around: Surroundings): Promise<number> {
  const { values, positionals } = parse(argv);
  const [name, ...words] = positionals;
  if (name === undefined || values.help === true) {
    around.out(help());
    return OK;
  }
  const command = commandNamed(name, words.length);
  const { model, priority, user, json = false } = values;
  const options = { model, priority, user };
  if (name !== "explain" && Object.values(options).some((value) => value !== undefined)) {
    throw new Misuse("--model, --priority and --user belong to ctl explain");
  }
  const key = await readKey(values["key-file"], around);
  if (key === null && command.isPublic !== true) throw new Misuse(NO_KEY);
  const call = createRouterClient({ ...around, url: readUrl(values.url, around), key });
  return command.run(words, { ...around, call, json, options });
}

function commandNamed(name: string, wordCount: number): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Misuse(`there is no command "${name}"; npm run ctl lists them`);
  const { form = "", words: [least, most] = [0, 0] } = command;
  if (wordCount >= least && wordCount <= most) return command;
  throw new Misuse(`it goes: npm run ctl -- ${name} ${form}`.trimEnd());
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: true });
  } catch (error) {
    // With a sentence that names the option.
    throw new Misuse((error as Error).message);
  }
}

const NO_KEY =
  "ROUTER_API_KEY is not set: set it to a key of this router (for the demo: ROUTER_API_KEY=demo), " +
  "or name a file that holds one with --key-file";

/** Not from the command line: other users of the machine could read it there. */
async function readKey(file: string | undefined, { env, read }: Surroundings) {
  const text =
    file === undefined
      ? readSecret(env, "ROUTER_API_KEY")
      : await read(file).catch((error: unknown) => {
          throw new Misuse(`--key-file: ${error instanceof Error ? error.message : "unreadable"}`);
        });
  const key = text?.trim() ?? null;
  // The message must not hold it: what is refused may be a key all the same.
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return key;
  const where = file === undefined ? "ROUTER_API_KEY" : "the --key-file";
  throw new Misuse(`${where} must hold one key, without spaces or line breaks in it`);
}

function readUrl(option: string | undefined, { env }: Surroundings): string {
  const text = option ?? (env["ROUTER_URL"]?.trim() || DEFAULT_URL);
  const parsed = parseWorkerUrl(text);
  if ("ok" in parsed) return parsed.ok;
  throw new Misuse(`${option === undefined ? "ROUTER_URL" : "--url"} ${parsed.mustBe}`);
}

function help(): string {
  const forms = Object.entries(COMMANDS).map(([name, { form = "", says }]) => [
    `${name} ${form}`,
    says,
  ]);
  const width = Math.max(...forms.map(([form = ""]) => form.length));
  const lines = forms.map(([form = "", says = ""]) => `  ${form.padEnd(width)}  ${says}`);
  return `Usage: npm run ctl -- <command> [--json] [--url <url>] [--key-file <path>]

${lines.join("\n")}

  An id may be typed as far as it is clear. explain also takes --priority <1-5> and --user <user>.
  --json      print the API's answer
  --url       the router; default ROUTER_URL, else ${DEFAULT_URL}
  --key-file  a file with the API key; default the variable ROUTER_API_KEY

Exit codes: 0 done, 1 the router refused or does not answer, 2 the command is not understood.
`;
}
