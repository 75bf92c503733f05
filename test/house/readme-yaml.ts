import { readFileSync } from "node:fs";
import { ROOT } from "./source-text.ts";

/** The config of README's "Real workers", with the digest of a key in its place. */
export function readmeYaml(sha256: string): string {
  const readme = readFileSync(`${ROOT}README.md`, "utf8");
  const yaml = /^```yaml\n([^]*?)^```/m.exec(readme)?.[1] ?? "";
  const placeholder = "<what npm run key printed>";
  if (!yaml.includes(placeholder)) throw new Error(`README.md has no YAML with "${placeholder}"`);
  return yaml.replace(placeholder, sha256);
}
