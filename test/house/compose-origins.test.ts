import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { CORE_SCHEMA, load, mergeTag } from "js-yaml";
import { describe, expect, test } from "vitest";
import { KNOWN_NAMES } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createNetworkGate } from "../../src/http/network.ts";
import { readCopy, readStages } from "../support/dockerfile.ts";
import { commandsIn } from "./compose-commands.ts";
import { ROOT } from "./source-text.ts";

/** Where the services' addresses, images and files come from, and who else could bring them. */
interface Service {
  readonly image: string;
  readonly build?: object;
  readonly pull_policy?: string;
  readonly networks: readonly string[] | Networks;
  readonly volumes?: readonly ({ readonly source: string } | string)[];
}

type Networks = Readonly<Record<string, { readonly ipv4_address?: string }>>;

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly ipam: { readonly config: [Pool] } }>>;
}

interface Pool {
  readonly gateway?: string;
  readonly ip_range?: string;
}

const read = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");
const readCompose = (path: string) =>
  load(read(path), { schema: CORE_SCHEMA.withTags(mergeTag) }) as ComposeFile;
const files = ["docker-compose.test.yml", "docker-compose.prod.yml"] as const;
const prod = readCompose("docker-compose.prod.yml");

describe("production: the network", () => {
  const [{ gateway = "", ip_range = "" }] = prod.networks["alt_las"]!.ipam.config;
  const fixed = Object.entries(prod.services).flatMap(([name, { networks }]) => {
    const address = (networks as Networks)["alt_las"]?.ipv4_address;
    return address === undefined ? [] : [[name, address] as const];
  });

  test("lets in Prometheus, but not whom Docker's proxy brings in by the gateway's address", () => {
    const env = { CONFIG_PATH: `${ROOT}deploy/compose/config.prod.example.yaml` };
    const { config } = loadConfig({ env, cwd: "/nonexistent", names: KNOWN_NAMES });
    const gate = createNetworkGate({ allowedCidrs: config.network.allowed_cidrs });
    expect(gate.allows(Object.fromEntries(fixed)["prometheus"])).toBe(true);
    expect(isIPv4(gateway)).toBe(true);
    expect(gate.allows(gateway)).toBe(false);
  });

  test("gives nobody an address that is another's", () => {
    const given = createNetworkGate({ allowedCidrs: [ip_range] });
    expect(fixed.map(([name]) => name)).toEqual(["prometheus", "grafana"]);
    const addresses = [gateway, ...fixed.map(([, address]) => address)];
    expect(new Set(addresses).size).toBe(addresses.length);
    expect(addresses.filter((address) => given.allows(address))).toEqual([]);
  });
});

test.each(files)("%s: no registry is asked for our image", (file) => {
  const own = Object.entries(readCompose(file).services).filter(([, { image }]) => {
    return image.startsWith("gpu-request-router:");
  });
  for (const [name, { build, pull_policy }] of own) {
    expect(pull_policy, name).toBe(build === undefined ? "never" : undefined);
  }
});

describe.each(["docs/deployment.md", "docs/deployment.tr.md"])("%s", (guide) => {
  test("opens to the containers' users whatever is copied or mounted from the repository", () => {
    const opened = commandsIn(read(guide)).flatMap(
      (line) => /^chmod (?:-R a\+rX|644) (.*)/.exec(line)?.[1]?.split(" ") ?? [],
    );
    const covers = (path: string) =>
      opened.some((root) => path === root || path.startsWith(`${root}/`));
    const copied = readStages(read("Dockerfile"))
      .flatMap(({ instructions }) => instructions.filter(({ name }) => name === "COPY"))
      .map(({ args }) => readCopy(args))
      .flatMap(({ from, sources }) => (from === null ? sources : []));
    const mounted = files
      .flatMap((file) => Object.values(readCompose(file).services))
      .flatMap(({ volumes = [] }) => volumes)
      .flatMap((mount) => (typeof mount === "string" ? [] : [mount.source.replace("./", "")]));
    expect(mounted.length).toBeGreaterThan(5);
    expect([...copied, ...mounted].filter((path) => !covers(path))).toEqual([]);
  });
});
