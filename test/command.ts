/** The command in this process: on a machine that a test makes up, with a server that it writes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fetch } from "../mod.ts";
import { main } from "../lib/cli/main.ts";
import type { Stream, System } from "../lib/cli/system.ts";

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** What is different from a pipe on Linux, with an API key and a home that nobody has. */
export interface Machine extends Partial<Omit<System, "stdin">> {
  stdin?: AsyncIterable<Uint8Array>;
  /** Standard output and error are a terminal of 80 columns. */
  isTerminal?: boolean;
}

/** The variables of an API key, all that the command finds in most tests. */
export const KEY = { MONGODB_ATLAS_PUBLIC_API_KEY: "abcdefgh", MONGODB_ATLAS_PRIVATE_API_KEY: "s3cr3t-private" };

/** A stream that keeps what is written. */
export function memory(isTTY = false): Stream & { text(): string; bytes(): Uint8Array } {
  const chunks: Uint8Array[] = [];
  return {
    isTTY,
    columns: 80,
    write: (data) => {
      chunks.push(typeof data === "string" ? new TextEncoder().encode(data) : data.slice());
      return Promise.resolve();
    },
    bytes: () => Buffer.concat(chunks),
    text: () => Buffer.concat(chunks).toString(),
  };
}

/** Runs `atlas-fetch` with the arguments, and gives what it prints. */
export async function command(args: readonly string[], machine: Machine = {}): Promise<Outcome> {
  const stdout = memory(machine.isTerminal);
  const stderr = memory(machine.isTerminal);
  const code = await main({
    args,
    env: KEY,
    platform: "linux",
    versions: { node: "22.21.0" },
    getuid: process.getuid,
    mayKeep: true,
    useProxy: undefined,
    fetch: () => Promise.reject(new Error("Nothing was to be sent")),
    stdout,
    stderr,
    signal: new AbortController().signal,
    sleep: () => new Promise((resolve) => setTimeout(resolve)),
    ...machine,
    stdin: () => machine.stdin ?? nothing(),
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Does work in which retries do not wait a random time. */
export async function withoutJitter<T>(work: () => Promise<T>): Promise<T> {
  const { random } = Math;
  Math.random = () => 0;
  try {
    return await work();
  } finally {
    Math.random = random;
  }
}

/** Does work with a folder that is there for as long as it takes. */
export async function inFolder(work: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A request as it arrives. */
export interface Arrived {
  method: string;
  url: URL;
  headers: Headers;
  body: string;
}

/**
 * A server of one function, as a fetch. It asks for no credentials; a text that it answers is a 200 of JSON.
 *
 * @param answer Gets the request, and how many there have been
 */
export function server(
  answer: (request: Arrived, count: number) => string | Response | Promise<string | Response>,
): Fetch & { requests: Arrived[] } {
  const requests: Arrived[] = [];
  const fetch: Fetch = async (input, init) => {
    const request = new Request(input, { ...init, signal: null });
    const { method, headers } = request;
    const arrived = { method, headers, url: new URL(request.url), body: await request.text() };
    requests.push(arrived);
    const given = await unlessAborted(Promise.resolve(answer(arrived, requests.length)), init?.signal);
    const json = { headers: { "content-type": "application/json" } };
    const response = typeof given === "string" ? new Response(given, json) : given;
    return Object.defineProperty(response, "url", { value: request.url });
  };
  return Object.assign(fetch, { requests });
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", abort));
  });
}

/** An error in Atlas's shape. */
export function refusal(
  status: number,
  errorCode: string,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error: status, errorCode, detail }, {
    status,
    headers: { "x-error-code": errorCode, ...headers },
  });
}
