#!/usr/bin/env node
/**
 * The command `atlas-fetch`: hands this machine to `main`.
 *
 * @module
 */
import http from "node:http";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { memberOf } from "./atlas_error.ts";
import { main } from "./cli/main.ts";
import { failure, type Stream } from "./cli/system.ts";

declare const Deno: { permissions: { querySync(permission: { name: string; kind?: string }): { state: string } } };

const ending = new AbortController();
for (const [name, exitCode] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(name, () => ending.abort(failure(exitCode, `Ended by ${name}`)));
}

/** Deno would ask at the terminal for what it was not allowed, if it were used. */
function isAllowed(permission: { name: string; kind?: string }): boolean {
  return !process.versions.deno || Deno.permissions.querySync(permission).state === "granted";
}

function streamOf(stream: NodeJS.WriteStream): Stream {
  stream.on("error", () => {}); // the write that fails tells it
  return {
    isTTY: Boolean(stream.isTTY),
    get columns() {
      return stream.columns || 80; // a terminal may not know
    },
    write: (data) => new Promise((resolve, reject) => stream.write(data, (error) => error ? reject(error) : resolve())),
  };
}

const useProxy = memberOf(http, "setGlobalProxyFromEnv");
const exitCode = await main({
  args: process.argv.slice(2),
  env: process.env,
  platform: process.platform,
  versions: process.versions,
  uid: isAllowed({ name: "sys", kind: "uid" }) ? process.getuid?.() : undefined,
  mayKeep: isAllowed({ name: "write" }),
  useProxy: typeof useProxy === "function" ? () => useProxy() : undefined,
  fetch: (input, init) => fetch(input, init),
  get stdin() {
    return process.stdin; // to ask for it opens it
  },
  stdout: streamOf(process.stdout),
  stderr: streamOf(process.stderr),
  signal: ending.signal,
  sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
});
process.exit(exitCode);
