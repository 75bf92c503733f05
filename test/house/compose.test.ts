import { hash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { CORE_SCHEMA, load, mergeTag } from "js-yaml";
import { describe, expect, test } from "vitest";
import { KNOWN_NAMES } from "../../src/app.ts";
import { loadConfig } from "../../src/config/load.ts";
import { SCENE_GPUS, SCENE_KEYS, SCENE_WORKERS } from "../e2e/scene.ts";
import { composeOf2021, newestCompose } from "./compose-schema.ts";
import { ROOT } from "./source-text.ts";

interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly read_only?: boolean;
  readonly bind?: { readonly create_host_path: boolean };
}

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[] | Readonly<Record<string, unknown>>;
  readonly volumes?: readonly (Mount | string)[];
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly read_only: boolean;
  readonly user?: string;
  readonly healthcheck?: { readonly disable?: boolean };
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly stop_grace_period?: string;
  readonly pids_limit?: number;
  readonly mem_limit?: string;
  readonly deploy?: { readonly resources: Readonly<Record<string, unknown>> };
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly ipam: { config: [{ subnet: string }] } }>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

const read = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");
const schema = CORE_SCHEMA.withTags(mergeTag);
const readCompose = (path: string) => load(read(path), { schema }) as ComposeFile;
const files = { test: "docker-compose.test.yml", prod: "docker-compose.prod.yml" } as const;
const compose = { test: readCompose(files.test), prod: readCompose(files.prod) };

/** What the operator writes; docs/deployment.md says how. Neither may ever be in the repository. */
const WRITTEN_BY_OPERATOR = [
  "config.prod.yaml",
  "secrets/prometheus-key",
  "secrets/grafana-password",
];

function configOf(path: string) {
  const env = { CONFIG_PATH: `${ROOT}${path}` };
  return loadConfig({ env, cwd: "/nonexistent", names: KNOWN_NAMES });
}

describe.each(["test", "prod"] as const)("docker-compose.%s.yml", (kind) => {
  const { services, networks, secrets = {} } = compose[kind];
  const each = Object.entries(services);

  test("is what Compose 2.0 understands, and what a new one does", () => {
    expect(composeOf2021()(compose[kind])).toEqual([]);
    expect(newestCompose()(compose[kind])).toEqual([]);
  });

  test("has the services that the guide names", () => {
    const names = Object.keys(services);
    const expected = ["gpu-request-router", "gpu-monitoring-service", "logging-service"];
    expect(names).toEqual(expect.arrayContaining(expected));
  });

  test.each(each)("%s may do no more than it must", (_name, service) => {
    expect(service.cap_drop).toEqual(["ALL"]);
    expect(service.security_opt).toContain("no-new-privileges:true");
    expect(service.read_only).toBe(true);
    expect(service.user ?? "").not.toMatch(/^(?:root|0)(?::|$)/);
    expect(service.pids_limit).toBeGreaterThan(0);
    // A new Compose refuses the two together.
    expect(service.deploy?.resources ?? {}).not.toHaveProperty("limits");
  });

  test.each(each)("%s comes from an image of an exact version", (_name, { image }) => {
    const own = image === `gpu-request-router:${kind}`;
    expect(own || /:v?\d+\.\d+\.\d+$/.test(image), image).toBe(true);
  });

  test.each(each)("%s mounts what is there, or what the operator writes", (_name, service) => {
    for (const mount of service.volumes ?? []) {
      if (typeof mount === "string") continue;
      expect(mount.read_only).toBe(true);
      expect(mount.bind).toEqual({ create_host_path: false });
      const path = mount.source.replace(/^\.\//, "");
      expect(existsSync(`${ROOT}${path}`) || WRITTEN_BY_OPERATOR.includes(path), path).toBe(true);
    }
  });

  test("only the router is published, on one port", () => {
    const published = each.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
    // On IPv4 alone, and both at once on one machine.
    const port = kind === "prod" ? "0.0.0.0:8000:8000" : "127.0.0.1:8001:8000";
    expect(published).toEqual([["gpu-request-router", port]]);
  });

  test("everything is in the network alt_las, and in no other", () => {
    expect(Object.keys(networks)).toEqual(["alt_las"]);
    for (const [, service] of each) {
      const joined = Array.isArray(service.networks)
        ? (service.networks as string[])
        : Object.keys(service.networks);
      expect(joined).toEqual(["alt_las"]);
    }
  });

  test("the router's image is built from the Dockerfile's stage of that name", () => {
    expect(services["gpu-request-router"]).toMatchObject({
      image: `gpu-request-router:${kind}`,
      build: { context: ".", target: kind },
    });
    expect(read("Dockerfile")).toMatch(new RegExp(`^FROM runtime AS ${kind}$`, "m"));
  });

  test("whatever is run from our image is a file that is there", () => {
    const scripts = each.flatMap(([, { command = [] }]) => command.filter(isScript));
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.filter((path) => !existsSync(`${ROOT}${path}`))).toEqual([]);
  });

  test("the router has the time that a stop may take", () => {
    const { api } = configOf(CONFIGS[kind]).config;
    const graceS = Number.parseFloat(services["gpu-request-router"]?.stop_grace_period ?? "0");
    expect(graceS).toBeGreaterThanOrEqual(api.drain_timeout + 18);
  });

  test("its secrets are the operator's files", () => {
    for (const { file } of Object.values(secrets)) {
      expect(WRITTEN_BY_OPERATOR).toContain(file.replace(/^\.\//, ""));
    }
  });

  test("every service with a server of its own is asked whether it lives", () => {
    const unasked = each.filter(([name, { healthcheck }]) => {
      return name !== "gpu-request-router" && healthcheck === undefined;
    });
    expect(unasked.map(([name]) => name)).toEqual([]);
  });
});

const CONFIGS = {
  test: "deploy/compose/config.test.yaml",
  prod: "deploy/compose/config.prod.example.yaml",
} as const;

const isScript = (word: string): boolean => /^(?:\.\/)?(?:src|test)\/.*\.[tj]s$/.test(word);

test("production: the companion gets GPUs by a device reservation, and everything has a bound", () => {
  const { services } = compose.prod;
  expect(services["gpu-monitoring-service"]?.deploy?.resources["reservations"]).toEqual({
    devices: [{ driver: "nvidia", count: "all", capabilities: ["gpu", "utility"] }],
  });
  for (const [name, service] of Object.entries(services)) {
    expect(service.mem_limit, name).toMatch(/^\d+[mg]$/);
    expect(service, name).toHaveProperty("cpus");
    expect(service, name).toMatchObject({ restart: "unless-stopped", logging: expect.anything() });
  }
});

test("tests: who is in the network may call the router", () => {
  const { network } = configOf(CONFIGS.test).config;
  expect(network.allowed_cidrs).toContain(compose.test.networks["alt_las"]?.ipam.config[0].subnet);
});

test("production: nobody waits for a part that the router can do without", () => {
  expect(compose.prod.services["gpu-request-router"]).not.toHaveProperty("depends_on");
});

test("production: what asks another service asks one that there is, on the port that it has", () => {
  const ports: Readonly<Record<string, number>> = {
    "gpu-request-router": 8000,
    "gpu-monitoring-service": 8080,
    "logging-service": 3100,
    prometheus: 9090,
  };
  const askers = [
    "deploy/prometheus/prometheus.yml",
    "deploy/grafana/provisioning/datasources/prometheus.yml",
    "deploy/grafana/provisioning/datasources/loki.yml",
    CONFIGS.prod,
  ];
  const names = Object.keys(ports).join("|");
  for (const path of askers) {
    const asked = [...read(path).matchAll(new RegExp(`["/](${names}):(\\d+)`, "g"))];
    expect(asked.length, path).toBeGreaterThan(0);
    for (const [, name = "", port] of asked) expect(Number(port), path).toBe(ports[name]);
  }
  expect(read("deploy/loki/loki.yml")).toContain(`http_listen_port: ${ports["logging-service"]}`);
  const mounts = compose.prod.services["prometheus"] as { secrets?: readonly object[] };
  const key = /credentials_file: ([\w-]+)/.exec(read("deploy/prometheus/prometheus.yml"))?.[1];
  expect(mounts.secrets).toEqual([{ source: "prometheus-key", target: `/etc/prometheus/${key}` }]);
});

test("what the operator writes is ignored by git, and reaches no image", () => {
  const ignored = read(".gitignore").split("\n");
  expect(ignored).toEqual(expect.arrayContaining(["/config.prod.yaml", "/secrets/"]));
  const allowed = read(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("!"));
  expect(allowed.filter((line) => /config|secret/.test(line))).toEqual(["!vitest.e2e.config.ts"]);
});

test("config.prod.example.yaml is a whole config whose keys open nothing", () => {
  const { config, notices } = configOf(CONFIGS.prod);
  expect(notices).toEqual([]);
  expect(config.logging).toMatchObject({ url: "http://logging-service:3100", format: "loki" });
  for (const { sha256 } of config.auth.keys) expect(sha256).toMatch(/^0{63}\d$/);
});

test("config.test.yaml is the scene that the suites know", () => {
  const { config } = configOf(CONFIGS.test);
  const keys = config.auth.keys.map(({ user, sha256 }) => [user, sha256]);
  const digests = Object.entries(SCENE_KEYS).map(([user, key]) => [user, hash("sha256", key)]);
  expect(keys).toEqual(digests);
  expect(config.workers.map(({ id, url, gpus }) => [id, url, gpus])).toEqual(
    SCENE_WORKERS.map((id, index) => [id, `http://${id}:8000`, [SCENE_GPUS[index]]]),
  );
  const names = [...SCENE_WORKERS, "gpu-monitoring-service", "logging-service"];
  expect(Object.keys(compose.test.services)).toEqual(expect.arrayContaining(names));
});

test("what is mounted as a file is one", () => {
  for (const { volumes = [] } of Object.values({
    ...compose.test.services,
    ...compose.prod.services,
  })) {
    for (const mount of volumes) {
      if (typeof mount === "string" || !existsSync(`${ROOT}${mount.source}`)) continue;
      const isFile = /\.\w+$/.test(mount.target);
      expect(statSync(`${ROOT}${mount.source}`).isFile(), mount.source).toBe(isFile);
    }
  }
});
