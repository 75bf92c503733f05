import { execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

const run = promisify(execFile);
/** With the process that made it, so that the next run finds what a killed one has left. */
const PREFIX = "gpu-router-test-";
const OWN_PREFIX = `${PREFIX}${process.pid}-${randomBytes(3).toString("hex")}-`;

/** Why this machine cannot have namespaces with IPv4 and IPv6; null = it can. */
export function lackOfNamespaces(): string | null {
  const name = `${OWN_PREFIX}probe`;
  const ip = (...args: readonly string[]) => spawnSync("ip", args).status === 0;
  if (spawnSync("ip", ["-V"]).error) return "there is no ip command (package iproute2)";
  try {
    if (!ip("netns", "add", name)) return "this user may not make network namespaces (root may)";
    const hasIpv6 = ip("-n", name, "addr", "add", "fd77::1/128", "dev", "lo", "nodad");
    return hasIpv6 ? null : "this machine has no IPv6";
  } finally {
    ip("netns", "del", name);
  }
}

/** Its name among namespaces, the name of its interface, and the addresses with their lengths. */
export interface End {
  readonly space: Namespace;
  readonly interface: string;
  readonly addresses: readonly string[];
}

/** Network namespaces, joined by cables, until `remove`. */
export class Network {
  readonly #spaces: Namespace[] = [];

  /** Takes away first what an earlier run that was killed has left. */
  static async create(): Promise<Network> {
    const { stdout } = await run("ip", ["netns", "list"]);
    const stale = [...stdout.matchAll(new RegExp(`^${PREFIX}(\\d+)-\\S+`, "gm"))].filter(
      ([, pid]) => !isAlive(Number(pid)),
    );
    for (const [name] of stale) {
      const { stdout: pids } = await run("ip", ["netns", "pids", name]);
      for (const pid of pids.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
      await run("ip", ["netns", "del", name]);
    }
    return new Network();
  }

  async add(name: string): Promise<Namespace> {
    const space = new Namespace(OWN_PREFIX + name);
    this.#spaces.push(space);
    await run("ip", ["netns", "add", space.name]);
    await space.ip("link", "set", "lo", "up");
    return space;
  }

  /** A cable between two of them. Both of its ends are born inside, and end with them. */
  async join(one: End, other: End): Promise<void> {
    const peer = ["peer", "name", other.interface, "netns", other.space.name];
    await one.space.ip("link", "add", one.interface, "type", "veth", ...peer);
    for (const { space, interface: name, addresses } of [one, other]) {
      // The kernel's own link-local address would be another at each run.
      await space.ip("link", "set", "dev", name, "addrgenmode", "none");
      await space.ip("link", "set", "dev", name, "up");
      for (const address of addresses) {
        const atOnce = address.includes(":") ? ["nodad"] : [];
        await space.ip("addr", "add", address, "dev", name, ...atOnce);
      }
    }
  }

  /** After all processes inside have ended. */
  async remove(): Promise<void> {
    for (const { name } of this.#spaces.splice(0)) await run("ip", ["netns", "del", name]);
  }
}

export class Namespace {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** What a command must begin with to run inside. */
  get within(): readonly string[] {
    return ["ip", "netns", "exec", this.name];
  }

  async ip(...args: readonly string[]): Promise<void> {
    await run("ip", ["-n", this.name, ...args]);
  }

  /** Runs JavaScript inside; `input` is its process.argv[1]. Resolves with what it prints. */
  async node(script: string, input: unknown): Promise<string> {
    const [command = "", ...args] = this.within;
    const all = [...args, process.execPath, "-e", script, JSON.stringify(input)];
    return (await run(command, all)).stdout;
  }

  /** JavaScript that goes on inside until the returned function is called; ready once it prints. */
  async start(script: string, input: unknown): Promise<() => Promise<void>> {
    const [command = "", ...args] = this.within;
    const child = spawn(command, [...args, process.execPath, "-e", script, JSON.stringify(input)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await Promise.race([
      new Promise((resolve) => child.stdout.once("data", resolve)),
      ended.then(() => Promise.reject(new Error("it ended before it was ready"))),
    ]);
    return () => {
      child.kill("SIGKILL");
      return ended;
    };
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
