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
  platform: string;
  versions: Readonly<Record<string, string | undefined>>;
  getuid: (() => number) | undefined; // on POSIX
  mayKeep: boolean; // a token on disk
  useProxy: (() => unknown) | undefined; // makes fetch use the proxy of the environment, where Node has it
  fetch: Fetch;
  stdin(): AsyncIterable<Uint8Array>;
  stdout: Stream;
  stderr: Stream;
  signal: AbortSignal; // aborted by Ctrl-C and the like, with the failure that the command ends in
  sleep(ms: number): Promise<unknown>;
}

/** An error that ends the command with an exit code. With 2 nothing was sent, and who typed it can mend it. */
export const failure = (exitCode: number, message: string): Error => Object.assign(new Error(message), { exitCode });
