import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { atlasFetch, type AtlasFetchOptions, createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createFakeAtlas, serveFakeAtlas } from "../lib/testing.ts";

const ORIGIN = "https://cloud.mongodb.com";
const KEY = { publicKey: "abcdefgh", privateKey: "11111111-2222-3333-4444-555555555555" };
const ACCOUNT = {
  clientId: "mdb_sa_id_0123456789abcdef01234567",
  clientSecret: "mdb_sa_sk_under_score",
};
const VERSIONED = "application/vnd.atlas.2025-03-12+json";
const CHALLENGE = 'Digest realm="MMS Public API", domain="", nonce="bm9uY2U=", algorithm=MD5, qop="auth", stale=false';

/** What a fetch was asked for. */
interface Sent {
  url: string;
  init: RequestInit;
  headers: Headers;
}

/** A fetch that notes what it is asked for, and answers 200 or what it is told. */
function createRecorder(answer: (sent: Sent) => Response = () => new Response("{}")) {
  const sent: Sent[] = [];
  const fetch: Fetch = (input, init = {}) => {
    const request = { url: String(input), init, headers: new Headers(init.headers) };
    sent.push(request);
    return Promise.resolve(answer(request));
  };
  return { fetch, sent };
}

/** An atlasFetch on a recorder. */
function record(options: AtlasFetchOptions = {}, answer?: (sent: Sent) => Response) {
  const { fetch, sent } = createRecorder(answer);
  return { sent, fetch: createAtlasFetch({ credentials: KEY, fetch, ...options }) };
}

/** Runs with these environment variables only. */
async function withEnvironment<T>(variables: Record<string, string>, run: () => Promise<T>): Promise<T> {
  const before = process.env;
  process.env = variables;
  try {
    return await run();
  } finally {
    process.env = before;
  }
}

/** The error that a call rejects with; nothing may have been sent. */
async function refusalOf(call: Promise<unknown>, sent: readonly unknown[] = []): Promise<TypeError> {
  const error = await call.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof TypeError, `not refused by a TypeError: ${inspect(error)}`);
  assert.equal(error.name, "TypeError");
  assert.deepEqual(sent, []);
  return error;
}

// URLs -------------------------------------------------------------------------------------------------

const BASE_URLS = [ORIGIN, `${ORIGIN}/`, `${ORIGIN}/api/atlas/v2`, `${ORIGIN}/api/atlas/v2/`];

const TARGETS: [input: string, target: string][] = [
  ["/", "/api/atlas/v2/"],
  ["", "/api/atlas/v2/"],
  ["/groups", "/api/atlas/v2/groups"],
  ["groups", "/api/atlas/v2/groups"],
  ["/groups?pageNum=2&name=a%20b", "/api/atlas/v2/groups?pageNum=2&name=a%20b"],
  ["?a=b", "/api/atlas/v2/?a=b"],
  ["/?a=/api/", "/api/atlas/v2/?a=/api/"],
  ["/groups?", "/api/atlas/v2/groups"],
  ["/groups#fragment", "/api/atlas/v2/groups"],
  ["/api/atlas/v2", "/api/atlas/v2"],
  ["/api/atlas/v2/groups", "/api/atlas/v2/groups"],
  ["/api/atlas/v1.0/groups", "/api/atlas/v1.0/groups"],
  ["/api/public/v1.0/groups", "/api/public/v1.0/groups"],
  ["/apiKeys", "/api/atlas/v2/apiKeys"],
  [`${ORIGIN}/groups`, "/groups"],
  [`${ORIGIN}:443/api/atlas/v2/groups?x=1#y`, "/api/atlas/v2/groups?x=1"],
  ["HTTPS://CLOUD.MONGODB.COM/api/atlas/v2/groups", "/api/atlas/v2/groups"],
  // Custom methods and CIDR blocks, as Atlas wants them
  ["/groups/1/invoices/lineItems:search", "/api/atlas/v2/groups/1/invoices/lineItems:search"],
  ["lineItems:search", "/api/atlas/v2/lineItems:search"],
  ["/groups/1/accessList/203.0.113.0%2F24", "/api/atlas/v2/groups/1/accessList/203.0.113.0%2F24"],
  ["/groups/byName/ü,'\"%C3%BC", "/api/atlas/v2/groups/byName/%C3%BC,'%22%C3%BC"],
  ["/a.gz?x=http://evil.example/", "/api/atlas/v2/a.gz?x=http://evil.example/"],
];

test("atlasFetch() asks for paths below the API, from the origin and full URLs, however baseUrl is written", async () => {
  for (const baseUrl of [...BASE_URLS, ...BASE_URLS.map((url) => new URL(url)), undefined]) {
    for (const [input, target] of TARGETS) {
      const { fetch, sent } = record({ baseUrl });
      await fetch(input);
      assert.deepEqual(sent.map(({ url }) => url), [ORIGIN + target], `${input} with ${baseUrl}`);
    }
  }
});

test("atlasFetch() takes URLs and Requests as fetch does", async () => {
  const { fetch, sent } = record();
  await fetch(new URL(`${ORIGIN}/api/atlas/v2/groups?a=b#c`));
  await fetch(new Request(`${ORIGIN}/api/atlas/v2/groups`, { method: "DELETE", headers: { "x-own": "1" } }));
  await fetch(new Request(`${ORIGIN}/api/atlas/v1.0/groups`, { method: "POST", body: "a" }), { method: "PUT" });
  assert.deepEqual(
    sent.map(({ url, init, headers }) => [init.method, url, headers.get("x-own"), headers.get("accept")]),
    [
      ["GET", `${ORIGIN}/api/atlas/v2/groups?a=b`, null, VERSIONED],
      ["DELETE", `${ORIGIN}/api/atlas/v2/groups`, "1", VERSIONED],
      ["PUT", `${ORIGIN}/api/atlas/v1.0/groups`, null, "application/json"],
    ],
  );
});

test("atlasFetch() asks the wire for the same, and signs what is on it", async () => {
  const atlas = await serveFakeAtlas();
  try {
    for (const ending of ["", "/", "/api/atlas/v2", "/api/atlas/v2/"]) {
      const fetch = createAtlasFetch({ baseUrl: atlas.url + ending, credentials: atlas.credentials });
      for (const input of ["/", "/groups", "groups", "/api/atlas/v1.0/groups", `${atlas.url}/api/atlas/v2/groups`]) {
        const response = await fetch(input);
        assert.equal(response.status, 200, input);
        assert.equal(typeof await response.json(), "object");
      }
      // The fake compares the signed uri with the target, byte for byte: a 401 if they differ.
      const odd = ["/groups?", "/groups?pageNum=1&x=ü,%2F'\"|[]#y", "/groups/x%2Fy:search?z= ", "/groups?a=?&&=#?"];
      for (const input of odd) {
        const response = await fetch(input);
        assert.equal(response.status, input.includes("search") ? 404 : 200, input);
        await response.body?.cancel();
      }
    }
    // One challenge for each of the four, then one request a call.
    assert.equal(atlas.requests.length, 4 * (5 + 4 + 1));
  } finally {
    await atlas.close();
  }
});

test("atlasFetch() refuses another origin before anything is sent", async () => {
  const foreign = [
    "https://evil.example",
    "https://evil.example/api/atlas/v2/groups",
    "HTTPS://EVIL.EXAMPLE/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example/api/",
    "https:\\\\evil.example",
    "https:\\/evil.example",
    "https:///evil.example",
    "https:////evil.example",
    "http://cloud.mongodb.com/api/atlas/v2/groups",
    "https://cloud.mongodb.com:8443/",
    "https://cloud.mongodb.com.evil.example/",
  ];
  for (const baseUrl of [undefined, ORIGIN, "http://127.0.0.1:8080"]) {
    for (const input of foreign) {
      const { fetch, sent } = record({ baseUrl });
      const { message } = await refusalOf(fetch(input), sent);
      assert.match(
        message,
        /^Cannot send Atlas credentials to https?:\/\/\S+: they are for https?:\/\/\S+\. Use plain/,
      );
      assert.ok(message.includes(`they are for ${baseUrl ?? ORIGIN}.`), message);
    }
  }
  const { fetch, sent } = record();
  await refusalOf(fetch(new URL("https://evil.example/")), sent);
  await refusalOf(fetch(new Request("https://evil.example/", { method: "POST", body: "{}" })), sent);
});

test("atlasFetch() never leaves its origin for a path, odd as it may be", async () => {
  const odd = [
    " //evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "\n\\\\evil.example",
    "/\n\\evil.example",
    "ht\ttps://evil.example",
    " https://evil.example",
    "\u0000//evil.example",
    "https:evil.example",
    "https:/evil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example/",
    ".evil.example",
    ":8443/",
    "/api/@evil.example",
    "/api//evil.example",
    "/api/../..//evil.example",
    "../../../..//evil.example",
    "/../../../../\\evil.example",
    "javascript:alert(1)",
    "data:text/plain,x",
    "/%2F%2Fevil.example",
    "?//evil.example",
    "#//evil.example",
  ];
  for (const baseUrl of BASE_URLS) {
    for (const input of odd) {
      const { fetch, sent } = record({ baseUrl });
      await fetch(input);
      assert.equal(sent.length, 1, JSON.stringify(input));
      assert.equal(new URL(String(sent[0]?.url)).origin, ORIGIN, JSON.stringify(input));
    }
  }
});

test("atlasFetch() refuses URLs that are not HTTP, and never shows the password of one", async () => {
  const inputs = [
    "ftp://user:pa55word@cloud.mongodb.com/",
    "file:///etc/passwd",
    "https://",
    "https://user:pa55word@cloud.mongodb.com/api/atlas/v2/groups",
    "https://:pa55word@cloud.mongodb.com/",
    "https://user:pa55word@evil.example/",
    "//user:pa55word@evil.example/",
    "https://user:pa55word@[/",
    new URL("https://user:pa55word@cloud.mongodb.com/"),
    new URL("about:blank?pa55word"),
  ];
  for (const input of inputs) {
    const { fetch, sent } = record();
    const error = await refusalOf(fetch(input), sent);
    assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /pa55word/);
    assert.match(error.message, /^Cannot fetch/);
  }
});

test("createAtlasFetch() refuses a baseUrl that is no origin, without showing it", () => {
  const wrong = [
    "",
    "cloud.mongodb.com",
    "pa55word",
    "https://",
    `${ORIGIN}/groups?pa55word`,
    `${ORIGIN}/api`,
    `${ORIGIN}/api/atlas`,
    `${ORIGIN}/api/atlas/v1.0`,
    `${ORIGIN}/api/atlas/v2//`,
    `${ORIGIN}//`,
    `${ORIGIN}/api/atlas/v2/groups`,
    `${ORIGIN}/?x=pa55word`,
    `${ORIGIN}#pa55word`,
    "https://user:pa55word@cloud.mongodb.com",
    "https://user@cloud.mongodb.com",
    new URL(`${ORIGIN}/x?pa55word`),
  ];
  for (const baseUrl of wrong) {
    assert.throws(() => createAtlasFetch({ baseUrl }), (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "Cannot use baseUrl: it is not an origin such as https://cloud.mongodb.com");
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /pa55word/);
      return true;
    });
  }
});

test("createAtlasFetch() takes http: for loopback only", async () => {
  for (
    const host of ["localhost", "localhost:8080", "atlas.localhost", "127.0.0.1:1", "127.0.0.2", "127.1", "[::1]:9"]
  ) {
    const { fetch, sent } = record({ baseUrl: `http://${host}` });
    await fetch("/groups");
    assert.deepEqual(sent.map(({ url }) => url), [new URL(`http://${host}/api/atlas/v2/groups`).href]);
  }
  for (
    const host of [
      "cloud.mongodb.com",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "128.0.0.1",
      "10.0.0.1",
      "0.0.0.0",
      "[::2]",
      "[::ffff:127.0.0.1]",
      "evillocalhost",
    ]
  ) {
    assert.throws(
      () => createAtlasFetch({ baseUrl: `http://${host}` }),
      {
        name: "TypeError",
        message: /^Cannot send credentials to http:\/\/.+: use https:, since http: is for loopback/,
      },
      host,
    );
  }
  for (const baseUrl of ["ftp://cloud.mongodb.com", "ws://localhost", "mongodb://localhost", "file:///"]) {
    assert.throws(() => createAtlasFetch({ baseUrl }), { name: "TypeError", message: /^Cannot / }, baseUrl);
  }
});

test("atlasFetch() signs redirects on its origin, and none to another", async () => {
  const { fetch, sent } = record({}, ({ url, headers }) => {
    if (url.startsWith("https://evil.example/")) return new Response("evil");
    if (!headers.has("authorization")) {
      return new Response(null, { status: 401, headers: { "www-authenticate": CHALLENGE } });
    }
    return new Response(null, {
      status: 307,
      headers: { location: url.endsWith("/groups") ? "/api/atlas/v2/moved?x" : "https://evil.example/api/atlas/v2/" },
    });
  });
  assert.equal(await (await fetch("/groups")).text(), "evil");
  const uris = sent.map(({ headers }) => / uri="([^"]*)"/.exec(headers.get("authorization") ?? "")?.[1]);
  assert.deepEqual(uris, [undefined, "/api/atlas/v2/groups", "/api/atlas/v2/moved?x", undefined]);
  assert.equal(sent.at(-1)?.url, "https://evil.example/api/atlas/v2/");
});

// Headers ----------------------------------------------------------------------------------------------

test("atlasFetch() asks for a versioned type below /api/atlas/v2 only", async () => {
  const cases: [input: string, init: Parameters<typeof atlasFetch>[1], accept: string][] = [
    ["/", {}, VERSIONED],
    ["/api/atlas/v2", {}, VERSIONED],
    ["/api/atlas/v2?a=b", {}, VERSIONED],
    [`${ORIGIN}/api/atlas/v2/groups`, {}, VERSIONED],
    ["/groups", { version: "2024-08-05" }, "application/vnd.atlas.2024-08-05+json"],
    ["/groups", { version: "preview" }, "application/vnd.atlas.preview+json"],
    ["/groups", { version: undefined, format: undefined }, VERSIONED],
    ["/logs/mongodb.gz", { format: "gzip" }, "application/vnd.atlas.2025-03-12+gzip"],
    ["/x", { format: "csv", version: "2023-01-01" }, "application/vnd.atlas.2023-01-01+csv"],
    ["/api/atlas/v1.0/groups", {}, "application/json"],
    ["/api/atlas/v1.0/groups", { version: "2024-08-05", format: "gzip" }, "application/json"],
    ["/api/public/v1.0/groups", {}, "application/json"],
    ["/api/atlas/v20/groups", {}, "application/json"],
    ["/api/atlas/v2/../v1.0/groups", {}, "application/json"],
    [`${ORIGIN}/`, {}, "application/json"],
    ["/groups", { headers: { Accept: "text/csv" }, version: "not checked then" }, "text/csv"],
    ["/groups", { headers: [["ACCEPT", "text/plain"]] }, "text/plain"],
    ["/groups", { headers: new Headers({ accept: "a/b" }) }, "a/b"],
    ["/api/atlas/v1.0/groups", { headers: { accept: "a/b" } }, "a/b"],
  ];
  for (const [input, init, accept] of cases) {
    const { fetch, sent } = record();
    await fetch(input, init);
    assert.deepEqual(sent.map(({ headers }) => headers.get("accept")), [accept], `${input} ${inspect(init)}`);
  }
});

test("createAtlasFetch() takes a version for all calls, and refuses what is none", async () => {
  const { fetch, sent } = record({ version: "2023-02-01" });
  await fetch("/groups");
  await fetch("/groups", { version: "2024-05-30" });
  assert.deepEqual(sent.map(({ headers }) => headers.get("accept")), [
    "application/vnd.atlas.2023-02-01+json",
    "application/vnd.atlas.2024-05-30+json",
  ]);
  for (
    const version of ["", "2", "2025-3-12", "v2", "2025-03-12\n", " 2025-03-12", "2025-03-12+json", "2025-03-12,*/*"]
  ) {
    const asked = JSON.stringify(`${version}+json`);
    const message = `Cannot ask for ${asked}: give a version as YYYY-MM-DD or "preview", a format as json, csv or gzip`;
    assert.throws(() => createAtlasFetch({ version }), { name: "TypeError", message });
    const { fetch, sent } = record();
    assert.equal((await refusalOf(fetch("/groups", { version }), sent)).message, message);
  }
});

test("atlasFetch() sends a string as application/json unless told otherwise, and nothing else", async () => {
  async function typeOf(init: RequestInit): Promise<string | null> {
    const { fetch, sent } = record();
    await fetch("/groups", { method: "POST", ...init });
    assert.equal(sent.length, 1);
    const [{ url, init: { body = null, headers = {} } = {} } = { url: "" }] = sent;
    // What the native fetch would make of it
    return new Request(url, { method: "POST", body, headers }).headers.get("content-type");
  }
  assert.equal(await typeOf({ body: "{}" }), "application/json");
  assert.equal(await typeOf({ body: "" }), "application/json");
  assert.equal(await typeOf({ body: "{}", headers: { "Content-Type": "text/csv" } }), "text/csv");
  assert.equal(await typeOf({ body: "{}", headers: [["content-TYPE", VERSIONED]] }), VERSIONED);
  assert.equal(await typeOf({ body: new Uint8Array([123, 125]) }), null);
  assert.equal(await typeOf({ body: new Blob(["{}"], { type: "application/x-own" }) }), "application/x-own");
  assert.equal(await typeOf({}), null);
  assert.match(String(await typeOf({ body: new URLSearchParams("a=b") })), /^application\/x-www-form-urlencoded/);
  const form = new FormData();
  form.set("a", "b");
  assert.match(String(await typeOf({ body: form })), /^multipart\/form-data; *boundary=/);
});

test("atlasFetch() changes nothing of the caller's", async () => {
  const atlas = createFakeAtlas();
  const fetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const body = JSON.stringify({ name: "unchanged", orgId: "0123456789abcdef01234567" });
  const forms: NonNullable<RequestInit["headers"]>[] = [
    Object.freeze({ "X-Own": "1" }),
    new Headers({ "x-own": "1" }),
    [["X-Own", "1"]],
  ];
  for (const headers of forms) {
    const init = Object.freeze({ method: "POST", body, headers, version: "2024-08-05" });
    const before = inspect(init, { depth: Infinity, showHidden: true });
    await (await fetch("/groups", init)).body?.cancel();
    assert.equal(inspect(init, { depth: Infinity, showHidden: true }), before);
    assert.deepEqual([...new Headers(headers)], [["x-own", "1"]]);
  }
  const request = new Request(`${ORIGIN}/api/atlas/v2/groups`, { headers: { "x-own": "1" } });
  assert.equal((await fetch(request)).status, 200);
  assert.deepEqual([...request.headers], [["x-own", "1"]]);
  const url = new URL(`${ORIGIN}/api/atlas/v2/groups?a=b#c`);
  assert.equal((await fetch(url)).status, 200);
  assert.equal(url.href, `${ORIGIN}/api/atlas/v2/groups?a=b#c`);
});

test("atlasFetch() hands runtime extras on", async () => {
  const { fetch, sent } = record();
  const init = { proxy: "http://proxy.example", keepalive: true };
  await fetch("/groups", init);
  assert.equal(Reflect.get(sent[0]?.init ?? {}, "proxy"), init.proxy);
  assert.equal(sent[0]?.init.keepalive, true);
});

test("atlasFetch() refuses a caller's Authorization, a GET with a body and a used Request", async () => {
  const { fetch, sent } = record();
  const authorization = "Bearer pa55word";
  const url = `${ORIGIN}/api/atlas/v2/groups`;
  for (
    const call of [
      () => fetch("/groups", { headers: { authorization } }),
      () => fetch("/groups", { headers: [["AUTHORIZATION", authorization]] }),
      () => fetch("/groups", { headers: { authorization: "" } }),
      () => fetch(new Request(url, { headers: { authorization } })),
    ]
  ) {
    const error = await refusalOf(call(), sent);
    assert.match(error.message, /^Cannot send your .*Authorization header/);
    assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /pa55word/);
  }
  assert.match((await refusalOf(fetch("/groups", { body: "{}" }), sent)).message, /^Cannot send a body with GET/);
  assert.match(
    (await refusalOf(fetch("/x", { method: "HEAD", body: "" }), sent)).message,
    /^Cannot send a body with HEAD/,
  );
  const used = new Request(url, { method: "POST", body: "{}" });
  await used.text();
  await refusalOf(fetch(used), sent);
});

test("atlasFetch() sends nothing for an aborted signal", async () => {
  const { fetch, sent } = record();
  const reason = new Error("Enough");
  await assert.rejects(fetch("/groups", { signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(sent, []);
});

// Options ----------------------------------------------------------------------------------------------

test("createAtlasFetch() takes undefined for every option, and looks the global fetch up at each request", async () => {
  const fetch = createAtlasFetch({
    credentials: KEY,
    baseUrl: undefined,
    version: undefined,
    retry: undefined,
    fetch: undefined,
  });
  const { fetch: patched, sent } = createRecorder();
  const before = globalThis.fetch;
  // Bun's has more members than a function.
  globalThis.fetch = Object.assign(patched, before);
  try {
    await fetch("/groups");
  } finally {
    globalThis.fetch = before;
  }
  assert.deepEqual(sent.map(({ url }) => url), [`${ORIGIN}/api/atlas/v2/groups`]);
});

test("createAtlasFetch() tries again as retry says, and not at all for false", async () => {
  const busy = () => new Response("busy", { status: 429, headers: { "retry-after": "0" } });
  const cases: [AtlasFetchOptions["retry"], number][] = [[false, 1], [{ limit: 0 }, 1], [{ limit: 1, maxDelay: 1 }, 2]];
  for (const [retry, requests] of cases) {
    const { fetch, sent } = record({ retry }, busy);
    assert.equal((await fetch("/groups", { method: "POST", body: "{}" })).status, 429);
    assert.equal(sent.length, requests);
  }
  assert.throws(() => createAtlasFetch({ retry: { limit: -1 } }), RangeError);
  assert.throws(() => createAtlasFetch({ retry: { maxDelay: NaN } }), RangeError);
});

test("createAtlasFetch() refuses credentials that cannot be right at once, without showing them", () => {
  const long = "s3cr3t-s3cr3t";
  const empty = /^Cannot find Atlas credentials: (\w+) is missing\. Give both (\1 and \w+|\w+ and \1)$/;
  const broken =
    /^Cannot authenticate: (public|private)Key holds .*line break|^Cannot authenticate: clientSecret holds .*line break/;
  const cases: [AtlasFetchOptions["credentials"], RegExp][] = [
    [{ publicKey: "", privateKey: long }, empty],
    [{ publicKey: "abcdefgh", privateKey: "" }, empty],
    [{ clientId: "", clientSecret: long }, empty],
    [{ clientId: ACCOUNT.clientId, clientSecret: "" }, empty],
    [{ publicKey: "abcdefgh", privateKey: `${long}\n` }, broken],
    [{ publicKey: "abcd\refgh", privateKey: long }, broken],
    [{ publicKey: "abcdefgh", privateKey: `${long}\0` }, broken],
    [{ clientId: ACCOUNT.clientId, clientSecret: `${long}\r\n` }, broken],
    [{ clientId: `a:${long}`, clientSecret: long }, /^Cannot mint tokens: .*the id holds a colon/],
    [
      { publicKey: ACCOUNT.clientId, privateKey: long },
      /^Cannot use a service account as publicKey: give \{ clientId, client/,
    ],
    [{ publicKey: "abcdefgh", privateKey: "mdb_sa_sk_s3cr3t" }, /^Cannot use a service account as privateKey: give \{/],
  ];
  for (const [credentials, message] of cases) {
    assert.throws(() => createAtlasFetch({ credentials }), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, message);
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /s3cr3t|\r/);
      return true;
    });
  }
});

test("createAtlasFetch() mints tokens for a service account at its own origin", async () => {
  for (const baseUrl of [undefined, "https://cloud.mongodbgov.com/api/atlas/v2"]) {
    const atlas = createFakeAtlas({ serviceAccount: ACCOUNT });
    const stored = new Map<string, string>();
    const credentials = { ...ACCOUNT, tokenStore: stored };
    const fetch = createAtlasFetch({ credentials, baseUrl, fetch: atlas });
    assert.equal((await fetch("/groups")).status, 200);
    assert.equal((await fetch("/")).status, 200);
    const origin = baseUrl === undefined ? ORIGIN : "https://cloud.mongodbgov.com";
    assert.deepEqual(atlas.requests.map(({ method, url }) => `${method} ${url}`), [
      `POST ${origin}/api/oauth/token`,
      `GET ${origin}/api/atlas/v2/groups`,
      `GET ${origin}/api/atlas/v2/`,
    ]);
    assert.equal(stored.size, 1);
    assert.doesNotMatch(inspect([...stored]), /mdb_sa_sk/);
  }
});

// The environment --------------------------------------------------------------------------------------

const PAIRS = [
  ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
  ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
  ["ATLAS_USER", "ATLAS_USER_KEY"],
] as const;

/** The user that signs, as a server sees it: of the Digest or Basic value. */
function userOf({ headers }: Sent): string | undefined {
  const authorization = headers.get("authorization") ?? "";
  const basic = /^Basic (.+)$/.exec(authorization)?.[1];
  return basic === undefined ? / username="([^"]*)"/.exec(authorization)?.[1] : atob(basic).split(":")[0];
}

/** Who calls where with these variables. */
async function callerIn(variables: Record<string, string>, options: AtlasFetchOptions = {}) {
  const { fetch, sent } = createRecorder(({ url, headers }) => {
    if (url.endsWith("/api/oauth/token")) return Response.json({ access_token: "token", expires_in: 3600 });
    if (headers.has("authorization")) return new Response("{}");
    return new Response(null, { status: 401, headers: { "www-authenticate": CHALLENGE } });
  });
  await withEnvironment(variables, () => createAtlasFetch({ ...options, fetch })("/groups"));
  return { user: sent.map(userOf).find((user) => user !== undefined), origin: new URL(String(sent[0]?.url)).origin };
}

/** What the first call says with these variables. */
async function refusalIn(variables: Record<string, string>): Promise<string> {
  const { fetch, sent } = createRecorder();
  const call = withEnvironment(variables, () => createAtlasFetch({ fetch })("/groups"));
  const error = await refusalOf(call, sent);
  assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /s3cr3t/);
  return error.message;
}

test("atlasFetch() takes the first complete pair of the environment", async () => {
  for (const [index, [id, secret]] of PAIRS.entries()) {
    // This pair and all behind it are complete; those before are halves, or empty.
    const variables: Record<string, string> = {};
    for (const [place, [id, secret]] of PAIRS.entries()) {
      variables[id] = place < index ? (place % 2 ? `half${place}` : "") : `user${place}`;
      variables[secret] = place < index ? (place % 2 ? "" : "s3cr3t-half") : `s3cr3t${place}`;
    }
    assert.deepEqual(await callerIn(variables), { user: `user${index}`, origin: ORIGIN });
    assert.deepEqual(await callerIn({ [id]: "alone", [secret]: "s3cr3t" }), { user: "alone", origin: ORIGIN });
  }
});

test("atlasFetch() names the missing half of a pair, an empty one too", async () => {
  for (const [id, secret] of PAIRS) {
    for (const empty of [{}, { [secret]: "" }]) {
      const message = `Cannot find Atlas credentials: ${secret} is missing. Give both ${id} and ${secret}`;
      assert.equal(await refusalIn({ [id]: "s3cr3t", ...empty }), message);
    }
    for (const empty of [{}, { [id]: "" }]) {
      const message = `Cannot find Atlas credentials: ${id} is missing. Give both ${id} and ${secret}`;
      assert.equal(await refusalIn({ [secret]: "s3cr3t", ...empty }), message);
    }
  }
});

test("atlasFetch() names every variable where there is none", async () => {
  const nothing = Object.fromEntries(PAIRS.flat().map((name) => [name, ""]));
  for (const variables of [{}, nothing, { MONGODB_ATLAS_BASE_URL: ORIGIN }]) {
    const message = await refusalIn(variables);
    assert.match(message, /^Cannot find Atlas credentials: set .+, or give the option credentials$/);
    for (const [id, secret] of PAIRS) assert.ok(message.includes(`${id} and ${secret}`), message);
  }
});

test("atlasFetch() says where a service account's id belongs", async () => {
  for (const [id, secret] of PAIRS.slice(1)) {
    for (const rest of [{ [secret]: "mdb_sa_sk_s3cr3t" }, {}]) {
      assert.equal(
        await refusalIn({ [id]: "mdb_sa_id_s3cr3t", ...rest }),
        `Cannot use a service account as ${id}: give { clientId, clientSecret }, or set MONGODB_ATLAS_CLIENT_ID and ` +
          "MONGODB_ATLAS_CLIENT_SECRET",
      );
    }
  }
});

test("atlasFetch() names the variable that holds a line break", async () => {
  for (const [id, secret] of PAIRS) {
    for (const end of ["\n", "\r\n", "\r"]) {
      assert.match(
        await refusalIn({ [id]: `s3cr3t${end}`, [secret]: "s3cr3t" }),
        new RegExp(`authenticate: ${id} holds a line break`),
      );
      assert.match(
        await refusalIn({ [id]: "user", [secret]: `s3cr3t${end}` }),
        new RegExp(`cate: ${secret} holds a line break`),
      );
    }
  }
});

test("atlasFetch() takes the base URL with the environment's credentials only", async () => {
  const variables = { ATLAS_USER: "user", ATLAS_USER_KEY: "s3cr3t", MONGODB_ATLAS_BASE_URL: "https://gov.example/" };
  assert.deepEqual(await callerIn(variables), { user: "user", origin: "https://gov.example" });
  assert.deepEqual(await callerIn(variables, { baseUrl: "https://own.example" }), {
    user: "user",
    origin: "https://own.example",
  });
  assert.deepEqual(await callerIn(variables, { credentials: KEY }), { user: KEY.publicKey, origin: ORIGIN });
  const versioned = { ...variables, MONGODB_ATLAS_BASE_URL: "https://gov.example/api/atlas/v2" };
  assert.equal((await callerIn(versioned)).origin, "https://gov.example");
  assert.equal((await callerIn({ ...variables, MONGODB_ATLAS_BASE_URL: "" })).origin, ORIGIN);

  const wrong = { ...variables, MONGODB_ATLAS_BASE_URL: "https://u:s3cr3t@gov.example" };
  assert.match(await refusalIn(wrong), /^Cannot use MONGODB_ATLAS_BASE_URL: it is not an origin such as/);
  const open = { ...variables, MONGODB_ATLAS_BASE_URL: "http://gov.example" };
  assert.match(await refusalIn(open), /^Cannot send credentials to http:\/\/gov\.example: use https:/);
});

test("atlasFetch() reads the environment at the first request, and again only after a failure", async () => {
  const { fetch: recorder, sent } = createRecorder(({ headers }) =>
    headers.has("authorization")
      ? new Response("{}")
      : new Response(null, { status: 401, headers: { "www-authenticate": CHALLENGE } })
  );
  const fetch = await withEnvironment(
    { ATLAS_USER: "early", ATLAS_USER_KEY: "s3cr3t" },
    () => Promise.resolve(createAtlasFetch({ fetch: recorder })),
  );
  await refusalOf(withEnvironment({}, () => fetch("/groups")), sent);
  await refusalOf(withEnvironment({ ATLAS_USER: "half" }, () => fetch("/groups")), sent);
  await withEnvironment({ ATLAS_USER: "first", ATLAS_USER_KEY: "s3cr3t" }, () => fetch("/groups"));
  await withEnvironment({ ATLAS_USER: "later", ATLAS_USER_KEY: "s3cr3t" }, () => fetch("/groups"));
  await withEnvironment({}, () => fetch("/groups"));
  assert.deepEqual(sent.map(userOf), [undefined, "first", "first", "first"]);
});

test("atlasFetch() reads no variable when it is given credentials", async () => {
  const before = process.env;
  const read: PropertyKey[] = [];
  process.env = new Proxy<Record<string, string>>({}, {
    get: (_target, name) => (read.push(name), undefined),
    has: (_target, name) => (read.push(name), false),
    ownKeys: () => (read.push("all"), []),
  });
  try {
    for (const credentials of [KEY, ACCOUNT]) {
      const atlas = createFakeAtlas({ credentials: KEY, serviceAccount: ACCOUNT });
      const fetch = createAtlasFetch({ credentials, fetch: atlas });
      assert.equal((await fetch("/groups")).status, 200);
      assert.deepEqual(read.filter((name) => /ATLAS|^all$/.test(String(name))), []);
    }
    // The spy itself works.
    await refusalOf(createAtlasFetch()("/groups"));
    for (const name of PAIRS.flat()) assert.ok(read.includes(name), name);
  } finally {
    process.env = before;
  }
});

test("atlasFetch() lets the refusal of a runtime through that may not read the environment", async () => {
  const denied = new Error('NotCapable: Requires env access to "MONGODB_ATLAS_CLIENT_ID"');
  const before = process.env;
  process.env = new Proxy<Record<string, string>>({}, {
    get: () => {
      throw denied;
    },
  });
  try {
    await assert.rejects(createAtlasFetch()("/groups"), denied);
  } finally {
    process.env = before;
  }
});

test("atlasFetch() finds no credentials where there is no process", async () => {
  const { fetch, sent } = createRecorder();
  const property = Object.getOwnPropertyDescriptor(globalThis, "process") ?? {};
  for (const value of [undefined, {}]) {
    const call = withoutProcess(value);
    assert.match((await refusalOf(call, sent)).message, /^Cannot find Atlas credentials: set /);
  }

  function withoutProcess(value: unknown): Promise<Response> {
    Object.defineProperty(globalThis, "process", { value, configurable: true, writable: true });
    try {
      return createAtlasFetch({ fetch })("/groups");
    } finally {
      Object.defineProperty(globalThis, "process", property);
    }
  }
});

test("atlasFetch() is createAtlasFetch() with its defaults, and can be detached", async () => {
  const atlas = await serveFakeAtlas();
  try {
    await withEnvironment({
      MONGODB_ATLAS_PUBLIC_API_KEY: atlas.credentials.publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: atlas.credentials.privateKey,
      MONGODB_ATLAS_BASE_URL: atlas.url,
    }, async () => {
      const response = await atlasFetch.call(undefined, "/");
      assert.match(await response.text(), /"appName":"MongoDB Atlas"/);
      assert.equal(response.url, `${atlas.url}/api/atlas/v2/`);
    });
  } finally {
    await atlas.close();
  }
});

// Secrets ----------------------------------------------------------------------------------------------

test("createAtlasFetch() leaves no key in what it gives and throws", async () => {
  const secrets = [KEY.publicKey, KEY.privateKey, ACCOUNT.clientSecret, "t0ken"];
  const lost: Fetch = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNRESET") }));
  const refused = createRecorder(({ url }) => {
    if (url.endsWith("/token")) return Response.json({ access_token: "t0ken" });
    return new Response(null, { status: 401, headers: { "www-authenticate": CHALLENGE } });
  }).fetch;
  const mintless = createRecorder(() => Response.json({ error: "invalid_client" }, { status: 401 })).fetch;
  const rubbish = createRecorder(() => Response.json({ access_token: "t0ken\n" })).fetch;
  const kept: unknown[] = [];
  for (const credentials of [KEY, ACCOUNT]) {
    for (const fetch of [lost, refused, mintless, rubbish]) {
      const wrapped = createAtlasFetch({ credentials, fetch, retry: false });
      kept.push(wrapped);
      for (const init of [{}, { method: "POST", body: "{}" }, { headers: { authorization: "x" } }, { version: "?" }]) {
        kept.push(await wrapped("/groups", init).catch((error: unknown) => error));
      }
      kept.push(await wrapped("https://evil.example/").catch((error: unknown) => error));
    }
  }
  const errors = kept.filter((value) => value instanceof Error);
  assert.ok(errors.length > 20);
  const shown = kept.flatMap((value) => [
    inspect(value, { depth: Infinity, showHidden: false }),
    JSON.stringify(value) ?? "",
    value instanceof Error ? `${value.message} ${value.stack} ${inspect(value.cause, { depth: Infinity })}` : "",
  ]).join("\n");
  for (const secret of secrets) assert.ok(!shown.includes(secret), shown.slice(shown.indexOf(secret) - 200));
  assert.doesNotMatch(shown, /authorization['"]?: ['"]?(Basic|Bearer|Digest) /i);
});

test("atlasFetch() sends no request to a server that would take the credentials in the clear", async () => {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const fetch = createAtlasFetch({ credentials: KEY, retry: false });
    await refusalOf(fetch(`http://127.0.0.1:${port}/`));
    await refusalOf(fetch(`//127.0.0.1:${port}/`));
    assert.equal(requests, 0);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("createAtlasFetch() refuses credentials that are no object, and does not fall back to the environment", () => {
  for (const text of ["null", '"key"', "1"]) {
    const credentials: { publicKey: string; privateKey: string } = JSON.parse(text);
    assert.throws(
      () => createAtlasFetch({ credentials }),
      /^TypeError: Cannot find Atlas credentials: publicKey is missing\. Give both publicKey and privateKey$/,
    );
  }
});

test("atlasFetch() refuses a format that there is not, before anything is sent", async () => {
  let sent = 0;
  const atlasFetch = createAtlasFetch({
    credentials: { publicKey: "a", privateKey: "b" },
    fetch: () => {
      sent++;
      return Promise.resolve(new Response());
    },
  });
  for (const format of ["xml", "json\r\nX", ""]) {
    const init: object = { format };
    await assert.rejects(
      atlasFetch("/", init),
      /^TypeError: Cannot ask for ".*": give .* a format as json, csv or gzip$/,
    );
  }
  assert.equal(sent, 0);
});
