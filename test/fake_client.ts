/** A client of the fake Atlas that shares nothing with ours: RFC 7616 section 3.4.1, step by step. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ApiKey } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import type { FakeAtlas } from "../lib/testing.ts";

export const ORIGIN = "https://cloud.mongodb.com";
export const V2 = `${ORIGIN}/api/atlas/v2`;
export const ACCEPT = "application/vnd.atlas.2025-03-12+json";
export const ORG = "0123456789abcdef01234567";
export const SERVICE_ACCOUNT = {
  clientId: "mdb_sa_id_0123456789abcdef01234567",
  clientSecret: "mdb_sa_sk_under_score",
};

// Digest ------------------------------------------------------------------------------------------

export interface Signed {
  username: string;
  password: string;
  realm: string;
  nonce: string;
  method: string;
  uri: string;
  algorithm: string;
  qop: string;
  nc: string;
  cnonce: string;
}

export function signed({ publicKey, privateKey }: ApiKey, changes: Partial<Signed>): Signed {
  return {
    username: publicKey,
    password: privateKey,
    realm: "MMS Public API",
    nonce: "",
    method: "GET",
    uri: "/api/atlas/v2/",
    algorithm: "MD5",
    qop: "auth",
    nc: "00000001",
    cnonce: "0a4f113b",
    ...changes,
  };
}

export function responseOf(it: Signed): string {
  const md5 = (text: string) => createHash("md5").update(text).digest("hex");
  const ha1 = md5(`${it.username}:${it.realm}:${it.password}`);
  const ha2 = md5(`${it.method}:${it.uri}`);
  return md5(`${ha1}:${it.nonce}:${it.nc}:${it.cnonce}:${it.qop}:${ha2}`);
}

export function authorization(it: Signed): string {
  return `Digest username="${it.username}", realm="${it.realm}", nonce="${it.nonce}", uri="${it.uri}", ` +
    `algorithm=${it.algorithm}, qop=${it.qop}, nc=${it.nc}, cnonce="${it.cnonce}", ` +
    `response="${responseOf(it)}"`;
}

const CHALLENGE =
  /^Digest realm="MMS Public API", domain="", nonce="([A-Za-z0-9+/]{32})", algorithm=MD5, qop="auth", stale=(true|false)$/;

/** The nonce and the stale of a 401, whose wording is checked on the way. */
export function challengeOf(response: Response): { nonce: string; stale: string } {
  assert.equal(response.status, 401);
  const match = CHALLENGE.exec(response.headers.get("WWW-Authenticate") ?? "");
  assert.ok(match, `not Atlas's challenge: ${response.headers.get("WWW-Authenticate")}`);
  return { nonce: String(match[1]), stale: String(match[2]) };
}

export async function newNonce(fake: Fetch): Promise<string> {
  return challengeOf(await fake(`${V2}/`)).nonce;
}

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | null;
  signal?: AbortSignal | null;
}

/** A signed call. */
export async function ask(fake: FakeAtlas, path: string, init: Asked = {}): Promise<Response> {
  const { method = "GET", headers, body = null, signal = null } = init;
  const url = new URL(path.startsWith("/api/") ? ORIGIN + path : V2 + path);
  const changes = { nonce: await newNonce(fake), method, uri: url.pathname + url.search };
  const Authorization = authorization(signed(fake.credentials, changes));
  return fake(url, { method, headers: { Accept: ACCEPT, Authorization, ...headers }, body, signal });
}

/** A signed call with a body of JSON. */
export function write(
  fake: FakeAtlas,
  method: string,
  path: string,
  value: unknown,
  type = "application/json",
): Promise<Response> {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  return ask(fake, path, { method, headers: { "Content-Type": type }, body });
}

// Service accounts --------------------------------------------------------------------------------

export const FORM = "application/x-www-form-urlencoded";
export const GRANT = "grant_type=client_credentials";

/** Posts a form to the token endpoint, or another path of OAuth. */
export function oauth(
  fake: Fetch,
  form: string,
  { path = "token", basic = `${SERVICE_ACCOUNT.clientId}:${SERVICE_ACCOUNT.clientSecret}`, type = FORM } = {},
): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": type };
  if (basic !== "") headers.Authorization = `Basic ${Buffer.from(basic).toString("base64")}`;
  return fake(`${ORIGIN}/api/oauth/${path}`, { method: "POST", headers, body: form });
}

/** What a successful mint is answered. */
export async function mint(fake: Fetch) {
  const response = await oauth(fake, GRANT);
  assert.equal(response.status, 200);
  return await jsonOf(response);
}

/** A call with an access token. */
export function bearer(fake: Fetch, token: string, path = "/"): Promise<Response> {
  return fake(V2 + path, { headers: { Accept: ACCEPT, Authorization: `Bearer ${token}` } });
}

// Answers -----------------------------------------------------------------------------------------

/** `Response.json()` is unknown to some type definitions and any to others; `JSON.parse()` is any to all. */
export async function jsonOf(response: Response) {
  return JSON.parse(await response.text());
}

/** Reads an error in Atlas's shape, and holds that it is one. */
export async function errorOf(response: Response): Promise<string> {
  const { error, reason, detail, errorCode } = await jsonOf(response);
  assert.equal(error, response.status);
  assert.equal(typeof reason, "string");
  assert.equal(typeof detail, "string");
  assert.equal(response.headers.get("X-Error-Code"), errorCode);
  assert.equal(response.headers.get("Content-Type"), "application/json");
  return `${response.status} ${errorCode}`;
}

export async function firstProject(fake: FakeAtlas): Promise<string> {
  return (await jsonOf(await ask(fake, "/groups"))).results[0].id;
}

/** Runs with a clock that stands still until it is put forward. */
export async function withClock(work: (forward: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = Date;
  let time = now();
  Date.now = () => time;
  try {
    await work((ms) => time += ms);
  } finally {
    Date.now = now;
  }
}
