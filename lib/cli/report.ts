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
  /** Shows no more, since a text is printed to the same terminal. */
  giveWayTo(text: string): void;
  stop(): void;
}

const ERASED = "\r\x1b[K"; // the line of the cursor

export function createReport({ stderr, env }: System): Report {
  const rewrites = stderr.isTTY && !env.NO_COLOR && env.TERM !== "dumb";
  const print = (text: string) => stderr.write(text).catch(() => {}); // whom to tell?
  let isShown = false;
  let isMidLine = false; // behind a text

  function show(): void {
    const text = oneLine((report.waiting ?? report.progress)()).slice(0, stderr.columns - 1);
    if (text) print(rewrites ? ERASED + text : `${text}\n`);
    isShown = rewrites && text !== "";
  }

  const timer = stderr.isTTY ? setInterval(show, rewrites ? 1000 : 10_000) : undefined;
  const report: Report = {
    progress: () => "",
    waiting: undefined,
    reached: "",
    line(text) {
      const start = isShown ? ERASED : isMidLine && stderr.isTTY ? "\n" : "";
      isShown = isMidLine = false;
      return print(`${start}${oneLine(text)}\n`);
    },
    giveWayTo(text) {
      report.stop();
      if (text) isMidLine = !text.endsWith("\n");
    },
    stop() {
      clearInterval(timer);
      if (isShown) print(ERASED);
      isShown = false;
    },
  };
  return report;
}

/** Without line breaks, and without what else moves the cursor. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, " ").trim();
}
