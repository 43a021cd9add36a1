import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { inOneLine } from "../atlas_error.ts";
import { unlessAborted } from "../digest/call.ts";
import { memberOf, textOf } from "../json.ts";
import type { Run } from "./client.ts";
import { indented, isJson, visible } from "./json_text.ts";
import { failure, type System } from "./system.ts";

/** Where an answer goes. */
export type Output = Pick<Screen, "isTerminal" | "write">;

/** Standard output, and standard error for all that is no answer. */
export interface Screen {
  isTerminal: boolean;
  write(data: string | Uint8Array): Promise<void>;
  tell(text: string): Promise<void>; // in a line on standard error
  progress: () => string; // what a terminal shows of work that takes long, about once a second
  waiting: (() => string) | undefined; // what it shows instead while a call waits to be sent again
  reached: string; // how far the work has come, to be told if it fails
  stop(): void;
}

const ERASED = "\r\x1b[K"; // the line of the cursor

export function createScreen({ stdout, stderr, env }: System): Screen {
  const rewrites = stderr.isTTY && !env.NO_COLOR && env.TERM !== "dumb";
  const timer = stderr.isTTY ? setInterval(show, rewrites ? 1000 : 10_000) : undefined;
  let lineStart = ""; // what is to be printed before the next line
  const print = (text: string) => stderr.write(text).catch(() => {}); // whom to tell?

  function show(): void {
    const text = inOneLine((screen.waiting ?? screen.progress)()).slice(0, stderr.columns - 1);
    if (!text) return;
    print(rewrites ? ERASED + text : `${text}\n`);
    if (rewrites) lineStart = ERASED;
  }

  const screen: Screen = {
    isTerminal: stdout.isTTY,
    progress: () => "",
    waiting: undefined,
    reached: "",
    async write(data) {
      if (stdout.isTTY && stderr.isTTY && data.length > 0) {
        screen.stop();
        lineStart = String(data).endsWith("\n") ? "" : "\n";
      }
      await stdout.write(data).catch((error: unknown) => {
        const isEnough = memberOf(error, "code") === "EPIPE"; // for a reader such as head
        throw failure(isEnough ? 0 : 1, `Cannot write to standard output: ${textOf(error, "message")}`);
      });
    },
    tell(text) {
      const start = lineStart;
      lineStart = "";
      return print(`${start}${inOneLine(text)}\n`);
    },
    stop() {
      clearInterval(timer);
      if (lineStart === ERASED) print(ERASED);
    },
  };
  return screen;
}

/** Has a file written, whole or not at all: beside, and renamed. A pipe or a device is written to directly. */
export async function save(path: string, run: Run, work: (output: Output) => Promise<void>): Promise<void> {
  const fail = (error: unknown) => {
    throw failure(1, `Cannot write ${path}: ${textOf(error, "message")}`);
  };
  const old = await stat(path).catch((error) => memberOf(error, "code") === "ENOENT" ? undefined : fail(error));
  if (old) await access(path, constants.W_OK).catch(fail);
  const isDirect = old && !old.isFile();
  const target = isDirect ? path : await followLinks(path);
  const beside = join(dirname(target), `.atlas-fetch-${randomUUID()}`);
  const file = await (isDirect ? unlessAborted(open(path, "w"), run.signal) : open(beside, "wx")).catch(fail);
  try {
    await work({ isTerminal: false, write: (data) => file.appendFile(data).catch(fail) });
    if (isDirect) return;
    if (old) await file.chmod(old.mode);
    const { size } = await file.stat();
    await file.close();
    await rename(beside, target).catch(fail);
    if (size === 0) await run.screen.tell(`${path} has 0 bytes: so had the answer`);
  } finally {
    await file.close().catch(() => {}); // it may be closed
    await rm(beside, { force: true });
  }
}

/** What a path leads to, which need not be there yet. */
async function followLinks(path: string): Promise<string> {
  const link = await readlink(path).catch(() => undefined); // it is none
  return link === undefined ? path : await followLinks(resolve(await realpath(dirname(path)), link));
}

/** The bytes as sent or, to a terminal, JSON indented and nothing that moves the cursor. */
export async function writeText(text: string, output: Output): Promise<void> {
  const shown = visible(isJson(text) ? indented(text) : text);
  await output.write(output.isTerminal && shown ? shown.replace(/\n?$/, "\n") : text);
}

/** The same for a body, as it comes. */
export async function copyBody(response: Response, output: Output, screen: Screen): Promise<void> {
  if (output.isTerminal) return await writeText(await response.text(), output);
  const started = Date.now();
  let bytes = 0;
  const megabytes = (count: number) => `${(count / 1e6).toFixed(1)} MB`;
  screen.progress = () => `${megabytes(bytes)}, ${megabytes(bytes * 1000 / (Date.now() - started))}/s`;
  for await (const chunk of response.body ?? []) {
    await output.write(chunk);
    bytes += chunk.length;
  }
}
