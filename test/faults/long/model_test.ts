// Any calls to a server that answers in any order: what holds for the requests that it gets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAtlasFetch, createDigestFetch, type Fetch } from "../../../mod.ts";
import * as fc from "../../interop/fast_check.ts";
import { expectedResponse, readAuthorization } from "../strict_authorization.ts";

const ORIGIN = "https://cloud.mongodb.com";
const ELSEWHERE = "https://evil.example";
const PERSON = { username: "modelkey", password: "S3CRET" };

/** What the server does with one request. */
const BEHAVIOURS = [
  "welcomes",
  "welcomes, with another nonce for the next request",
  "welcomes, with a nonce for the next request that was there before",
  "asks with a new nonce",
  "asks with a new nonce, as stale",
  "asks with the same nonce and opaque",
  "asks with the same nonce and opaque, as stale",
  "asks with the same nonce and another opaque",
  "asks with an old nonce, as stale",
  "refuses without a challenge",
  "asks for Basic",
  "is busy",
  "is down",
  "loses the connection once it has done it",
  "is not there",
  "redirects to another path, method and body kept",
  "redirects to another path, to be read",
  "redirects to itself",
  "redirects to another host",
] as const;
type Behaviour = typeof BEHAVIOURS[number];

/** A call: its kind, and whether the next one is made at the same time. */
const CALL = fc.record({
  kind: fc.constantFrom("GET", "HEAD", "POST", "PUT", "large POST", "stream"),
  path: fc.constantFrom("/a", "/b"),
  isAtOnce: fc.boolean(),
});

interface Got {
  call: string;
  method: string;
  url: string;
  authorization: string | null;
  /** The length of the body. */
  length: number;
  behaviour: Behaviour;
}

function createServer(behaviours: readonly Behaviour[]): { fetch: Fetch; got: Got[] } {
  const rest = [...behaviours];
  const got: Got[] = [];
  const pairs = [{ nonce: "n0", opaque: "o0" }];
  let made = 0;

  function challenge({ nonce, opaque }: { nonce: string; opaque: string }, isStale: boolean): Response {
    pairs.push({ nonce, opaque });
    const value = `Digest realm="r", nonce="${nonce}", opaque="${opaque}", qop="auth", stale=${isStale}`;
    return new Response("who?", { status: 401, headers: { "www-authenticate": value } });
  }

  function answer(behaviour: Behaviour): Response {
    const last = pairs.at(-1) ?? { nonce: "", opaque: "" };
    const [first = last] = pairs;
    const anew = { nonce: `n${++made}`, opaque: `o${made}` };
    const redirect = (status: number, location: string) => new Response("there", { status, headers: { location } });
    const next = (nonce: string) =>
      new Response("done", { headers: { "authentication-info": `nextnonce="${nonce}"` } });
    switch (behaviour) {
      case "welcomes":
        return new Response("done");
      case "welcomes, with another nonce for the next request":
        return next(anew.nonce);
      case "welcomes, with a nonce for the next request that was there before":
        return next(first.nonce);
      case "asks with a new nonce":
        return challenge(anew, false);
      case "asks with a new nonce, as stale":
        return challenge(anew, true);
      case "asks with the same nonce and opaque":
        return challenge(last, false);
      case "asks with the same nonce and opaque, as stale":
        return challenge(last, true);
      case "asks with the same nonce and another opaque":
        return challenge({ ...last, opaque: anew.opaque }, false);
      case "asks with an old nonce, as stale":
        return challenge(first, true);
      case "refuses without a challenge":
        return new Response("no", { status: 401 });
      case "asks for Basic":
        return new Response("who?", { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } });
      case "is busy":
        return new Response("later", { status: 429, headers: { "retry-after": "0" } });
      case "is down":
        return new Response("down", { status: 503 });
      case "loses the connection once it has done it":
        throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET", message: "reset" } });
      case "is not there":
        throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED", message: "refused" } });
      case "redirects to another path, method and body kept":
        return redirect(307, `/${made}`);
      case "redirects to another path, to be read":
        return redirect(303, `/${made}`);
      case "redirects to itself":
        return redirect(302, "");
      case "redirects to another host":
        return redirect(307, `${ELSEWHERE}/`);
    }
  }

  return {
    got,
    async fetch(input, init) {
      const { method, url, headers } = new Request(input, { ...init, body: null, signal: null });
      const { origin } = new URL(url);
      const usual = headers.has("authorization") || origin === ELSEWHERE ? "welcomes" : "asks with a new nonce";
      const behaviour = rest.shift() ?? usual;
      const authorization = headers.get("authorization");
      const one = { call: headers.get("x-call") ?? "", method, url, authorization, length: 0, behaviour };
      got.push(one);
      if (behaviour !== "is not there") one.length = (await new Response(init?.body).arrayBuffer()).byteLength;
      return Object.defineProperty(answer(behaviour), "url", { value: url });
    },
  };
}

const SIZES: Record<string, number> = { "POST": 2, "PUT": 2, "large POST": 20_000, "stream": 3 };

function initOf(kind: string, call: string): RequestInit {
  const headers = { "x-call": call, "content-type": "text/plain" };
  const method = kind.replace(/^large |^stream$/, "") || "POST";
  const text = "x".repeat(SIZES[kind] ?? 0);
  if (kind === "stream") return { method, headers, body: new Blob([text]).stream(), duplex: "half" };
  return { method, headers, body: text || null };
}

/** What of a call's requests changes something, and may have done so. */
function mayHaveChanged({ method, behaviour }: Got): boolean {
  const isWrite = method === "POST" || method === "PUT";
  return isWrite && /^welcomes|^is down|^loses/.test(behaviour);
}

function assertCallHolds(kind: string, got: readonly Got[], maxTries: number): void {
  const requests = got.filter(({ url }) => url.startsWith(ORIGIN));
  let ofHop = 0;
  let redirects = 0;
  for (const { url, behaviour } of requests) {
    ofHop++;
    assert.ok(ofHop <= 6 * maxTries, `${ofHop} requests for ${url}`);
    if (!behaviour.startsWith("redirects")) continue;
    ofHop = 0;
    redirects++;
  }
  assert.ok(redirects <= 21 * maxTries, `${redirects} redirects`);
  const changes = got.filter(mayHaveChanged);
  assert.ok(changes.length <= 1, `It was done ${changes.length} times`);
  const uploads = got.filter(({ length }) => length > 0);
  assert.ok(uploads.every(({ length }) => length === SIZES[kind]), "Half a body was sent");
  if (kind === "stream") assert.ok(uploads.length <= 1, `A stream was sent ${uploads.length} times`);
}

function assertAllHold(got: readonly Got[]): void {
  const counts = new Map<string, number>();
  for (const { method, url, authorization } of got) {
    const { origin, pathname, search } = new URL(url);
    if (origin !== ORIGIN) assert.equal(authorization, null, "Authorization was sent elsewhere");
    if (authorization === null) continue;
    const params = readAuthorization(authorization);
    assert.equal(params.response, expectedResponse(params, { ...PERSON, method }));
    assert.equal(params.uri, pathname + search);
    const pair = JSON.stringify([params.nonce, params.opaque]);
    const count = parseInt(params.nc ?? "", 16);
    assert.equal(count, (counts.get(pair) ?? 0) + 1, `${method} ${url}: not the next count of ${pair}`);
    counts.set(pair, count);
  }
}

/** Makes the calls, those at once that are meant so, and checks each of them and all together. */
async function check(
  fetch: Fetch,
  got: readonly Got[],
  calls: readonly { kind: string; path: string; isAtOnce: boolean }[],
  maxTries: number,
): Promise<void> {
  const running: Promise<unknown>[] = [];
  for (const [index, { kind, path, isAtOnce }] of calls.entries()) {
    running.push(
      fetch(`${ORIGIN}${path}`, initOf(kind, String(index))).then((response) => response.body?.cancel(), (error) => {
        assert.ok(error instanceof TypeError, String(error));
      }),
    );
    if (!isAtOnce) await Promise.all(running);
  }
  await Promise.all(running);
  for (const [index, { kind }] of calls.entries()) {
    assertCallHolds(kind, got.filter(({ call }) => call === String(index)), maxTries);
  }
  assertAllHold(got);
}

const PLAN = [
  fc.array(fc.constantFrom(...BEHAVIOURS), { maxLength: 30, size: "max" }),
  fc.array(CALL, { minLength: 1, maxLength: 5 }),
] as const;

test("createDigestFetch() sends six requests at most for a URL, each signed with the next count of its nonce", async () => {
  await fc.assert(
    fc.asyncProperty(...PLAN, async (behaviours, calls) => {
      const { fetch, got } = createServer(behaviours);
      await check(createDigestFetch({ ...PERSON, fetch }), got, calls, 1);
    }),
    { numRuns: 4000 },
  );
});

test("createAtlasFetch() does nothing twice, whatever a server answers", async () => {
  const credentials = { publicKey: PERSON.username, privateKey: PERSON.password };
  await fc.assert(
    fc.asyncProperty(...PLAN, async (behaviours, calls) => {
      const { fetch, got } = createServer(behaviours);
      await check(createAtlasFetch({ credentials, fetch, retry: { maxDelay: 0 } }), got, calls, 3);
    }),
    { numRuns: 4000 },
  );
});
