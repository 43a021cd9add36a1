/**
 * A small Atlas to test scripts against: in memory ({@linkcode createFakeAtlas}) or over HTTP
 * ({@linkcode serveFakeAtlas}), so that no test needs a key, a network or a cluster that costs money.
 *
 * It demands what Atlas demands (credentials, a version in `Accept`, JSON in a write) and answers with Atlas's errors.
 * It starts with a few projects (`project-1`, ...), the first of which has the cluster `Cluster0`, and serves
 * - `/`: GET;
 * - `/groups`: GET and POST;
 * - `/groups/{groupId}`: GET;
 * - `/groups/{groupId}/clusters`: GET and POST;
 * - `/groups/{groupId}/clusters/{clusterName}`: GET, PATCH and DELETE;
 * - `/groups/{groupId}/clusters/{hostName}/logs/mongodb.gz`: GET;
 *
 * below `/api/atlas/v2` and, without versions, below `/api/atlas/v1.0` and `/api/public/v1.0`. `/api/oauth/token` mints
 * access tokens, `/api/oauth/revoke` revokes them. All other operations are yours to answer, with
 * {@linkcode FakeAtlasOptions.respond}. Roles are not checked.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { arrayBuffer } from "node:stream/consumers";
import type { ApiKey } from "./atlas_fetch.ts";
import type { Fetch } from "./digest/call.ts";
import { createAtlas } from "./testing/atlas.ts";
import type { FakeAtlasOptions } from "./testing/options.ts";
import { atlasError } from "./testing/refusals.ts";

export type { FakeAtlasOptions, FakeRateLimit } from "./testing/options.ts";

/** Options of {@linkcode serveFakeAtlas}. */
export interface ServeFakeAtlasOptions extends FakeAtlasOptions {
  /** The port to listen on. @default {a free one} */
  port?: number | undefined;
}

/** A fake Atlas in memory: a `fetch` that is answered without a network. */
export interface FakeAtlas extends Fetch {
  /** The API key that it accepts. */
  readonly credentials: ApiKey;
  /** All requests it has received, refused ones included. Their bodies can be read. */
  readonly requests: readonly Request[];
}

/** A fake Atlas that listens on 127.0.0.1. */
export interface ServedFakeAtlas {
  /** Its origin, to be used as `baseUrl`. */
  url: string;
  /** The API key that it accepts. */
  credentials: ApiKey;
  /** All requests it has received, refused ones included. Their bodies can be read. */
  readonly requests: readonly Request[];
  /** Stops the server at once, and closes all its connections. */
  close(): Promise<void>;
}

/**
 * Creates a fake Atlas in memory, to be passed as the option `fetch`.
 *
 * It answers requests to any host, and shares nothing with other fakes.
 *
 * @param options What differs from the defaults.
 *
 * @example
 * ```ts
 * import { createAtlasFetch } from "atlas-fetch";
 * import { createFakeAtlas } from "atlas-fetch/testing";
 *
 * const fake = createFakeAtlas({
 *   answers: [new Response("Busy", { status: 503 })],
 *   respond: ({ url }) => url.endsWith("/orgs") ? Response.json({ totalCount: 1 }) : undefined,
 * });
 * const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
 *
 * console.log((await atlasFetch("/groups")).status); // 503
 * console.log((await atlasFetch("/groups")).status); // 200
 * console.log(await (await atlasFetch("/orgs")).json()); // { totalCount: 1 }
 * console.log(fake.requests.length); // 4: the first one was not signed
 * ```
 */
export function createFakeAtlas(options: FakeAtlasOptions = {}): FakeAtlas {
  const { credentials, requests, answer } = createAtlas(options);

  const fetch: Fetch = async (input, init) => {
    // Without the signal: the runtime would leave a listener on it.
    const request = new Request(input, { ...init, signal: null });
    const signal = init?.signal === undefined && input instanceof Request ? input.signal : init?.signal;
    signal?.throwIfAborted();
    const { pathname, search } = new URL(request.url);
    const response = await orAbort(answer(request, pathname + search), signal);
    if (response.type === "error") throw lostConnection();
    return response;
  };
  return Object.assign(fetch, { credentials, requests });
}

/**
 * Serves a fake Atlas over HTTP on 127.0.0.1, for programs that cannot be given a `fetch`.
 *
 * It keeps the process running until it is closed.
 *
 * @param options What differs from the defaults.
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
export async function serveFakeAtlas(options: ServeFakeAtlasOptions = {}): Promise<ServedFakeAtlas> {
  const { credentials, requests, answer } = createAtlas(options);
  let url = "";

  async function receive(incoming: IncomingMessage): Promise<Response> {
    const [method, target] = [String(incoming.method), String(incoming.url)];
    const body = await arrayBuffer(incoming);
    const request = new Request(new URL(target, url), {
      method,
      headers: Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
      // A GET may arrive with one, but a Request cannot hold it.
      body: method === "GET" || method === "HEAD" || body.byteLength === 0 ? null : body,
    });
    return await answer(request, target);
  }

  async function send(outgoing: ServerResponse, response: Response): Promise<void> {
    if (response.type === "error") return void outgoing.destroy();
    const body = new Uint8Array(await response.arrayBuffer());
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) outgoing.setHeader(name, value);
    outgoing.end(body);
  }

  const server = createServer((incoming, outgoing) => {
    receive(incoming)
      .then((response) => send(outgoing, response))
      // If the client went away instead, nobody reads this answer.
      .catch((error) => send(outgoing, atlasError(500, "UNEXPECTED_ERROR", `The fake Atlas failed: ${error}`)));
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

/** As Node's fetch has it. */
function lostConnection(): TypeError {
  const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
  return new TypeError("fetch failed", { cause });
}

/** Settles as the work does, or rejects with the signal's reason if that comes first. */
function orAbort<Value>(work: Promise<Value>, signal: AbortSignal | null | undefined): Promise<Value> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
