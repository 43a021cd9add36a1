/**
 * An API that keeps books: who was let in, by which count, and what was executed how often. Written from the server's
 * side, with its own check of Digest and of access tokens; shares nothing with lib/.
 */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { listen } from "../interop/front.ts";
import { expectedResponse, readAuthorization } from "./strict_authorization.ts";

export interface LedgerRules {
  /** Private keys by public key. */
  keys: Readonly<Record<string, string>>;
  /** Client secrets by client id. */
  accounts: Readonly<Record<string, string>>;
  /** Minted elsewhere, and never ended. */
  accessTokens: readonly string[];
  /** How long a nonce is good for after it was last handed out, in ms. */
  nonceLifetime: number;
  /** How long a minted token is good for, in ms, whatever `expires_in` says. */
  tokenLifetime: number;
  /** Every how many calls that were let in one is answered 429, and one 503, without effect. */
  busyEvery: number;
  unavailableEvery: number;
  requestsPerConnection: number;
  /** Where `/away` leads. */
  elsewhere: string;
}

export interface Ledger {
  port: number;
  /** How often the POST of each call was executed. */
  executed: Map<string, number>;
  /** What no client may do: sign wrongly, use a count twice, send half a body, send Basic anywhere but to the mint. */
  violations: string[];
  /** Requests that came a second time byte for byte: no call of ours makes one, but fetch itself does on some runtimes. */
  repeats(): number;
  mints(): number;
  /** Every token that was ever minted. */
  tokens(): string[];
  close(): void;
}

/** What the list and the downloads hold. */
export const PAGES = 3;
export const PER_PAGE = 20;
export const DOWNLOAD: string = "0123456789abcdef".repeat(1250);

export async function startLedger(rules: LedgerRules): Promise<Ledger> {
  const REALM = "Ledger";
  const executed = new Map<string, number>();
  const violations: string[] = [];
  const nonces = new Map<string, { issuedUntil: number; endsAt: number }>();
  const counts = new Map<string, string>();
  const tokens = new Map<string, number>(rules.accessTokens.map((token) => [token, Infinity]));
  let newest = "";
  let refusals = 0;
  let passed = 0;
  let mints = 0;
  let repeats = 0;

  /** All who ask within half its life get one nonce, with one of four opaques: each pair has counts of its own. */
  function challenge(isStale: boolean): string[] {
    const now = Date.now();
    if (now >= (nonces.get(newest)?.issuedUntil ?? 0)) {
      newest = randomBytes(12).toString("base64");
      const issuedUntil = now + rules.nonceLifetime / 2;
      nonces.set(newest, { issuedUntil, endsAt: issuedUntil + rules.nonceLifetime });
    }
    const rest = `realm="${REALM}", nonce="${newest}", opaque="o${refusals++ % 4}", qop="auth", stale=${isStale}`;
    return [`Basic realm="${REALM}"`, `Digest algorithm=MD5, ${rest}`, `Digest algorithm=SHA-256, ${rest}`];
  }

  /** Whether the nonce still serves. */
  function checkDigest(request: IncomingMessage, authorization: string): boolean {
    const { method = "", url = "", headers } = request;
    const params = readAuthorization(authorization);
    const { username = "", nonce = "", opaque, uri, nc, response } = params;
    const password = rules.keys[username] ?? "";
    const isRight = response === expectedResponse(params, { username, password, method }) && uri === url;
    if (!isRight || params.realm !== REALM || params.algorithm !== "SHA-256" || params.qop !== "auth") {
      throw new Error(`A wrong signature of ${method} ${url}: ${authorization}`);
    }
    const count = [username, nonce, opaque, nc].join(" ");
    const use = [method, url, headers["x-call"], response].join(" ");
    const before = counts.get(count);
    if (before === use) repeats++;
    else if (before !== undefined) violations.push(`The count ${nc} was used twice: ${before} and ${use}`);
    counts.set(count, use);
    return Date.now() < (nonces.get(nonce)?.endsAt ?? 0);
  }

  /** The fields of the 401 for who may not pass. */
  function refusalOf(request: IncomingMessage): Record<string, string | string[]> | undefined {
    const [, scheme = "", token = ""] = /^(\S+) (.*)$/.exec(request.headers.authorization ?? "") ?? [];
    switch (scheme) {
      case "Digest":
        return checkDigest(request, `Digest ${token}`) ? undefined : { "www-authenticate": challenge(true) };
      case "Bearer":
        return Date.now() < (tokens.get(token) ?? 0)
          ? undefined
          : { "www-authenticate": 'Bearer error="invalid_token"' };
      case "":
        return { "www-authenticate": challenge(false) };
      default:
        throw new Error(`${scheme} was sent to ${request.url}`);
    }
  }

  function mint({ method, headers }: IncomingMessage, body: string, response: ServerResponse): void {
    const [, encoded = ""] = /^Basic (\S+)$/.exec(headers.authorization ?? "") ?? [];
    const [id = "", secret] = Buffer.from(encoded, "base64").toString("utf8").split(":");
    if (method !== "POST" || body !== "grant_type=client_credentials" || rules.accounts[id] !== secret) {
      throw new Error(`A mint that is none: ${method} ${body}`);
    }
    mints++;
    const token = `${randomBytes(24).toString("base64url")}`;
    tokens.set(token, Date.now() + rules.tokenLifetime);
    json(response, 200, { access_token: token, expires_in: 3600, token_type: "Bearer" });
  }

  function execute({ headers }: IncomingMessage, body: string, response: ServerResponse): void {
    const call = String(headers["x-call"]);
    const hash = createHash("sha256").update(body, "latin1").digest("hex");
    if (headers["x-body-hash"] !== hash) {
      throw new Error(`The body of ${call} is not what it should be: ${body.length}`);
    }
    executed.set(call, (executed.get(call) ?? 0) + 1);
    json(response, 201, { call });
  }

  function list(url: URL, response: ServerResponse): void {
    const page = Number(url.searchParams.get("pageNum") ?? 1);
    const results = Array.from({ length: PER_PAGE }, (_, index) => ({ number: (page - 1) * PER_PAGE + index }));
    const next = new URL(url);
    next.searchParams.set("pageNum", String(page + 1));
    json(response, 200, { results, links: page < PAGES ? [{ rel: "next", href: next.href }] : [] });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request.setEncoding("latin1"));
    const url = new URL(request.url ?? "", `http://${request.headers.host}`);
    if (url.pathname === "/api/oauth/token") return mint(request, body, response);
    const refusal = refusalOf(request);
    if (refusal) return void response.writeHead(401, refusal).end("Who are you?");
    passed++;
    if (passed % rules.busyEvery === 0) {
      return void response.writeHead(429, { "retry-after": "0" }).end("Too many requests");
    }
    if (passed % rules.unavailableEvery === 0) return void response.writeHead(503).end("Come back later");
    const [, route, name] = /^\/api\/atlas\/v2\/(\w+)(?:\/(.*))?$/.exec(url.pathname) ?? [];
    if (request.method === "POST") {
      if (route === "things") return execute(request, body, response);
      if (route === "moved") return void response.writeHead(307, { location: "/api/atlas/v2/things" }).end();
    }
    if (route === "echo") return json(response, 200, { call: name });
    if (route === "list") return list(url, response);
    if (route === "away") return void response.writeHead(302, { location: `${rules.elsewhere}/${name}` }).end();
    if (route === "downloads") {
      // In chunks, since there is no Content-Length.
      response.writeHead(200, { "content-type": "application/vnd.atlas.2025-03-12+gzip" });
      for (let at = 0; at < DOWNLOAD.length; at += 5000) response.write(DOWNLOAD.slice(at, at + 5000));
      return void response.end();
    }
    throw new Error(`There is no ${request.method} ${request.url}`);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      if (request.complete) violations.push(error.message); // else the client went away in the middle
      response.writeHead(400).end(error.message);
    });
  });
  server.maxRequestsPerSocket = rules.requestsPerConnection;
  return {
    port: await listen(server),
    executed,
    violations,
    repeats: () => repeats,
    mints: () => mints,
    tokens: () => [...tokens.keys()],
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
