import type { System } from "./system.ts";

/** What is told on standard error. */
export interface Report {
  line(text: string): Promise<void>;
  /** What a terminal shows of work that takes long, about once a second. */
  progress: () => string;
  /** What it shows instead while a call waits to be sent again. */
  waiting: (() => string) | undefined;
  /** How far the work has come, to be told if it fails. */
  reached: string;
  /** Frees the line on which progress is shown. */
  clear(): void;
  stop(): void;
}

export function createReport({ stderr, env }: System): Report {
  const rewrites = stderr.isTTY && !env.NO_COLOR && env.TERM !== "dumb";
  const print = (text: string) => stderr.write(text).catch(() => {}); // whom to tell?

  function show(): void {
    const text = oneLine((report.waiting ?? report.progress)()).slice(0, stderr.columns - 1);
    report.clear();
    if (text) print(rewrites ? text : `${text}\n`);
  }

  const timer = stderr.isTTY ? setInterval(show, rewrites ? 1000 : 10_000) : undefined;
  const report: Report = {
    progress: () => "",
    waiting: undefined,
    reached: "",
    clear: () => void (rewrites && print("\r\x1b[K")),
    line(text) {
      report.clear();
      return print(`${oneLine(text)}\n`);
    },
    stop() {
      clearInterval(timer);
      report.clear();
    },
  };
  return report;
}

/** Without line breaks, and without what else moves the cursor. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, " ").trim();
}
