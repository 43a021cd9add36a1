/** Reads `Authorization: Digest` as RFC 7616 section 3.4 writes it, and nothing beyond; shares nothing with lib/. */
import { createHash } from "node:crypto";

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const QUOTED_STRING = /"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"/y;
/** RFC 7616 section 3.4: which parameters are quoted, and which must not be. */
const QUOTED = ["username", "realm", "nonce", "uri", "response", "cnonce", "opaque"];
const UNQUOTED = ["algorithm", "qop", "nc", "userhash"];
const HASHES: Record<string, string> = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };

export type DigestParams = Readonly<Record<string, string>>;

/** What the signature has to fit. The texts are byte strings, as the header holds them. */
export interface SignedRequest {
  username: string;
  password: string;
  method: string;
  body?: string;
}

/** @throws {Error} that says what is not as the RFC has it */
export function readAuthorization(value: string): DigestParams {
  const params: Record<string, string> = {};
  let at = 0;
  const take = (rule: RegExp, what: string): string => {
    rule.lastIndex = at;
    const [text] = rule.exec(value) ?? [];
    if (text === undefined) throw new Error(`No ${what} at ${at} of ${value}`);
    at += text.length;
    return text;
  };
  take(/Digest /y, "scheme");
  while (true) {
    const name = take(TOKEN, "name");
    take(/=/y, "=");
    if (Object.hasOwn(params, name)) throw new Error(`${name} is there twice in ${value}`);
    if (QUOTED.includes(name)) {
      params[name] = take(QUOTED_STRING, "quoted string").slice(1, -1).replace(/\\(.)/g, "$1");
    } else if (UNQUOTED.includes(name)) {
      params[name] = take(TOKEN, "token");
    } else throw new Error(`${name} is no parameter of RFC 7616: ${value}`);
    if (at === value.length) break;
    take(/, /y, "comma");
  }
  for (const name of ["username", "realm", "nonce", "uri", "response"]) {
    if (params[name] === undefined) throw new Error(`${name} is missing in ${value}`);
  }
  if (params.nc !== undefined && !/^[0-9a-f]{8}$/.test(params.nc)) throw new Error(`nc is malformed in ${value}`);
  if ((params.qop === undefined) !== (params.nc === undefined)) throw new Error(`nc goes with qop: ${value}`);
  if (params.qop !== undefined && params.cnonce === undefined) throw new Error(`cnonce is missing in ${value}`);
  return params;
}

/** The `response` that the parameters should have, by RFC 7616 section 3.4.1 and, without qop, RFC 2069. */
export function expectedResponse(params: DigestParams, { username, password, method, body = "" }: SignedRequest) {
  const { realm, nonce, uri, qop, nc, cnonce, algorithm = "MD5" } = params;
  const [, name = "", session] = /^(.*?)(-sess)?$/i.exec(algorithm) ?? [];
  const hash = HASHES[name.toUpperCase().replace("SHA256", "SHA-256")];
  if (hash === undefined) throw new Error(`Unknown algorithm: ${algorithm}`);
  const h = (text: string) => createHash(hash).update(text, "latin1").digest("hex");
  const secret = h(`${username}:${realm}:${password}`);
  const a1 = session === undefined ? secret : h(`${secret}:${nonce}:${cnonce}`);
  const a2 = h(`${method}:${uri}${qop === "auth-int" ? `:${h(body)}` : ""}`);
  return h([a1, nonce, ...(qop === undefined ? [] : [nc, cnonce, qop]), a2].join(":"));
}
