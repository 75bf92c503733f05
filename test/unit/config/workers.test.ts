import { describe, expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const workersOf = (yaml: string) => loadYaml(`workers: ${yaml}`).config.workers;
const refusals = (yaml: string) => problemsIn(`workers: ${yaml}`);

test("a worker needs only a name and a URL", () => {
  expect(workersOf('[{ id: a, url: "http://10.0.0.11:8000" }]')).toEqual([
    {
      id: "a",
      url: "http://10.0.0.11:8000",
      engine: "openai",
      gpus: "auto",
      models: [],
      slots: null,
      types: ["inference"],
      api_key_env: null,
      api_key: null,
      load_timeout: 300,
    },
  ]);
});

test.each([
  ["http://h:1/", "http://h:1"],
  ["http://H:80/v1", "http://h"],
  ["http://h/v1/", "http://h"],
  ["https://h/base//v1//", "https://h/base/"],
  ["http://h/base/v12", "http://h/base/v12"],
])("the URL %s is spelled %s", (url, spelled) => {
  expect(workersOf(`[{ id: a, url: "${url}" }]`)[0]?.url).toBe(spelled.replace(/\/$/, ""));
});

test("models are names, or mappings with an alias and needs", () => {
  const yaml = "[{ id: a, url: 'http://a', models: [m, { name: n, as: p, memory_mb: 10 }] }]";
  expect(workersOf(yaml)[0]?.models).toEqual([
    { name: "m", as: "m", min_compute_capability: null, memory_mb: null },
    { name: "n", as: "p", min_compute_capability: null, memory_mb: 10 },
  ]);
});

test("GPUs are a list, or auto", () => {
  expect(workersOf("[{ id: a, url: 'http://a', gpus: [GPU-1] }]")[0]?.gpus).toEqual(["GPU-1"]);
  expect(workersOf("[{ id: a, url: 'http://a', gpus: [] }]")[0]?.gpus).toEqual([]);
});

describe("refused:", () => {
  test.each([
    ["id: 'a b', url: 'http://a'", "workers[0].id", "must be a name"],
    ["id: a, url: 'ftp://a'", "workers[0].url", "must be an http or https URL"],
    ["id: a, url: 'http://a/?x=1'", "workers[0].url", "must be a URL without ? and #"],
    ["id: a, url: 'http://a', engine: vlm", "workers[0].engine", "vllm, ollama, openai"],
    ["id: a, url: 'http://a', slots: 0", "workers[0].slots", "from 1 to 100000"],
    ["id: a, url: 'http://a', slots: 100001", "workers[0].slots", "from 1 to 100000"],
    ["id: a, url: 'http://a', slots: 1.5", "workers[0].slots", "a whole number"],
    ["id: a, url: 'http://a', gpus: all", "workers[0].gpus", "must be auto or a list of GPU ids"],
    ["id: a, url: 'http://a', gpus: [x, x]", "workers[0].gpus", "must name each GPU once"],
    ["id: a, url: 'http://a', types: []", "workers[0].types", "must name at least one type"],
    ["id: a, url: 'http://a', types: [x]", "workers[0].types[0]", "one of: inference, training"],
    ["id: a, url: 'http://a', models: [3]", "workers[0].models[0]", "must be a model name or a"],
    ["id: a, url: 'http://a', models: [m, m]", "workers[0].models[1].as", "has the same"],
    ["id: a, url: 'http://a', load_timeout: 0", "workers[0].load_timeout", "from 0.01 to 86400"],
    ["id: a", "workers[0].url", "missing, must be an http or https URL"],
  ])("%s", (fields, setting, problem) => {
    expect(refusals(`[{ ${fields} }]`)).toEqual([expect.stringContaining(`: ${setting}: `)]);
    expect(refusals(`[{ ${fields} }]`)[0]).toContain(problem);
  });

  test("two workers at one address, however it is spelled", () => {
    const yaml = "[{ id: a, url: 'http://h:80/v1' }, { id: b, url: 'HTTP://H/' }]";
    expect(refusals(yaml)).toEqual([
      "config.yaml:1: workers[1].url: item 1 of this list has the same; each must be different",
    ]);
  });

  test("two workers of one name, though another setting of theirs is wrong too", () => {
    const yaml = "[{ id: a, url: 'http://a' }, { id: a, url: 'http://b', slots: x }]";
    expect(refusals(yaml)).toEqual([
      expect.stringContaining("workers[1].slots: "),
      expect.stringContaining("workers[1].id: "),
    ]);
  });
});
