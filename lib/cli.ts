#!/usr/bin/env node
/** The command `atlas-fetch`: hands this machine to `main`. */
import http from "node:http";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { main } from "./cli/main.ts";
import { failure, type Stream } from "./cli/system.ts";

const ending = new AbortController();
for (const [name, exitCode] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(name, () => ending.abort(failure(exitCode, `Ended by ${name}`)));
}

// What is used without being allowed Deno asks for at the terminal; elsewhere all is allowed.
const { permissions = { querySync: () => ({ state: "granted" }) } } = Object(Reflect.get(globalThis, "Deno"));
const isAllowed = (name: string, kind?: string) => permissions.querySync({ name, kind }).state === "granted";

function streamOf(stream: NodeJS.WriteStream): Stream {
  stream.on("error", () => {}); // the write that fails tells it
  return {
    isTTY: Boolean(stream.isTTY),
    columns: stream.columns || 80,
    write: (data) => new Promise((resolve, reject) => stream.write(data, (error) => error ? reject(error) : resolve())),
  };
}

const exitCode = await main({
  args: process.argv.slice(2),
  env: process.env,
  platform: process.platform,
  versions: process.versions,
  getuid: process.getuid,
  mayKeep: isAllowed("write") && isAllowed("sys", "uid"),
  useProxy: Reflect.get(http, "setGlobalProxyFromEnv"),
  fetch,
  stdin: () => process.stdin, // to ask for it opens it
  stdout: streamOf(process.stdout),
  stderr: streamOf(process.stderr),
  signal: ending.signal,
  sleep: setTimeout,
});
process.exit(exitCode);
