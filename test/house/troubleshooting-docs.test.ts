import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ROOT } from "./source-text.ts";

const FOLDER = `${ROOT}test/integration/troubles/`;
const docs = readFileSync(`${ROOT}docs/troubleshooting.md`, "utf8");

/** In the docs, what the router says itself is bold code. */
const QUOTED = /\*\*`([^`]+)`\*\*/g;
/** In the tests it is the argument of `words`, which makes a pattern of it. */
const TESTED = /\bwords\(\s*(["'`])(.+?)\1,?\s*\)/g;

const quoted = new Set([...docs.matchAll(QUOTED)].map(([, quote = ""]) => quote));
const tested = new Set(
  readdirSync(FOLDER)
    .map((name) => readFileSync(FOLDER + name, "utf8"))
    .flatMap((text) => [...text.matchAll(TESTED)].map(([, , quote = ""]) => quote)),
);

test("docs/troubleshooting.md quotes exactly what a test has read from the product", () => {
  expect([...quoted].toSorted()).toEqual([...tested].toSorted());
});

test("no quote is so short, or so full of gaps, that anything would match it", () => {
  const vague = [...quoted].filter((quote) => quote.replaceAll("…", "").trim().length < 12);
  expect(vague).toEqual([]);
});

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}

test("whoever links to one of its headings, here, in docs or in alerts, finds it", () => {
  const headings = [...docs.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
  const others = ["docs", "deploy"].flatMap((folder) =>
    readdirSync(ROOT + folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(md|ya?ml|json)$/.test(name))
      .map((name) => `${folder}/${name}`),
  );
  const dead = ["README.md", ...others].flatMap((path) => {
    const isOwn = path === "docs/troubleshooting.md";
    const link = isOwn ? /\(#([\w-]+)\)/g : /troubleshooting\.md#([\w-]+)/g;
    const anchors = [...readFileSync(ROOT + path, "utf8").matchAll(link)].map(([, to = ""]) => to);
    return anchors.filter((to) => !headings.includes(to)).map((to) => `${path}: #${to}`);
  });
  expect(dead).toEqual([]);
});
