import type { Fetch } from "../digest/call.ts";

/** Standard output or error. A write settles when the reader has taken it, so that a slow one slows us. */
export interface Stream {
  write(data: string | Uint8Array): Promise<void>;
  isTTY: boolean;
  columns: number;
}

/** What differs between machines and runs: an argument, so that tests can be on any of them. */
export interface System {
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** As in `process`. */
  platform: string;
  versions: Readonly<Record<string, string | undefined>>;
  /** The user's, on POSIX. */
  uid: number | undefined;
  /** Whether a token may be kept on disk. */
  mayKeep: boolean;
  /** Where Node has it, the function that makes fetch use the proxy of the environment. */
  useProxy: unknown;
  fetch: Fetch;
  stdin: AsyncIterable<Uint8Array>;
  stdout: Stream;
  stderr: Stream;
  /** Aborted by Ctrl-C and the like, with the failure that the command ends in. */
  signal: AbortSignal;
  /** As of `node:timers/promises`. */
  sleep(ms: number, value: undefined, options: { signal: AbortSignal }): Promise<unknown>;
}

/** An error that ends the command with an exit code. With 2 nothing was sent, and who typed it can mend it. */
export function failure(exitCode: number, message: string): Error {
  return Object.assign(new Error(message), { exitCode });
}
