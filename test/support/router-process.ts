import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");
/** Starting is mostly compiling, and halved by this. */
const NODE_COMPILE_CACHE = join(ROOT, "node_modules/.cache/router-process");

export interface RouterProcessOptions {
  /** All that the process inherits; API_PORT is 0 unless given. */
  readonly env?: Readonly<Record<string, string>>;
  /** Becomes ./config.yaml of its working directory; without one there is no such file. */
  readonly config?: string;
  readonly args?: readonly string[];
  /** For Node itself, as in --max-old-space-size=64. */
  readonly nodeArgs?: readonly string[];
  /** The most files, sockets included, that it may have open. */
  readonly openFiles?: number;
  /** JavaScript that runs in the process before the router does. */
  readonly preload?: string;
  /** A command that runs it, as in "ip netns exec <name>". */
  readonly within?: readonly string[];
  /** "npm start" runs the script of package.json as npm does; such a process needs a `config`. */
  readonly as?: "npm start";
}

/** `node src/main.ts` in an empty folder, until the test ends. */
export function openRouterProcess(options: RouterProcessOptions = {}): RouterProcess {
  const router = new RouterProcess(options);
  onTestFinished(() => router.close());
  return router;
}

export class RouterProcess {
  /** Its working directory. */
  readonly folder = mkdtempSync(join(tmpdir(), "router-process-"));
  /** The exit status; null where a signal ended it. All output has arrived by then. */
  readonly exit: Promise<number | null>;
  /** The same, whether or not its output was read. */
  readonly ended: Promise<number | null>;
  readonly #child;
  #stdout = "";
  #stderr = "";
  #over = false;
  readonly #watchers = new Set<() => void>();

  constructor(options: RouterProcessOptions) {
    if (options.config !== undefined) writeFileSync(this.#configPath, options.config);
    const env = { API_PORT: "0", NODE_COMPILE_CACHE, ...options.env };
    this.#child =
      options.as === "npm start"
        ? this.#spawnScript(env)
        : spawnLimited(options, { cwd: this.folder, env });
    this.#child.stdout.on("data", (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#look();
    });
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.exit = new Promise((resolve) => {
      this.#child.once("close", (code) => {
        this.#over = true;
        this.#look();
        resolve(code);
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The log's lines so far. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    const lines = this.#stdout.split("\n").filter((line) => /^\{.*\}$/.test(line));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves with the first match in stdout; rejects with all output if the process ends first. */
  printed(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.#stdout);
        if (match === null && !this.#over) return;
        this.#watchers.delete(look);
        if (match) resolve(match[0]);
        else reject(new Error(`${pattern} was not printed:\n${this.#stdout}${this.#stderr}`));
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Where it listens, as it says itself. */
  async address(): Promise<string> {
    return /http:\/\/\S+?:\d+/.exec(await this.printed(/(API +|"address":")http:\S+?:\d+/))![0];
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Leaves what it prints in the pipe, which is then full after some 200 kB. */
  pauseReading(): void {
    this.#child.stdout.pause();
  }

  resumeReading(): void {
    this.#child.stdout.resume();
  }

  /** Closes this side of its stdout. */
  stopReading(): void {
    this.#child.stdout.destroy();
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    this.resumeReading();
    await this.exit;
    rmSync(this.folder, { recursive: true });
  }

  get #configPath(): string {
    return join(this.folder, "config.yaml");
  }

  /** As npm does it: a shell in the repository, whose process gets npm's signals. */
  #spawnScript(env: Readonly<Record<string, string>>) {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: { start: string };
    };
    const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
    return spawn("sh", ["-c", scripts.start], {
      cwd: ROOT,
      env: { PATH, CONFIG_PATH: this.#configPath, ...env },
    });
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }
}

function spawnLimited(
  { args = [], nodeArgs = [], openFiles, preload, within = [] }: RouterProcessOptions,
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
) {
  const preloads = preload === undefined ? [] : [`--import=data:text/javascript,${preload}`];
  const all = [...nodeArgs, ...preloads, MAIN, ...args];
  const [command = "", ...rest] = [...within, process.execPath, ...all];
  if (openFiles === undefined) return spawn(command, rest, where);
  const limit = `ulimit -n ${openFiles} && exec "$0" "$@"`;
  return spawn("sh", ["-c", limit, process.execPath, ...all], where);
}

/** Resolves once the port of `address` takes no connections any more. */
export async function untilRefused(address: string): Promise<void> {
  while (await accepts(address));
}

function accepts(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
