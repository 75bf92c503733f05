/** Longer than any line that nvidia-smi prints. */
const MAX_LINE_CHARS = 64 * 1024;

/** Calls `onLine` for each whole line; one that is cut off by the end is none. */
export function lineSplitter(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(-MAX_LINE_CHARS);
    for (const line of lines) {
      const text = line.trim();
      if (text !== "") onLine(text);
    }
  };
}
