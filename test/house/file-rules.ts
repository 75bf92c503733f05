import { codeOnly, commentsOnly, lineAt, type Sources } from "./source-text.ts";

const MAX_LINES = 250;

const FORBIDDEN_NAMES = new Set(["utils", "common", "core", "helpers", "types", "index"]);

/** Lower-case words joined by hyphens; endings like `.test` or `.contract` may follow. */
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/;

interface CodeRule {
  readonly pattern: RegExp;
  readonly says: string;
  /** Where the rule holds. */
  readonly holdsIn: RegExp;
  readonly exceptIn: RegExp;
}

const CODE_RULES: readonly CodeRule[] = [
  {
    pattern: /(?<!\.)\bset(?:Timeout|Interval)\b|\bglobalThis\.set(?:Timeout|Interval)\b/g,
    says: "sets a timer: take a Clock and use after() or every()",
    holdsIn: /^(?:src|test\/unit|test\/contract)\//,
    exceptIn: /^src\/clock\.ts$/,
  },
  {
    pattern: /\bDate\.now\b|\bDate\(\s*\)|\bprocess\.hrtime\b|(?<!\.)\bperformance\.\w+/g,
    says: "reads time: take a Clock and use now() or wallMs()",
    holdsIn: /^src\//,
    exceptIn: /^src\/clock\.ts$/,
  },
  {
    pattern: /\bAbortSignal\.timeout\b/g,
    says: "sets a timer: abort from Clock.after()",
    holdsIn: /^src\//,
    exceptIn: /^src\/clock\.ts$/,
  },
  {
    pattern: /\bprocess\??\.env\b|\bprocess\[|\benv\b[^{}]*\}\s*=\s*process\b/g,
    says: "reads the environment: take a setting from config",
    holdsIn: /^src\//,
    exceptIn: /^src\/config\//,
  },
  {
    pattern: /\bprocess\.(?:exit|abort)\b/g,
    says: "ends the process: throw, and let the entry point decide",
    holdsIn: /^src\//,
    exceptIn: /^src\/(?:main\.ts|cli\/.*|monitoring-service\/main\.ts|require-node\.js)$/,
  },
];

const LEFT_OVER = /\b(?:TODO|FIXME|XXX|HACK)\b(?!.*#\d)/g;

/** Every file that breaks a rule of shape, as one sentence each. */
export function shapeViolations(sources: Sources): readonly string[] {
  return [...sources].flatMap(([path, source]) => [
    ...badNames(path),
    ...tooLong(path, source),
    ...badCode(path, source),
    ...leftOvers(path, source),
  ]);
}

function badNames(path: string): readonly string[] {
  return path.split("/").flatMap((name) => {
    if (!KEBAB_CASE.test(name)) return [`${path}: "${name}" is not kebab-case`];
    const word = name.split(".")[0] ?? name;
    return FORBIDDEN_NAMES.has(word) ? [`${path}: "${word}" says nothing; name its subject`] : [];
  });
}

function tooLong(path: string, source: string): readonly string[] {
  const lines = source.replace(/\n$/, "").split("\n").length;
  return lines > MAX_LINES ? [`${path}: ${lines} lines; split it by subject (${MAX_LINES})`] : [];
}

function badCode(path: string, source: string): readonly string[] {
  const code = codeOnly(source);
  return CODE_RULES.filter((rule) => rule.holdsIn.test(path) && !rule.exceptIn.test(path)).flatMap(
    ({ pattern, says }) =>
      [...code.matchAll(pattern)].map(({ index }) => `${path}:${lineAt(code, index)} ${says}`),
  );
}

function leftOvers(path: string, source: string): readonly string[] {
  const comments = commentsOnly(source);
  return [...comments.matchAll(LEFT_OVER)].map(
    ({ index }) => `${path}:${lineAt(comments, index)} left-over without the issue that ends it`,
  );
}
