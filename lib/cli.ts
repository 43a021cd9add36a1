#!/usr/bin/env node
/**
 * The command `atlas-fetch [path]`: prints what Atlas answers to a GET of the path, `/` without one.
 *
 * Without credentials in the environment it asks the embedded fake Atlas, and says so on stderr. The body goes to
 * stdout, everything else to stderr; the exit code is 1 if the call failed.
 *
 * @module
 */
import { createAtlasFetch, CREDENTIAL_VARIABLES } from "./atlas_fetch.ts";
import { ensureOk } from "./atlas_error.ts";

async function main(path = "/"): Promise<void> {
  const response = await ensureOk((await connect())(path));
  const isJson = /[/+]json\b/.test(response.headers.get("content-type") ?? "");
  if (isJson) console.log(JSON.stringify(await response.json(), null, 2));
  else process.stdout.write(new Uint8Array(await response.arrayBuffer()));
}

/** Atlas itself if any variable is set, so that half a pair is an error; else the fake one. */
async function connect(): Promise<ReturnType<typeof createAtlasFetch>> {
  if (CREDENTIAL_VARIABLES.flat().some((name) => process.env[name])) return createAtlasFetch();
  const { createFakeAtlas } = await import("./testing.ts");
  const fetch = createFakeAtlas();
  console.error(
    "No credentials found: this is the embedded fake Atlas. For the real one set " +
      CREDENTIAL_VARIABLES.map((pair) => pair.join(" and ")).join(", or "),
  );
  return createAtlasFetch({ credentials: fetch.credentials, fetch });
}

try {
  await main(...process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? messageOf(error) : error);
  process.exitCode = 1;
}

/** One line; what failed on the way to the network is in the cause. */
function messageOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
