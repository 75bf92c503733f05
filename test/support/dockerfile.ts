/** One instruction of a Dockerfile; `args` is the rest of its line, continuations joined. */
export interface Instruction {
  readonly name: string;
  readonly args: string;
}

export interface Stage {
  readonly name: string;
  /** An image, or an earlier stage. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** Reads what our Dockerfile uses of the format; throws where it does not understand a line. */
export function readStages(dockerfile: string): readonly Stage[] {
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const line of linesOf(dockerfile)) {
    const { name, args } = readInstruction(line);
    const stage = stages.at(-1);
    if (name === "FROM") stages.push(beginStage(args));
    else if (stage === undefined) throw new Error(`outside of every stage: ${line}`);
    else stage.instructions.push({ name, args });
  }
  return stages;
}

function linesOf(dockerfile: string): readonly string[] {
  const withoutComments = dockerfile.replaceAll(/^\s*#.*\n/gm, "");
  const lines = withoutComments.replaceAll(/\\\n/g, " ").split("\n");
  return lines.filter((line) => line.trim() !== "");
}

function readInstruction(line: string): Instruction {
  const [, name, args] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
  if (name === undefined || args === undefined) throw new Error(`not understood: ${line}`);
  return { name, args: args.trim() };
}

function beginStage(args: string) {
  const [, from, name] = /^(\S+) AS (\S+)$/.exec(args) ?? [];
  if (from === undefined || name === undefined) throw new Error(`a stage without a name: ${args}`);
  return { name, from, instructions: [] };
}

/** All that makes up a stage, those it is built from first. */
export function lineage(stages: readonly Stage[], name: string): readonly Instruction[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage === undefined ? [] : [...lineage(stages, stage.from), ...stage.instructions];
}

export interface Copy {
  /** An earlier stage; null = what the build is given. */
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

export function readCopy(args: string): Copy {
  const words = args.split(/\s+/);
  const from = words[0]?.startsWith("--from=") === true ? words.shift()!.slice(7) : null;
  const target = words.pop() ?? "";
  return { from, sources: words, target };
}

/** The words of an instruction in exec form, such as `CMD ["node", "main.js"]`. */
export function execForm(args: string): readonly string[] {
  const json = /\[.*\]$/.exec(args)?.[0];
  if (json === undefined) throw new Error(`not in exec form: ${args}`);
  return JSON.parse(json) as readonly string[];
}

/** What .dockerignore lets in, of a list that begins by keeping everything out. */
export function letIn(dockerignore: string): readonly string[] {
  const lines = dockerignore.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (lines[0] !== "*") throw new Error(".dockerignore must begin with *");
  return lines.slice(1).map((line) => {
    if (line.startsWith("!")) return line.slice(1);
    throw new Error(`.dockerignore: "${line}" takes back what was let in`);
  });
}
