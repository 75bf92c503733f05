import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { CORE_SCHEMA, load, mergeTag } from "js-yaml";
import { describe, expect, test } from "vitest";
import { describeSettings } from "../../src/config/describe-settings.ts";
import { commandsIn, composeCommandsIn } from "./compose-commands.ts";
import { anchorOf, codeBlocks, headings, inlineCode, links, tableShape } from "./markdown-parts.ts";
import { readSources, ROOT } from "./source-text.ts";

const read = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");
const settings = describeSettings();
const code = [...readSources("src").values(), ...readSources("test/e2e").values()].join("\n");

interface Service {
  readonly image: string;
  readonly networks: readonly string[] | Networks;
  readonly volumes?: readonly ({ readonly target: string } | string)[];
}

type Networks = Readonly<Record<string, { readonly ipv4_address?: string }>>;

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly ipam: { config: [{ subnet: string }] } }>>;
}

const readCompose = (path: string) =>
  load(read(path), { schema: CORE_SCHEMA.withTags(mergeTag) }) as Compose;
const prod = readCompose("docker-compose.prod.yml");
const imagesUsed = new Set(Object.values(prod.services).map(({ image }) => image));

describe.each(["docs/deployment.md", "docs/deployment.tr.md"])("%s", (path) => {
  const guide = read(path);
  const commands = commandsIn(guide);

  test("gives Compose only commands and services that it has", () => {
    const found = composeCommandsIn(guide);
    expect(found.length).toBeGreaterThan(20);
    for (const { line, file, subcommand, services } of found) {
      expect(["build", "up", "ps", "logs", "run", "kill", "stop", "down"], line).toContain(
        subcommand,
      );
      expect(Object.keys(readCompose(file).services), line).toEqual(
        expect.arrayContaining([...services]),
      );
    }
  });

  test("pulls and saves the images that are used, all of them", () => {
    const save = commands.find((line) => /^docker save .* grafana/.test(line)) ?? "";
    expect(new Set(save.split(" ").slice(2))).toEqual(imagesUsed);
    const pulled = commands.flatMap((line) => /^docker pull (\S+)/.exec(line)?.[1] ?? []);
    expect(new Set([...pulled, "gpu-request-router:prod"])).toEqual(imagesUsed);
    const base = /^FROM (\S+) AS/m.exec(read("Dockerfile"))?.[1];
    expect(inlineCode(guide).filter((text) => text.endsWith(` ${base}`))).toHaveLength(1);
  });

  test("names only files that are there", () => {
    const named = guide.match(/(?<![\w/.-])(?:deploy\/[\w./-]*\w|docker-compose\.\w+\.yml)/g) ?? [];
    expect(new Set(named).size).toBeGreaterThan(3);
    expect(named.filter((name) => !existsSync(`${ROOT}${name}`))).toEqual([]);
    const scripts = commands.flatMap((line) => line.match(/(?:\.\/)?src\/\S+\.[tj]s/g) ?? []);
    expect(scripts.filter((script) => !existsSync(`${ROOT}${script}`))).toEqual([]);
  });

  test("links to headings that are there", () => {
    const withAnchor = links(guide).filter(({ anchor }) => anchor !== null);
    expect(withAnchor.length).toBeGreaterThan(4);
    for (const { path: to, anchor } of withAnchor) {
      const page = to === "" ? guide : read(posix.join("docs", to));
      expect(headings(page).map(anchorOf), to).toContain(anchor);
    }
  });

  test("names only settings that there are", () => {
    const known = new Set(settings.flatMap(({ setting }) => withParents(setting)));
    const named = inlineCode(guide).filter((text) => {
      return /^[a-z_]+\.[a-z_.]+$/.test(text) && known.has(text.split(".")[0]!);
    });
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test("names only variables that something reads", () => {
    const readers = `${code}\n${read("docker-compose.prod.yml")}`;
    const names = new Set(guide.match(/\b[A-Z]+_[A-Z_]+\b/g));
    expect(names.size).toBeGreaterThan(5);
    expect([...names].filter((name) => !readers.includes(name))).toEqual([]);
  });

  test("quotes the router word for word", () => {
    const quoted = [
      "this is a folder, must be a YAML file",
      "config reloaded",
      "config not reloaded",
    ];
    for (const words of quoted) {
      expect(inlineCode(guide)).toContain(words);
      expect(code).toContain(words);
    }
  });

  test("knows the networks and the address of Grafana", () => {
    for (const file of ["docker-compose.test.yml", "docker-compose.prod.yml"]) {
      expect(guide).toContain(readCompose(file).networks["alt_las"]?.ipam.config[0].subnet);
    }
    const { networks } = prod.services["grafana"]!;
    const grafana = (networks as Networks)["alt_las"]?.ipv4_address;
    expect(commands).toContain(`ssh -L 3000:${grafana}:3000 router-host`);
  });

  test("publishes on no IPv6 address, which neither firewall nor router would tell from this machine", () => {
    const ports = commands.flatMap((line) => /^docker run .* -p (\S+)/.exec(line)?.[1] ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !/^[\d.]+:\d+:\d+$/.test(port))).toEqual([]);
  });

  test("gives nftables files that replace their table, however often they are loaded", () => {
    const tables = codeBlocks(guide).filter(({ text }) => /^table inet /m.test(text));
    expect(tables).toHaveLength(2);
    for (const { text } of tables) {
      const [, name] = /^table inet (\w+)/.exec(text) ?? [];
      const start = `table inet ${name} {}\ndelete table inet ${name}\ntable inet ${name} {\n`;
      expect(text.slice(0, start.length)).toBe(start);
    }
  });

  test("leaves out of the backup of Grafana's volume what else is mounted in it", () => {
    const targets = prod.services["grafana"]?.volumes?.flatMap((mount) => {
      return typeof mount === "string" ? [] : [mount.target];
    });
    const inside = targets?.filter((target) => target.startsWith("/var/lib/grafana/")) ?? [];
    expect(inside.length).toBeGreaterThan(0);
    const backup = guide.split("\n").find((line) => line.includes("-czf /backup/pages.tar.gz"));
    for (const target of inside) {
      expect(backup).toContain(`--exclude=.${target.slice("/var/lib/grafana".length)} `);
    }
  });

  test("leaves no cell of its tables empty", () => {
    expect(guide).not.toMatch(/\|[ ]*\|/);
  });
});

describe("both guides have the same", () => {
  const english = read("docs/deployment.md");
  const turkish = read("docs/deployment.tr.md");

  test("parts", () => {
    const levels = (guide: string) => headings(guide).map((heading) => heading.indexOf(" "));
    expect(levels(turkish)).toEqual(levels(english));
    expect(tableShape(turkish)).toEqual(tableShape(english));
  });

  test("commands and files to paste, but for the comments in them", () => {
    const texts = (guide: string) =>
      codeBlocks(guide).map(({ text }) => text.replaceAll(/^\s*#.*\n/gm, ""));
    expect(texts(turkish)).toEqual(texts(english));
  });

  test("code between words", () => {
    const sorted = (guide: string) => [...inlineCode(guide)].toSorted(byText);
    expect(sorted(turkish)).toEqual(sorted(english));
  });

  test("links to other pages", () => {
    const others = (guide: string) => {
      const outside = links(guide).filter(({ path }) => !/^(?:deployment.*)?$/.test(path));
      return outside.map(({ path, anchor }) => `${path}#${anchor}`).toSorted(byText);
    };
    expect(others(turkish)).toEqual(others(english));
  });
});

const byText = (a: string, b: string): number => a.localeCompare(b);

/** `a[].b` -> `a` and `a.b`, as prose names them. */
function withParents(setting: string): readonly string[] {
  const parts = setting.replaceAll("[]", "").split(".");
  return parts.map((_, index) => parts.slice(0, index + 1).join("."));
}
