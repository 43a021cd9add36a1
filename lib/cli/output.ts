import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readlink, rename, rm, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { memberOf, textOf } from "../json.ts";
import { indented, isJson, visible } from "./json_text.ts";
import type { Report } from "./report.ts";
import { failure, type System } from "./system.ts";

/** Where an answer goes. */
export interface Output {
  isTerminal: boolean;
  isFile: boolean;
  write(data: string | Uint8Array): Promise<void>;
  /** Keeps what was written. */
  commit(): Promise<void>;
  /** Leaves a file as it was. */
  discard(): Promise<void>;
}

export function standardOutput({ stdout }: System, report: Report): Output {
  async function write(data: string | Uint8Array): Promise<void> {
    if (stdout.isTTY) report.giveWayTo(String(data));
    await stdout.write(data).catch((error: unknown) => {
      const isEnough = memberOf(error, "code") === "EPIPE"; // for a reader such as head
      throw failure(isEnough ? 0 : 1, `Cannot write to standard output: ${textOf(error, "message")}`);
    });
  }
  return { isTerminal: stdout.isTTY, isFile: false, write, commit: async () => {}, discard: async () => {} };
}

/** A file that is there whole or not at all: written beside, and renamed. A pipe or a device is written to directly. */
export async function fileOutput(path: string, report: Report): Promise<Output> {
  const telling = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw failure(1, `Cannot write ${path}: ${textOf(error, "message")}`);
    });
  const { target, old } = await telling(resolveLinks(path));
  const isDirect = old !== undefined && !old.isFile;
  const place = isDirect ? target : join(dirname(target), `.atlas-fetch-${randomUUID()}`);
  const file = await telling(open(place, isDirect ? "w" : "wx"));
  let bytes = 0;

  async function write(data: string | Uint8Array): Promise<void> {
    const chunk = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await file.appendFile(chunk);
    bytes += chunk.length;
  }

  async function commit(): Promise<void> {
    if (old?.isFile) await file.chmod(old.mode & 0o7777);
    await file.close();
    if (!isDirect) await rename(place, target);
    if (bytes === 0) await report.line(`${path} has 0 bytes: so had the answer`);
  }

  async function discard(): Promise<void> {
    await file.close().catch(() => {}); // it may be closed
    if (!isDirect) await rm(place, { force: true });
  }

  return {
    isTerminal: false,
    isFile: true,
    write: (data) => telling(write(data)),
    commit: () => telling(commit()),
    discard,
  };
}

/** What a path leads to, which need not be there yet. A link to a pipe, such as /dev/stdout, stays what it is. */
async function resolveLinks(path: string): Promise<{ target: string; old?: { isFile: boolean; mode: number } }> {
  const found = await stat(path).catch((error: unknown) => {
    if (memberOf(error, "code") !== "ENOENT") throw error;
  });
  if (found) await access(path, constants.W_OK);
  const link = found && !found.isFile() ? undefined : await readlink(path).catch(() => undefined); // it is none
  if (link !== undefined) return await resolveLinks(isAbsolute(link) ? link : `${dirname(path)}/${link}`);
  return { target: path, ...(found && { old: { isFile: found.isFile(), mode: found.mode } }) };
}

/** The bytes as sent or, to a terminal, JSON indented and nothing that moves the cursor. */
export async function writeText(text: string, output: Output): Promise<void> {
  const shown = visible(isJson(text) ? indented(text) : text);
  await output.write(output.isTerminal && shown ? shown.replace(/\n?$/, "\n") : text);
}

/** The same for a body, as it comes. */
export async function copyBody(response: Response, output: Output, report: Report): Promise<void> {
  if (output.isTerminal) return await writeText(await response.text(), output);
  const started = Date.now();
  let bytes = 0;
  const megabytes = (count: number) => `${(count / 1e6).toFixed(1)} MB`;
  report.progress = () => `${megabytes(bytes)}, ${megabytes(bytes * 1000 / (Date.now() - started))}/s`;
  for await (const chunk of response.body ?? []) {
    await output.write(chunk);
    bytes += chunk.length;
  }
}
