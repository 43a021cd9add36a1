/** How a call is sent, and how it fails. */
import { AtlasError } from "../atlas_error.ts";
import { createAtlasFetch } from "../atlas_fetch.ts";
import type { Fetch } from "../digest/call.ts";
import { connectionFailure } from "../digest/connection.ts";
import { memberOf, textOf } from "../json.ts";
import { retryAfter } from "../retry_fetch.ts";
import { atlasOptions, hasProxy } from "./atlas.ts";
import type { Options } from "./options.ts";
import type { Screen } from "./output.ts";
import { failure, type System } from "./system.ts";

/** One call on a machine, and what its parts share. */
export interface Run extends System {
  options: Options;
  screen: Screen;
  host: string; // where the last request went; empty as long as none did
}

/** Sends the call of the command line to a path. */
export type Client = (path: string) => Promise<Response>;

const PAUSE = 200; // ms; what is longer is a wait, to be told

export function createClient(run: Run, body: string | null): Client {
  const { screen, signal, options: { method, headers, format, verbose, wait, "api-version": version } } = run;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let isWarned = false;

  function tellWait(end: number): void {
    screen.waiting = () => `waiting ${Math.max(1, Math.ceil((end - Date.now()) / 1000))} s`;
    if (verbose) screen.tell(screen.waiting());
  }

  const fetch: Fetch = async (input, init) => {
    clearTimeout(pause);
    screen.waiting = undefined;
    const { host, pathname, search } = new URL(String(input));
    run.host = host;
    const started = Date.now();
    let response: Response | undefined;
    try {
      return response = await run.fetch(input, init);
    } finally {
      const outcome = `${response?.status ?? "failed after"} ${Date.now() - started} ms`;
      if (verbose) await screen.tell(`${init?.method} ${pathname}${search} ${outcome}`);
      if (isPassing(response?.status)) pause = setTimeout(tellWait, PAUSE, Date.now() + delayAskedBy(response));
    }
  };

  // Who waits asks again anyway.
  const atlasFetch = createAtlasFetch({ ...atlasOptions(run), version, retry: wait ? false : {}, fetch });

  return async (path) => {
    const call = atlasFetch(path, { method, headers, body, format, signal });
    const response = await call.finally(() => clearTimeout(pause));
    if (!response.headers.has("deprecation") || isWarned) return response;
    isWarned = true;
    await screen.tell(deprecationOf(response));
    return response;
  };
}

/** Whether it is worth asking again later; no status is a lost connection. */
export const isPassing = (status: number = 503): boolean => status === 429 || status >= 500;

/** How long `Retry-After` asks to wait, in ms. */
export function delayAskedBy(response?: Response): number {
  const delay = retryAfter(response?.headers.get("retry-after") ?? "") || 0;
  return Math.min(delay, 2 ** 31 - 1); // a longer timer ends at once
}

/** What to say of a version that is deprecated (RFC 9745, RFC 8594). */
function deprecationOf({ headers, url }: Response): string {
  const dates = dayOf(" since ", headers.get("deprecation")) + dayOf(", until ", headers.get("sunset"));
  return `Warning: this version of ${new URL(url).pathname} is deprecated${dates}. Try a later --api-version`;
}

/** The day of an HTTP-date or of `@seconds`; empty for anything else. */
function dayOf(words: string, date: string | null): string {
  const day = new Date(date?.startsWith("@") ? Number(date.slice(1)) * 1000 : String(date));
  return isNaN(Number(day)) ? "" : words + day.toISOString().slice(0, 10);
}

/** The library speaks to programmers. */
const WORDS: [theirs: RegExp, ours: string][] = [
  [/, or give the option \w+/, ". To try it without, add --fake"],
  [/give \{[^}]*\}, or set/, "set"],
  [/Use plain fetch, or set baseUrl/, "Ask for a path, or set MONGODB_ATLAS_BASE_URL"],
  [/\bbaseUrl\b/, "MONGODB_ATLAS_BASE_URL"],
  [/Remove it, or use plain fetch/, "Instead of it, set MONGODB_ATLAS_ACCESS_TOKEN"],
  [/a name or a value in them is not valid/, "write each as --header 'Name: value'"],
  [/Set the option version to one such as/, "Give --api-version, such as"],
  [/or another format/, "or another --format"],
  [/share (them|tokens) by a tokenStore/, "share one in MONGODB_ATLAS_ACCESS_TOKEN"],
];

const EVENTS = { "never made": "Cannot reach", lost: "Lost the connection to" };

/** The failure that an error of the library or of the runtime is to the command. */
export function asFailure(error: unknown, run: Run): unknown {
  if (memberOf(error, "exitCode") !== undefined) return error;
  const message = WORDS.reduce((text, [theirs, ours]) => text.replace(theirs, ours), messageOf(error));
  if (error instanceof AtlasError) return failure(error.status < 400 ? 1 : Math.trunc(error.status / 100), message);
  if (run.host === "") return failure(2, message);
  const isTold = /may have been executed/.test(message); // by the library
  const failed = isTold ? undefined : connectionFailure(error);
  const event = failed ? `${EVENTS[failed]} ${run.host}: ` : "";
  return failure(1, event + message + hintOf(message, run));
}

/** With its causes, the last of which may have a code only. */
export function messageOf(error: unknown): string {
  const message = textOf(error, "message") || textOf(error, "code");
  const cause = memberOf(error, "cause");
  const reason = cause ? messageOf(cause) : "";
  const saysNothing = /^(fetch failed|terminated)$/.test(message);
  if (reason && saysNothing) return reason;
  return message.includes(reason) ? message : `${message}: ${reason}`;
}

function hintOf(message: string, { env, versions, useProxy }: System): string {
  const isUntrusted = /certificate/i.test(message);
  if (isUntrusted) return ". If it is your company's, name its file in NODE_EXTRA_CA_CERTS (Deno: DENO_CERT)";
  const usesProxy = useProxy || versions.deno || versions.bun; // these two by themselves
  if (!hasProxy(env) || usesProxy) return "";
  const [major = 0, minor = 0] = String(versions.node).split(".").map(Number);
  const knowsProxies = major >= 24 || (major === 22 && minor >= 21);
  if (!knowsProxies) return ". This Node knows no HTTPS_PROXY: Node 22.21 and 24 do, with NODE_USE_ENV_PROXY=1";
  return env.NODE_USE_ENV_PROXY === "1" ? "" : ". For Node to use HTTPS_PROXY, set NODE_USE_ENV_PROXY=1";
}
