import { importsOf, type Import } from "./imports.ts";
import { BUILT_IN_USERS, MAY_IMPORT, PACKAGE_USERS, partOf } from "./may-import.ts";
import type { Sources } from "./source-text.ts";

/** Every import that breaks a rule, as one sentence each. */
export function importViolations(sources: Sources): readonly string[] {
  const violations: string[] = [];
  for (const [path, source] of sources) {
    const { imports, unreadable } = importsOf(path, source);
    if (partOf(path) === null) violations.push(`${path}: belongs to no part; give it a row`);
    violations.push(...unreadable.map((line) => `${path}:${line} import cannot be read`));
    for (const found of imports) {
      const problem = found.isPath ? wrongArrow(path, found) : wrongPackage(path, found.target);
      if (problem !== null) violations.push(`${path}:${found.line} ${problem}`);
    }
  }
  return [...violations, ...circles(sources).map((circle) => `circle: ${circle.join(" -> ")}`)];
}

function wrongArrow(path: string, { target, typeOnly }: Import): string | null {
  const from = partOf(path);
  const to = partOf(target);
  if (to === null) return `imports ${target}, which is in no part`;
  if (from === null || from === to) return null;
  const { uses, knows = [] } = MAY_IMPORT[from];
  if (uses.some((allowed) => allowed === to || allowed === target)) return null;
  if (!knows.includes(to)) return `${from} imports ${target}: ${from} may not import ${to}`;
  return typeOnly ? null : `${from} imports ${target}: ${from} may import only types of ${to}`;
}

function wrongPackage(path: string, name: string): string | null {
  const users = name.startsWith("node:") ? (BUILT_IN_USERS[name] ?? ["src/"]) : PACKAGE_USERS[name];
  if (users === undefined) return `imports ${name}, which has no row among the packages`;
  const allowed = users.some(
    (user) => path === user || (user.endsWith("/") && path.startsWith(user)),
  );
  return allowed ? null : `imports ${name}, allowed in: ${users.join(", ") || "no file"}`;
}

/** Files that need each other when the code runs. Types are erased and may go round in a part. */
function circles(sources: Sources): readonly (readonly string[])[] {
  const targets = new Map<string, readonly string[]>();
  for (const [path, source] of sources) {
    const used = importsOf(path, source).imports.filter((found) => found.isPath && !found.typeOnly);
    targets.set(
      path,
      used.map((found) => found.target),
    );
  }
  return circlesIn(targets);
}

/** One circle per way back that a walk in depth meets; empty when there is none. */
export function circlesIn<Node>(arrows: ReadonlyMap<Node, readonly Node[]>): readonly Node[][] {
  const found: Node[][] = [];
  const done = new Set<Node>();
  const walk = (node: Node, trail: readonly Node[]): void => {
    const seenAt = trail.indexOf(node);
    if (seenAt !== -1) found.push([...trail.slice(seenAt), node]);
    if (seenAt !== -1 || done.has(node)) return;
    for (const next of arrows.get(node) ?? []) walk(next, [...trail, node]);
    done.add(node);
  };
  for (const node of arrows.keys()) walk(node, []);
  return found;
}
