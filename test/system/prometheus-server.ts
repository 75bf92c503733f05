import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether a program can be started at all. */
export function hasTool(name: string): boolean {
  return spawnSync(name, ["--version"]).error === undefined;
}

/** What promtool says, on both of its outputs; `input` is given to its stdin. */
export function promtool(args: readonly string[], input = ""): { status: number; says: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  return { status: status ?? -1, says: stdout + stderr };
}

/** A copy of deploy/prometheus in a folder of its own, with the key where the config looks for it. */
export function deployedFolder(root: string, key: string): string {
  const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
  cpSync(`${root}deploy/prometheus`, folder, { recursive: true });
  writeFileSync(join(folder, "router-key"), `${key}\n`);
  return folder;
}

/** A real Prometheus on a free port of loopback; its data is in the folder of its config. */
export class PrometheusServer {
  readonly #child;
  readonly #folder: string;
  readonly #ended: Promise<void>;
  readonly #address: Promise<string>;

  constructor(folder: string, config: string) {
    this.#folder = folder;
    this.#child = spawn("prometheus", [
      `--config.file=${join(folder, config)}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:0",
    ]);
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", () => resolve());
    });
    this.#address = this.#listening();
  }

  /** `data` of an answer of its API. */
  async api(path: string): Promise<unknown> {
    const answer = await fetch(`http://${await this.#address}/api/v1/${path}`);
    const body = (await answer.json()) as { status: string; data: unknown; error?: string };
    if (body.status !== "success") throw new Error(`${path}: ${body.error}`);
    return body.data;
  }

  /** The value of an expression that gives one sample; null where it gives none. */
  async value(expr: string): Promise<number | null> {
    const data = await this.api(`query?query=${encodeURIComponent(expr)}`);
    const { result } = data as { result: readonly { value: readonly [number, string] }[] };
    return result.length === 0 ? null : Number(result[0]?.value[1]);
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#folder, { recursive: true });
  }

  /** As its log says; rejects with the log if it ends before. */
  #listening(): Promise<string> {
    let log = "";
    return new Promise((resolve, reject) => {
      this.#child.stderr.on("data", (chunk: Buffer) => {
        log += chunk.toString();
        const [, address] = /msg="Listening on" address=(\S+)/.exec(log) ?? [];
        if (address !== undefined) resolve(address);
      });
      this.#child.once("close", () => reject(new Error(`Prometheus ended:\n${log}`)));
    });
  }
}
