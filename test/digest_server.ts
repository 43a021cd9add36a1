// A Digest server for tests, from the server's side: its own parsing, its own hashing, nothing of lib/.
import { createHash, randomBytes } from "node:crypto";
import { serving } from "./serving.ts";

export interface Seen {
  method: string;
  /** Path and query, as a server sees them. */
  uri: string;
  headers: Headers;
  body: string;
  /** The parameters of the Authorization header, if there is one. */
  credentials?: Record<string, string>;
}

export interface Rules {
  username?: string;
  password?: string;
  realm?: string;
  /** As sent in the challenge; undefined sends none. */
  algorithm?: string | undefined;
  /** As sent in the challenge, `auth` unless told otherwise; null sends none: RFC 2069. */
  qop?: string | null;
  opaque?: string;
  userhash?: boolean;
  /** Refuses a valid request and says whether the nonce was the fault. */
  refuses?(nonce: Nonce, count: number): "stale" | "bare" | undefined;
  /** Headers of a 401 in place of the challenge. */
  challenge?(nonce: string, stale: boolean): Record<string, string>;
  /** Sends this as nextnonce. */
  nextNonce?(nonce: Nonce): string | undefined;
  /** Answers an accepted request. */
  answer?(seen: Seen): Response | Promise<Response>;
  /** Comes first: answers without authentication. */
  open?(seen: Seen): Response | Promise<Response> | undefined;
}

export interface Nonce {
  value: string;
  uses: number;
  highest: number;
}

export interface DigestServer {
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  seen: Seen[];
  nonces: Map<string, Nonce>;
  newNonce(): string;
}

const HASHES: Record<string, string> = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };

export function createDigestServer(rules: Rules = {}): DigestServer {
  const { username = "ada", password = "lovelace", realm = "engine", qop = "auth", opaque, userhash } = rules;
  const seen: Seen[] = [];
  const nonces = new Map<string, Nonce>();
  return { fetch, seen, nonces, newNonce };

  function newNonce(): string {
    const value = randomBytes(12).toString("base64");
    nonces.set(value, { value, uses: 0, highest: 0 });
    return value;
  }

  async function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const authorization = request.headers.get("authorization");
    const one: Seen = {
      method: request.method,
      uri: url.pathname + url.search,
      headers: new Headers(request.headers),
      body: await request.text(),
      ...(authorization !== null && { credentials: parseAuthorization(authorization) }),
    };
    seen.push(one);
    const open = await rules.open?.(one);
    if (open) return open;
    const refused = verify(one);
    if (refused) return challenge(refused === "stale");
    const response = await (rules.answer?.(one) ?? new Response("welcome"));
    const nonce = nonces.get(one.credentials?.nonce ?? "");
    const next = nonce && rules.nextNonce?.(nonce);
    if (next) response.headers.set("authentication-info", `nextnonce="${next}", qop=auth`);
    return response;
  }

  function challenge(stale: boolean): Response {
    const nonce = newNonce();
    let value = `Digest realm="${realm}", nonce="${nonce}"`;
    if (qop !== null) value += `, qop="${qop}"`;
    if (rules.algorithm !== undefined) value += `, algorithm=${rules.algorithm}`;
    if (opaque !== undefined) value += `, opaque="${opaque}"`;
    if (userhash) value += `, userhash=true`;
    if (stale) value += `, stale=true`;
    return new Response("who are you?", {
      status: 401,
      headers: rules.challenge?.(nonce, stale) ?? { "www-authenticate": value },
    });
  }

  function verify({ method, uri, credentials, body }: Seen): "stale" | "bare" | undefined {
    if (!credentials) return "bare";
    const nonce = nonces.get(credentials.nonce ?? "");
    if (!nonce) return "stale";
    const sess = /-sess$/i.test(credentials.algorithm ?? "");
    const hash = HASHES[(credentials.algorithm ?? "MD5").toUpperCase().replace(/-SESS$/, "")] ?? "";
    const h = (text: string) => createHash(hash).update(text, "utf8").digest("hex");
    let ha1 = h(`${username}:${realm}:${password}`);
    if (sess) ha1 = h(`${ha1}:${credentials.nonce}:${credentials.cnonce}`);
    const ha2 = h(`${method}:${uri}${credentials.qop === "auth-int" ? `:${h(body)}` : ""}`);
    const { nc, cnonce } = credentials;
    const middle = credentials.qop === undefined ? "" : `${nc}:${cnonce}:${credentials.qop}:`;
    const expected = h(`${ha1}:${nonce.value}:${middle}${ha2}`);
    const name = userhash ? h(`${username}:${realm}`) : Buffer.from(username, "utf8").toString("latin1");
    if (credentials.username !== name || credentials.uri !== uri || credentials.realm !== realm) return "bare";
    if (credentials.response !== expected || credentials.opaque !== opaque) return "bare";
    if (credentials.algorithm !== rules.algorithm || (qop === null) !== (credentials.qop === undefined)) {
      return "bare";
    }
    const count = parseInt(nc ?? "0", 16);
    const refused = rules.refuses?.(nonce, count);
    nonce.uses++;
    nonce.highest = Math.max(nonce.highest, count);
    return refused;
  }
}

/** Puts a Digest server behind node:http for as long as the work takes. */
export async function servingDigest(
  rules: Rules,
  work: (server: DigestServer & { url: string; connections: () => number }) => Promise<void>,
): Promise<void> {
  const server = createDigestServer(rules);
  await serving(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "GET" } = request;
    const answer = await server.fetch(`http://${request.headers.host}${request.url}`, {
      method,
      headers: Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]),
      ...(method !== "GET" && method !== "HEAD" && { body: Buffer.concat(chunks) }),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(new Uint8Array(await answer.arrayBuffer()));
  }, (url, connections) => work({ ...server, url, connections }));
}

export function parseAuthorization(value: string): Record<string, string> {
  const params: Record<string, string> = {};
  const pairs = value.replace(/^Digest /, "").matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))/g);
  for (const [, name = "", quoted, token] of pairs) params[name] = quoted?.replace(/\\(.)/g, "$1") ?? token ?? "";
  return params;
}
