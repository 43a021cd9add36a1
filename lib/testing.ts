/**
 * A small Atlas to test scripts with: in memory ({@linkcode createFakeAtlas}) or over HTTP
 * ({@linkcode serveFakeAtlas}), so that no test needs a key, a network or a cluster that costs money.
 *
 * It asks for the credentials, the version header, the content types and the page sizes that Atlas asks for, answers
 * with Atlas's errors, and holds projects, clusters, access lists and a log that POST, PATCH and DELETE change:
 * - `/api/atlas/v2`, `/api/atlas/v1.0` and `/api/public/v1.0`, each with `/groups`, `/groups/{id}`,
 *   `/groups/{id}/clusters`, `/groups/{id}/clusters/{name}`, `/groups/{id}/clusters/{host}/logs/mongodb.gz`,
 *   `/groups/{id}/accessList`, `/groups/{id}/accessList/{entry}` and `/unauth/controlPlaneIPAddresses`;
 * - `/api/oauth/token` and `/api/oauth/revoke`.
 *
 * It starts with a few projects (`project-1`, ...), the first of which has the cluster `Cluster0` and an entry in its
 * access list. Roles are not checked, and a field that Atlas alone would know is left out.
 *
 * @module
 */
import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { arrayBuffer } from "node:stream/consumers";
import type { ApiKey, ServiceAccount } from "./atlas_fetch.ts";
import type { Fetch } from "./digest/call.ts";
import { createDigestGuard, createTokenDesk } from "./testing/authentication.ts";
import { atlasError, createWorld } from "./testing/world.ts";

/** How a fake Atlas differs from the default one. Times are in milliseconds, by `Date.now()`. */
export interface FakeAtlasOptions {
  /** The one API key that is let in. @default {a random one} */
  credentials?: ApiKey | undefined;
  /** The one service account that is given tokens. @default {none: every mint is refused} */
  serviceAccount?: ServiceAccount | undefined;
  /** How long a Digest nonce is good for, in ms; 0 makes each one stale at once. @default {60_000} */
  nonceLifetime?: number | undefined;
  /** How often a Digest nonce can be used. @default {1024} */
  nonceUses?: number | undefined;
  /** How long an access token is good for, in ms. @default {3_600_000} */
  tokenLifetime?: number | undefined;
  /** How many access tokens are given out in any 60 s; the next is a 429 `RATE_LIMITED`. @default {50} */
  mintsPerMinute?: number | undefined;
  /**
   * The token bucket of all authenticated requests together; an empty one is a 429 `RATE_LIMITED_TOKEN_BUCKET`.
   * @default {so large that it is never empty}
   */
  rateLimit?: FakeRateLimit | undefined;
  /**
   * The caller's IP address, as one that is not on the access list: every authenticated request is answered 403
   * `IP_ADDRESS_NOT_ON_ACCESS_LIST`. As in Atlas a service account still gets its token. @default {none}
   */
  refusedAddress?: string | undefined;
  /** The number of projects there are at first. @default {3} */
  projects?: number | undefined;
  /** How long a cluster is CREATING, UPDATING or DELETING, in ms. @default {100} */
  clusterDelay?: number | undefined;
  /**
   * What the first authenticated requests are answered, whatever they ask and without effect; each is used once, in
   * order. `Response.error()` loses the connection. More can be pushed onto the same array later.
   * @default {[]}
   */
  answers?: Response[] | undefined;
}

/** A token bucket: each request takes a token. */
export interface FakeRateLimit {
  /** The number of tokens it holds, and starts with. */
  capacity: number;
  /** The number of tokens that flow in, evenly, in 60 s. */
  refillPerMinute: number;
}

/**
 * Gives an Atlas in memory: a `fetch` that answers as Atlas does, whatever host is asked.
 *
 * It follows no redirects and needs none. Each fake is a world of its own. `requests` holds every request that came in,
 * 401s and all, with its body to be read.
 *
 * @param options What is to differ from the default.
 * @returns A `fetch`, with the `credentials` it lets in and the `requests` it got.
 *
 * @example
 * ```ts
 * import { createAtlasFetch } from "atlas-fetch";
 * import { createFakeAtlas } from "atlas-fetch/testing";
 *
 * const fake = createFakeAtlas({ answers: [new Response("Busy", { status: 503 })] });
 * const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
 *
 * console.log((await atlasFetch("/groups")).status); // 503
 * const { totalCount } = await (await atlasFetch("/groups")).json();
 * console.log(totalCount, fake.requests.length); // 3 3
 * ```
 */
export function createFakeAtlas(
  options: FakeAtlasOptions = {},
): Fetch & { readonly credentials: ApiKey; readonly requests: readonly Request[] } {
  const { credentials, requests, answer } = createAtlas(options);

  const fetch: Fetch = async (input, init) => {
    // Without the signal: the runtime would leave a listener on it.
    const request = new Request(input, { ...init, signal: null });
    const signal = init?.signal === undefined && input instanceof Request ? input.signal : init?.signal;
    signal?.throwIfAborted();
    const body = await orAbort(request.clone().arrayBuffer(), signal);
    const { pathname, search } = new URL(request.url);
    const response = answer(request, pathname + search, body);
    if (response.type === "error") throw new TypeError("Lost the connection to the fake Atlas");
    return response;
  };
  return Object.assign(fetch, { credentials, requests });
}

/**
 * Serves an Atlas over HTTP on 127.0.0.1, for programs that cannot be handed a `fetch`.
 *
 * It keeps the process running until it is closed.
 *
 * @param options What is to differ from the default, and the `port`: a free one by default.
 * @returns Its `url`, to be used as the base URL, the `credentials` it lets in, the `requests` it got, and `close`, which
 * ends it at once, along with the connections that are open.
 * @throws {Error} If the port is taken (the promise rejects).
 *
 * @example
 * ```ts
 * import { createAtlasFetch } from "atlas-fetch";
 * import { serveFakeAtlas } from "atlas-fetch/testing";
 *
 * const { url, credentials, close } = await serveFakeAtlas();
 * const atlasFetch = createAtlasFetch({ baseUrl: url, credentials });
 * console.log((await atlasFetch("/")).status); // 200
 * await close();
 * ```
 */
export async function serveFakeAtlas(
  options: FakeAtlasOptions & { port?: number | undefined } = {},
): Promise<
  { url: string; credentials: ApiKey; readonly requests: readonly Request[]; close(): Promise<void> }
> {
  const { credentials, requests, answer } = createAtlas(options);
  let url = "";

  async function receive(incoming: IncomingMessage): Promise<Response> {
    const [method, target] = [String(incoming.method), String(incoming.url)];
    const body = await arrayBuffer(incoming);
    const request = new Request(new URL(target, url), {
      method,
      headers: Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      // A GET may come with one; a Request cannot hold it.
      body: /^(GET|HEAD)$/.test(method) || body.byteLength === 0 ? null : body,
    });
    return answer(request, target, body);
  }

  async function send(outgoing: ServerResponse, response: Response): Promise<void> {
    if (response.type === "error") return void outgoing.destroy();
    const body = new Uint8Array(await response.arrayBuffer());
    outgoing.sendDate = false;
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) outgoing.setHeader(name, value);
    outgoing.end(body);
  }

  const server = createServer((incoming, outgoing) => {
    receive(incoming)
      .then((response) => send(outgoing, response))
      // Also a client that went away in the middle: nobody reads it then.
      .catch((error) => send(outgoing, atlasError(500, "UNEXPECTED_ERROR", String(error))));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    credentials,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What the two have in common: it takes a request, with its target as on the wire and its body, and answers. */
function createAtlas(options: FakeAtlasOptions) {
  const credentials = options.credentials ?? {
    publicKey: String.fromCharCode(...randomBytes(8).map((byte) => 97 + byte % 26)),
    privateKey: randomUUID(),
  };
  const rateLimit = options.rateLimit ?? { capacity: 1e6, refillPerMinute: 60e6 };
  const takeToken = createBucket(rateLimit);
  const guard = createDigestGuard({
    ...credentials,
    nonceLifetime: options.nonceLifetime ?? 60_000,
    nonceUses: options.nonceUses ?? 1024,
  });
  const desk = createTokenDesk({
    serviceAccount: options.serviceAccount,
    tokenLifetime: options.tokenLifetime ?? 3_600_000,
    mintsPerMinute: options.mintsPerMinute ?? 50,
  });
  const world = createWorld({
    projects: options.projects ?? 3,
    clusterDelay: options.clusterDelay ?? 100,
  });
  const requests: Request[] = [];
  let answered = 0;

  function route(request: Request, target: string, body: ArrayBuffer): Response {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/oauth/token") return desk.mint(request, body);
    if (pathname === "/api/oauth/revoke") return desk.revoke(request, body);
    if (pathname.startsWith("/api/atlas/v2/unauth/")) return world(request, body, undefined);

    const token = /^Bearer +(.*)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
    const refusal = token === undefined ? guard(request, target) : desk.check(token);
    if (refusal !== undefined) return refusal;
    const forced = options.answers?.[answered];
    if (forced !== undefined) {
      answered++;
      // A clone, so that one Response can be listed twice.
      return forced.clone();
    }

    const { remaining, wait } = takeToken();
    const response = wait > 0
      ? tooManyRequests(pathname, wait, rateLimit)
      : options.refusedAddress !== undefined
      ? addressRefused(options.refusedAddress)
      : world(request, body, token === undefined ? credentials.publicKey : undefined);
    response.headers.set("RateLimit-Limit", String(rateLimit.capacity));
    response.headers.set("RateLimit-Remaining", String(remaining));
    return response;
  }

  function answer(request: Request, target: string, body: ArrayBuffer): Response {
    requests.push(request);
    const response = route(request, target, body);
    if (response.type === "error") return response;
    const shown = request.method === "HEAD" ? new Response(null, response) : response;
    // A constructed Response has none.
    return Object.defineProperty(shown, "url", { value: request.url.replace(/#.*/, "") });
  }

  return { credentials, requests, answer };
}

/** Gives a function that takes a token: the seconds to wait are 0 if there was one. */
function createBucket({ capacity, refillPerMinute }: FakeRateLimit) {
  let tokens = capacity;
  let filled = Date.now();
  return (): { remaining: number; wait: number } => {
    const now = Date.now();
    tokens = Math.min(capacity, tokens + (now - filled) * refillPerMinute / 60_000);
    filled = now;
    if (tokens >= 1) return { remaining: Math.floor(--tokens), wait: 0 };
    const seconds = Math.ceil((1 - tokens) * 60 / refillPerMinute);
    // A bucket that is never refilled says an hour.
    return { remaining: 0, wait: Math.max(1, Math.min(seconds, 3600)) };
  };
}

function tooManyRequests(pathname: string, wait: number, rateLimit: FakeRateLimit): Response {
  return atlasError(
    429,
    "RATE_LIMITED_TOKEN_BUCKET",
    `Rate limit exceeded for ${pathname.slice(1)}. Please retry after ${wait} seconds. ` +
      `Request capacity: ${rateLimit.capacity}. ` +
      `Refill rate: ${rateLimit.refillPerMinute} per 60 seconds.`,
    { headers: { "Retry-After": String(wait) } },
  );
}

function addressRefused(address: string): Response {
  return atlasError(
    403,
    "IP_ADDRESS_NOT_ON_ACCESS_LIST",
    `IP address ${address} is not allowed to access this resource.`,
    { parameters: [address] },
  );
}

/** Settles as the work does, or rejects with the signal's reason if that comes first. */
function orAbort<Value>(
  work: Promise<Value>,
  signal: AbortSignal | null | undefined,
): Promise<Value> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
