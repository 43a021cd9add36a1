#!/usr/bin/env node
/**
 * The command `atlas-fetch [path]`: prints what Atlas answers to a GET of the path, `/` without one.
 *
 * Without credentials in the environment it starts the embedded fake Atlas, and says so on stderr. The body goes to
 * stdout, everything else to stderr; the exit code is 1 if the call failed.
 *
 * @module
 */
import { ensureOk } from "./atlas_error.ts";
import { memberOf } from "./json.ts";
import { type AtlasFetch, atlasFetch, createAtlasFetch } from "./atlas_fetch.ts";
import { CREDENTIAL_VARIABLES } from "./credentials.ts";
import { serveFakeAtlas } from "./testing.ts";

/** Asks Atlas itself if any variable is set, so that half a pair is an error; else the fake one. */
async function main(path = "/"): Promise<void> {
  if (path.startsWith("-")) throw new TypeError("Usage: atlas-fetch [path], such as atlas-fetch /groups");
  if (CREDENTIAL_VARIABLES.flat().some((name) => process.env[name])) return await print(atlasFetch, path);
  const { url, credentials, close } = await serveFakeAtlas();
  const names = CREDENTIAL_VARIABLES.map((pair) => pair.join(" and ")).join(", or ");
  console.error(`No credentials found: this is the embedded fake Atlas, at ${url}. For the real one set ${names}`);
  try {
    await print(createAtlasFetch({ baseUrl: url, credentials }), path);
  } finally {
    await close();
  }
}

async function print(fetch: AtlasFetch, path: string): Promise<void> {
  const response = await ensureOk(fetch(path));
  const body = new Uint8Array(await response.arrayBuffer());
  const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
  // Some answers have no body whatever their type says.
  if (isJson && body.length > 0) console.log(indented(new TextDecoder().decode(body)));
  else process.stdout.write(body);
}

/** JSON made readable, unless that would change it, as it does numbers beyond 2^53. */
function indented(json: string): string {
  const value: unknown = JSON.parse(json);
  return JSON.stringify(value) === json.trim() ? JSON.stringify(value, null, 2) : json;
}

/** One line; what failed on the way to the network is in the causes, the last of which may have a code only. */
function messageOf(error: unknown): string {
  const said: unknown[] = [];
  for (let at = error; at; at = memberOf(at, "cause")) {
    said.push([memberOf(at, "message"), memberOf(at, "code")].find(Boolean));
  }
  return said.filter(Boolean).join(": ").replace(/\s+/g, " ");
}

process.stdout.on("error", () => process.exit(1)); // who reads may stop, as head does

try {
  await main(process.argv[2]);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
