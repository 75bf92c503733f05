import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../house/source-text.ts";
import { letIn, readCopy, type Instruction, type Stage } from "../support/dockerfile.ts";

/** The user of the official image that is not root. */
const UID = 1000;

/** The folders that the Dockerfile's stages make of /app, without an engine. */
export class BuiltImages {
  /** Everything lies below it, and everybody may read it. */
  readonly folder = mkdtempSync(join(tmpdir(), "router-images-"));
  readonly #stages: readonly Stage[];
  readonly #bin = join(this.folder, "bin");
  readonly #containers: Container[] = [];

  constructor(stages: readonly Stage[]) {
    this.#stages = stages;
    chmodSync(this.folder, 0o755);
    // As in the image: one Node for all, where every user finds it.
    mkdirSync(this.#bin);
    copyFileSync(process.execPath, join(this.#bin, "node"));
    chmodSync(join(this.#bin, "node"), 0o755);
  }

  /** Where a path below /app of the stage is. */
  path(stage: string, path = ""): string {
    return join(this.folder, "stages", stage, path);
  }

  /** Makes the stage, and those that it is made of, unless they are made already. */
  async build(name: string): Promise<void> {
    const stage = this.#stages.find((candidate) => candidate.name === name);
    if (stage === undefined || existsSync(this.path(name))) return;
    await this.build(stage.from);
    mkdirSync(this.path(name), { recursive: true });
    if (existsSync(this.path(stage.from))) await link(this.path(stage.from), this.path(name));
    for (const instruction of stage.instructions) await this.#carryOut(instruction, name);
  }

  /** Starts a command in the stage's /app, as UID, who has only a home of its own to write to. */
  start(stage: string, options: RunOptions): Container {
    const home = mkdtempSync(join(this.folder, "home-"));
    spawnSync("chown", [`${UID}`, home]);
    const environment = Object.fromEntries(
      this.#stages
        .find(({ name }) => name === stage)!
        .instructions.filter(({ name }) => name === "ENV")
        .map(({ args }) => args.split("=") as [string, string]),
    );
    const container = new Container(options.command, {
      cwd: this.path(stage),
      env: {
        PATH: this.#path,
        HOME: home,
        TMPDIR: home,
        NO_COLOR: "1",
        ...environment,
        ...options.env,
      },
    });
    this.#containers.push(container);
    return container;
  }

  async remove(): Promise<void> {
    for (const container of this.#containers) container.signal("SIGKILL");
    await Promise.all(this.#containers.map(({ exit }) => exit));
    rmSync(this.folder, { recursive: true });
  }

  get #path(): string {
    return `${this.#bin}:${npmFolder()}:/usr/bin:/bin`;
  }

  async #carryOut({ name, args }: Instruction, stage: string): Promise<void> {
    if (name === "COPY") return this.#copy(args, stage);
    if (name !== "RUN") return;
    // Packages are fetched the way that this machine fetches them.
    const env = { ...process.env, PATH: this.#path };
    await execute("sh", ["-c", args], { cwd: this.path(stage), env });
  }

  async #copy(args: string, stage: string): Promise<void> {
    const { from, sources, target } = readCopy(args);
    if (from !== null) await this.build(from);
    for (const source of sources) {
      const into = this.path(stage, target.endsWith("/") ? basename(source) : target);
      if (from !== null) {
        mkdirSync(into, { recursive: true });
        await link(this.path(from, belowApp(source)), into);
      } else cpSync(contextPath(source), into, { recursive: true, verbatimSymlinks: true });
    }
  }
}

export interface RunOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A process in one of the folders; all that it prints is kept. */
export class Container {
  readonly exit: Promise<number | null>;
  output = "";
  readonly #child: ChildProcess;

  constructor(command: readonly string[], where: { cwd: string; env: Record<string, string> }) {
    const asUser = ["--reuid", `${UID}`, "--regid", `${UID}`, "--clear-groups", "--no-new-privs"];
    this.#child = spawn("setpriv", [...asUser, ...command], {
      ...where,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.exit = new Promise((resolve) => this.#child.once("close", resolve));
  }

  /** Resolves with the first match; rejects with all output if the process ends without one. */
  async printed(pattern: RegExp): Promise<string> {
    const look = (): string | undefined => pattern.exec(this.output)?.[0];
    const over = this.exit.then(() => "over" as const);
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const next = new Promise<"more">((resolve) => {
        this.#child.stdout?.once("data", () => resolve("more"));
        this.#child.stderr?.once("data", () => resolve("more"));
      });
      if ((await Promise.race([next, over])) === "over" && look() === undefined) {
        throw new Error(`${pattern} was not printed:\n${this.output}`);
      }
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

const execute = promisify(execFile);

/** Fills a folder with another's files: the same ones, since nobody changes what a stage has made. */
function link(from: string, to: string): Promise<unknown> {
  return execute("cp", ["-al", `${from}/.`, to]);
}

const dockerignore = readFileSync(`${ROOT}.dockerignore`, "utf8");

/** What .dockerignore keeps out is not there to be copied. */
function contextPath(source: string): string {
  if (!letIn(dockerignore).includes(source)) throw new Error(`.dockerignore keeps out ${source}`);
  return join(ROOT, source);
}

function belowApp(path: string): string {
  if (!path.startsWith("/app/")) throw new Error(`${path} is not below /app`);
  return path.slice("/app/".length);
}

/** The folder of this machine's npm, which runs on the image's Node all the same. */
function npmFolder(): string {
  const found = spawnSync("sh", ["-c", "command -v npm"], { encoding: "utf8" });
  return dirname(found.stdout.trim());
}
