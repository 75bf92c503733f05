import { hash } from "node:crypto";
import { Random } from "../../../src/routing/random.ts";

/** Keys of the base config, by their users. */
export const PLAIN_KEYS = ["alice", "bob", "carol", "root"].map((user) => `${user}-key`);

const keyEntry = (user: string, role: string) =>
  `    - { id: ${user}-1, user: ${user}, role: ${role}, sha256: "${hash("sha256", `${user}-key`, "hex")}" }`;

/** A config as people write it, with nearly every section, and short lines that can be lost. */
export const BASE_CONFIG = `# Our fleet
api: { host: 127.0.0.1, port: 8001, debug: false, drain_timeout: 5 }
gpu_monitoring:
  url: "http://127.0.0.1:9100"
  update_interval: 5
  max_temperature: 85
load_balancer:
  strategy: hybrid
  weights: { usage: 0.4, priority: 0.3, performance: 0.2, health: 0.1 }
strategies:
  mine: { filters: all, scorers: { usage: 1, health: 2 }, picker: best }
  other: { filters: [], scorers: {}, picker: round_robin }
request_router:
  max_retries: 3
  request_timeout: 30
  max_timeout: 600
error_handler: { error_threshold: 0.1, gpu_cooldown_period: 300 }
user_quota_manager:
  default_gpu_limit: 2
  default_request_limit: 100
  default_priority_limit: 3
users:
  - { id: alice, gpu_limit: 4, request_limit: 1000, priority_limit: 5 }
  - { id: bob, request_limit: 7, token_limit: 5000 }
queue: { max_requests: 100, max_mb: 16, user_share: 0.5, ageing: 30 }
jobs: { ttl: 600 }
callbacks:
  allowed_hosts: [hooks.lan]
network:
  allowed_cidrs: [10.0.0.0/8]
  worker_hosts: [10.0.0.5]
workers:
  - { id: node1, url: "http://127.0.0.1:9101", engine: vllm, models: [m1, m2], slots: 4 }
  - { id: node2, url: "http://127.0.0.1:9102", engine: ollama, models: [m1], slots: 1 }
  - id: node3
    url: "http://127.0.0.1:9103"
    models: [{ name: big, as: m2, memory_mb: 1000 }]
auth:
  keys:
${keyEntry("alice", "user")}
${keyEntry("bob", "user")}
${keyEntry("carol", "service")}
${keyEntry("root", "admin")}
`;

const VALUES = [
  ..."0 1 2 3 5 7 9 0.5 60 250 -1 1e3 .inf ~ null true false".split(" "),
  ...'[] {} "" [1] { hybrid dynamic mine other least_requests best m1 "7"'.split(" "),
];

type Mutation = (text: string, random: Random) => string;

const pick = <Item>(items: readonly Item[], random: Random): Item =>
  items[Math.floor(random.next() * items.length)]!;

function editLines(edit: (lines: string[], at: number, random: Random) => void): Mutation {
  return (text, random) => {
    const lines = text.split("\n");
    edit(lines, Math.floor(random.next() * lines.length), random);
    return lines.join("\n");
  };
}

/** Another text in the place of one match. */
function editMatch(pattern: RegExp, replace: (found: string, random: Random) => string): Mutation {
  return (text, random) => {
    const found = [...text.matchAll(pattern)];
    if (found.length === 0) return text;
    const { 0: was, index } = pick(found, random);
    return text.slice(0, index) + replace(was, random) + text.slice(index + was.length);
  };
}

const cutAnywhere: Mutation = (text, random) =>
  text.slice(0, Math.floor(random.next() * text.length));

const changeByte: Mutation = (text, random) => {
  const at = Math.floor(random.next() * text.length);
  const byte = String.fromCharCode(Math.floor(random.next() * 128));
  return text.slice(0, at) + byte + text.slice(at + pick([0, 1], random));
};

const renameKey = editMatch(/\w+(?=:)/g, (key, random) => {
  const at = Math.floor(random.next() * key.length);
  return key.slice(0, at) + pick(["", "x", "_"], random) + key.slice(at + 1);
});

/**
 * Sorted by how often what they leave is still a config: rarely at first, mostly at last. The last are
 * drawn most.
 */
const MUTATIONS: readonly Mutation[] = [
  cutAnywhere,
  renameKey,
  changeByte,
  editLines(
    (lines, at, random) => void (lines[at] = pick(["", " ", "  "], random) + lines[at]!.trim()),
  ),
  editLines((lines, at) => void lines.splice(at, 0, lines[at]!)),
  editMatch(/(?<=: )[^,{}[\]\n]+/g, (_, random) => pick(VALUES, random)),
  editMatch(/\b(?:node|m|user|bob|alice|hybrid|mine|best|vllm)\w*/g, (_, random) =>
    pick(["bob", "alice", "m1", "mine", "dynamic", "node9", "ollama", "best"], random),
  ),
  editLines((lines, at) => void lines.splice(at, 1)),
  editMatch(/(?<=[a-z]: )\d+(?:\.\d+)?/g, (_, random) => pick(["1", "2", "3", "5", "40"], random)),
  editMatch(/(?<=(?:limit|strategy|_timeout|models): )[\w[]+/g, (was, random) =>
    /\d/.test(was) ? String(1 + Math.floor(random.next() * 5)) : was === "[" ? "[m3, " : "dynamic",
  ),
];

/** The base config after one to three accidents, the same for the same seed. */
export function mutatedConfig(seed: number): string {
  const random = new Random(seed);
  let text = BASE_CONFIG;
  const times = 1 + Math.floor(random.next() * 3);
  for (let count = 0; count < times; count++) {
    const drawn = Math.max(random.next(), random.next());
    text = MUTATIONS[Math.floor(drawn * MUTATIONS.length)]!(text, random);
  }
  return text;
}
