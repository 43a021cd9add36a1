import { AtlasError } from "../atlas_error.ts";
import { isGetOrHead } from "../digest/call.ts";
import { connectionFailure } from "../digest/connection.ts";
import { memberOf, textOf } from "../json.ts";
import { hasProxy } from "./atlas.ts";
import type { Run } from "./client.ts";
import { failure, type System } from "./system.ts";

/** The library speaks to programmers. */
const WORDS: [theirs: RegExp, ours: string][] = [
  [/, or give the option credentials/, ". To try it without, add --fake"],
  [/, or give the option baseUrl/, ""],
  [/give \{[^}]*\}, or set/, "set"],
  [/Use plain fetch, or set baseUrl/, "Ask for a path, or set MONGODB_ATLAS_BASE_URL"],
  [/\bbaseUrl\b/, "MONGODB_ATLAS_BASE_URL"],
  [/Set the option version to one such as/, "Give --api-version, such as"],
  [/or another format/, "or another --format"],
  [/share (them|tokens) by a tokenStore/, "share one in MONGODB_ATLAS_ACCESS_TOKEN"],
];

/** The failure that an error of the library or of the runtime is to the command. */
export function asFailure(error: unknown, { options, system, requests, host }: Run): unknown {
  if (memberOf(error, "exitCode") !== undefined) return error;
  const message = WORDS.reduce((text, [theirs, ours]) => text.replace(theirs, ours), messageOf(error));
  if (error instanceof AtlasError) return failure(error.status < 400 ? 1 : error.status < 500 ? 4 : 5, message);
  if (requests === 0) return failure(2, message);
  const told = [eventOf(error, options.method, host) + message, certificateHint(message), proxyHint(system)];
  return failure(1, told.filter(Boolean).join(". "));
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
