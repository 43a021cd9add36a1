import { AtlasError } from "../atlas_error.ts";
import { memberOf, textOf } from "../json.ts";
import { isGetOrHead } from "../digest/call.ts";
import { connectionFailure } from "../digest/connection.ts";
import { hasProxy } from "./atlas.ts";
import type { Run } from "./client.ts";
import { failure, type System } from "./system.ts";

/** The library speaks to programmers. */
const WORDS: [theirs: RegExp, ours: string][] = [
  [/, or give the option credentials/, ". To try it without, add --fake"],
  [/, or give the option baseUrl/, ""],
  [/use plain fetch, or set baseUrl/i, "Ask for a path, or set MONGODB_ATLAS_BASE_URL"],
  [/\b(the option )?baseUrl\b/, "MONGODB_ATLAS_BASE_URL"],
  [/\bset the option version to one such as/i, "Give --api-version, such as"],
  [/, and share tokens by a tokenStore/, ""],
];

/** The failure that an error of the library or of the runtime is to the command. */
export function asFailure(error: unknown, { options, system, requests, host }: Run): unknown {
  if (memberOf(error, "exitCode") !== undefined) return error;
  const message = WORDS.reduce((text, [theirs, ours]) => text.replace(theirs, ours), messageOf(error));
  if (error instanceof AtlasError) return failure(error.status < 400 ? 1 : error.status < 500 ? 4 : 5, message);
  if (requests === 0) return failure(2, message);
  return failure(
    1,
    [eventOf(error, options.method, host) + message, certificateHint(message), proxyHint(system)].filter(Boolean).join(
      ". ",
    ),
  );
}

function eventOf(error: unknown, method: string, host: string): string {
  const failed = connectionFailure(error);
  if (failed === "never made") return `Cannot reach ${host}: `;
  // Of others the library says that they may have been executed.
  return failed === "lost" && isGetOrHead(method) ? `Lost the connection to ${host}: ` : "";
}

/** With its causes, the last of which may have a code only. */
export function messageOf(error: unknown): string {
  const said: string[] = [];
  for (let at = error; at; at = memberOf(at, "cause")) {
    const message = textOf(at, "message") || textOf(at, "code");
    const isNoise = memberOf(at, "cause") && /^(fetch failed|terminated)$/.test(message);
    if (!isNoise && !said.join().includes(message)) said.push(message);
  }
  return said.join(": ");
}

function certificateHint(message: string): string | undefined {
  if (!/certificate/i.test(message)) return undefined;
  return "If it is your company's, name its file in NODE_EXTRA_CA_CERTS (Deno: DENO_CERT)";
}

/** Deno and Bun use a proxy by themselves. */
function proxyHint({ env, versions, useProxy }: System): string | undefined {
  if (!hasProxy(env) || useProxy || versions.deno || versions.bun) return undefined;
  const [major = 0, minor = 0] = String(versions.node).split(".").map(Number);
  const knowsProxies = major >= 24 || (major === 22 && minor >= 21);
  if (!knowsProxies) return "This Node knows no HTTPS_PROXY: Node 22.21 and 24 do, with NODE_USE_ENV_PROXY=1";
  return env.NODE_USE_ENV_PROXY === "1" ? undefined : "For Node to use HTTPS_PROXY, set NODE_USE_ENV_PROXY=1";
}
