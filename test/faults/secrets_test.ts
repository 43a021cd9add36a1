// Every path on which a call can fail, with marked secrets: nothing that is thrown or printed may show them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  createAtlasFetch,
  createBearerFetch,
  createRetryFetch,
  createTokenSource,
  ensureOk,
  paginate,
} from "../../mod.ts";
import { createDigestFetch, digestAuthorization } from "../../lib/digest/mod.ts";
import { challenge, createHostileServer, redirect, type Sent } from "./hostile_server.ts";
import { assertShowsNone } from "./secrets.ts";
import { http, withWireServer } from "./wire_server.ts";

const PRIVATE_KEY = "5ecret-private-key";
const CLIENT_SECRET = "mdb_sa_sk_5ecret-client-secret";
const TOKEN = "5ecret-access-token-of-some-length";
const KEY = { publicKey: "publickk", privateKey: PRIVATE_KEY };
const ACCOUNT = { clientId: "mdb_sa_id_5ec4", clientSecret: CLIENT_SECRET };
const BASIC = Buffer.from(`${ACCOUNT.clientId}:${CLIENT_SECRET}`).toString("base64");
const ORIGIN = "https://cloud.mongodb.com";
const SECRETS = [PRIVATE_KEY, CLIENT_SECRET, TOKEN, BASIC];

// The tests print nothing secret either: the last one looks through all that was printed, and all warnings.
const printed: string[] = [];
const print = (value: unknown) => void printed.push(typeof value === "string" ? value : inspect(value));
const stopListening = [process.stdout, process.stderr].map((stream) => {
  const { write } = stream;
  stream.write = (chunk: string | Uint8Array, ...rest: []) => {
    print(typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
    return write.call(stream, chunk, ...rest);
  };
  return () => void (stream.write = write);
});
for (const event of ["warning", "unhandledRejection"]) process.on(event, print);

/** What the work throws or rejects with. */
async function failureOf(work: () => unknown, what: string): Promise<Error> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof Error, what);
    return error;
  }
  assert.fail(`It did not fail: ${what}`);
}

const bad = `${PRIVATE_KEY}\r\nx: y`;
const nowhere = () => Promise.reject(new Error("It was sent"));
const byKey = createAtlasFetch({ credentials: KEY, fetch: nowhere });

const MISTAKES: Record<string, () => unknown> = {
  "a private key with a line break": () => createAtlasFetch({ credentials: { publicKey: "p", privateKey: bad } }),
  "a public key that is a private one": () =>
    createAtlasFetch({ credentials: { publicKey: CLIENT_SECRET, privateKey: PRIVATE_KEY } }),
  "a private key without a public one": () =>
    createAtlasFetch({ credentials: { publicKey: "", privateKey: PRIVATE_KEY } }),
  "a client secret with NUL": () =>
    createAtlasFetch({ credentials: { clientId: "i", clientSecret: `${CLIENT_SECRET}\0` } }),
  "a client secret for an id": () =>
    createAtlasFetch({ credentials: { clientId: `${CLIENT_SECRET}:`, clientSecret: "s" } }),
  "a base URL with a password": () =>
    createAtlasFetch({ credentials: KEY, baseUrl: `https://u:${PRIVATE_KEY}@cloud.mongodb.com` }),
  "a base URL that is a secret": () => createAtlasFetch({ credentials: KEY, baseUrl: PRIVATE_KEY }),
  "a password with a line break": () => createDigestFetch({ username: "u", password: bad }),
  "a user name with a line break": () => createDigestFetch({ username: bad, password: "p" }),
  "a signature with a line break": () =>
    digestAuthorization(
      { realm: "r", nonce: "n", hash: "MD5", session: false, stale: false, userhash: false },
      { username: "u", password: bad, method: "GET", uri: "/", count: 1, cnonce: "c" },
    ),
  "an empty client secret": () => createTokenSource({ clientId: CLIENT_SECRET, clientSecret: "" }),
  "a token URL with a password": () =>
    createTokenSource({ ...ACCOUNT, tokenUrl: `https://u:${PRIVATE_KEY}@cloud.mongodb.com` }),
  "a token URL without TLS": () => createTokenSource({ ...ACCOUNT, tokenUrl: "http://cloud.mongodb.com/" }),
  "a URL with a password": () => byKey(`https://u:${PRIVATE_KEY}@cloud.mongodb.com/`),
  "a URL of another origin": () => byKey("https://evil.example/"),
  "a URL that is none": () => createDigestFetch({ username: "u", password: PRIVATE_KEY })(`http://u:${PRIVATE_KEY}@`),
  "an Authorization of the caller's": () => byKey("/groups", { headers: { authorization: `Bearer ${TOKEN}` } }),
  "a header with a line break": () => byKey("/groups", { headers: { "x-key": bad } }),
  "a header with a letter beyond Latin-1": () => byKey("/groups", { headers: { "x-key": `${PRIVATE_KEY}☃` } }),
  "a header without a name": () => byKey("/groups", { headers: { [`${TOKEN} :`]: "x" } }),
  "a version that is none": () => byKey("/groups", { version: "latest" }),
  "a GET with a body": () => byKey("/groups", { body: PRIVATE_KEY }),
  "a token with a line break": () =>
    createBearerFetch({ token: () => Promise.resolve(`${TOKEN}\r\nx: y`) })(`${ORIGIN}/`),
  "a token beyond Latin-1": () => createBearerFetch({ token: () => Promise.resolve(`${TOKEN}☃`) })(`${ORIGIN}/`),
  "retries without end": () => createRetryFetch({ limit: NaN }),
};

for (const [name, work] of Object.entries(MISTAKES)) {
  test(`atlas-fetch shows no secret in its error about ${name}`, async () => {
    const error = await failureOf(work, name);
    assert.notEqual(error.message, "It was sent");
    assertShowsNone(error, SECRETS, name);
  });
}

const HALVES: Record<string, string>[] = [
  { MONGODB_ATLAS_PRIVATE_API_KEY: PRIVATE_KEY },
  { MONGODB_ATLAS_PRIVATE_KEY: PRIVATE_KEY, MONGODB_ATLAS_CLIENT_SECRET: CLIENT_SECRET },
  { MONGODB_ATLAS_CLIENT_SECRET: CLIENT_SECRET },
  { ATLAS_USER_KEY: PRIVATE_KEY },
  { MONGODB_ATLAS_PUBLIC_API_KEY: CLIENT_SECRET, MONGODB_ATLAS_PRIVATE_API_KEY: PRIVATE_KEY },
  { ATLAS_USER: "u", ATLAS_USER_KEY: bad },
  { MONGODB_ATLAS_ACCESS_TOKEN: `${TOKEN}\n${TOKEN}` },
  { ATLAS_USER: "u", ATLAS_USER_KEY: PRIVATE_KEY, MONGODB_ATLAS_BASE_URL: `http://u:${PRIVATE_KEY}@evil.example` },
];

test("createAtlasFetch() shows no secret in its error about the environment", async () => {
  const isOurs = (name: string) => /^(MONGODB_ATLAS_|ATLAS_USER)/.test(name);
  const found = Object.entries(process.env).filter(([name]) => isOurs(name));
  const setOnly = (variables: Record<string, string | undefined>) => {
    for (const name of Object.keys(process.env).filter(isOurs)) delete process.env[name];
    Object.assign(process.env, variables);
  };
  try {
    for (const variables of HALVES) {
      setOnly(variables);
      const what = Object.keys(variables).join();
      const error = await failureOf(() => createAtlasFetch({ fetch: nowhere })("/groups"), what);
      assert.notEqual(error.message, "It was sent", what);
      assertShowsNone(error, SECRETS, what);
    }
  } finally {
    setOnly(Object.fromEntries(found));
  }
});

// What a server says of the request that it refuses ------------------------------------------------------------------

const ECHOES: Record<string, (sent: Sent) => string | ResponseInit> = {
  "the detail": ({ authorization }) => JSON.stringify({ detail: `Refused: ${authorization}`, errorCode: "X" }),
  "a detail in JSON": ({ headers }) => JSON.stringify({ detail: JSON.stringify([...headers]) }),
  "a detail in JSON of JSON": ({ headers }) => JSON.stringify({ detail: JSON.stringify(JSON.stringify([...headers])) }),
  "the parameters": ({ authorization }) =>
    JSON.stringify({ detail: "No", parameters: [authorization, { a: authorization }] }),
  "the fields": ({ authorization }) =>
    JSON.stringify({ badRequestDetail: { fields: [{ field: authorization, description: authorization }] } }),
  "the code": ({ authorization }) => JSON.stringify({ errorCode: authorization, reason: authorization }),
  "OAuth's description": ({ authorization }) => JSON.stringify({ error: "x", error_description: authorization }),
  "a page": ({ authorization }) => `<html><title>Refused: ${authorization}</title><pre>${authorization}`,
  "plain text": ({ headers }) => [...headers].map((field) => field.join(": ")).join("\r\n"),
  "text that is cut": ({ authorization }) => `${"-".repeat(480)} ${authorization}`,
  "a code in the header": ({ authorization }) => ({ headers: { "x-error-code": String(authorization) } }),
  "the reason phrase": ({ authorization }) => ({ statusText: String(authorization) }),
};

for (const [name, echo] of Object.entries(ECHOES)) {
  test(`ensureOk() shows nothing of an Authorization that the server repeats in ${name}`, async () => {
    for (const status of [401, 500]) {
      for (const [credentials, isMintRefused] of [[KEY, false], [ACCOUNT, false], [ACCOUNT, true]] as const) {
        const { fetch, sent } = createHostileServer((one) => {
          const isMint = one.url.endsWith("/oauth/token");
          if (isMint && !isMintRefused) return Response.json({ access_token: TOKEN });
          if (!one.authorization) return challenge({});
          const said = echo(one);
          return typeof said === "string" ? new Response(said, { status }) : new Response(null, { ...said, status });
        });
        const calls = createAtlasFetch({ credentials, fetch, retry: false });
        const what = `${status} with ${Object.keys(credentials)[0]}`;
        const error = await failureOf(() => ensureOk(calls("/groups")), what);
        const secrets = [...SECRETS, ...signaturesOf(sent)];
        // The response is what the server sent, and is not enumerable: who digs into it finds its header.
        if (/header|phrase/.test(name)) assertShowsNone(inspect(error), secrets, what);
        else assertShowsNone(error, secrets, what);
        const pages = paginate(calls, "/groups");
        assertShowsNone(inspect(await failureOf(() => pages.next(), what)), [...SECRETS, ...signaturesOf(sent)], what);
      }
    }
  });
}

function signaturesOf(sent: readonly { authorization: string | null }[]): string[] {
  return sent.flatMap(({ authorization }) => /response="([^"]+)"/.exec(authorization ?? "")?.[1] ?? []);
}

/** Bytes in place of an answer that is HTTP, made of the request that they answer. */
const GARBAGE: Record<string, (request: string) => string> = {
  "in place of an answer": (request) => request,
  "as the reason phrase of an error": (request) => `HTTP/1.1 500 ${fieldOf(request)}\r\nContent-Length: 0\r\n\r\n`,
  "as a header field without a name": (request) => `HTTP/1.1 200 OK\r\n: ${fieldOf(request)}\r\n\r\n`,
  "as a header field with NUL": (request) => `HTTP/1.1 200 OK\r\nX: \0${fieldOf(request)}\r\n\r\n`,
  "as a length": (request) => `HTTP/1.1 200 OK\r\nContent-Length: ${fieldOf(request)}\r\n\r\n`,
  "as a chunk of a page": (request) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${request}`,
  "as a chunk of an error": (request) => `HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n${request}`,
  "behind a chunk": (request) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[${request}`,
};

function fieldOf(request: string): string {
  return /\r\nauthorization: (.*)\r\n/i.exec(request)?.[1] ?? "none";
}

for (const [name, garbage] of Object.entries(GARBAGE)) {
  test(`createAtlasFetch() shows nothing of a request that the server repeats ${name}`, () => {
    let isMintRefused = false;
    return withWireServer((socket, request) => {
      const isMint = request.startsWith("POST /api/oauth/token ");
      if (isMint && !isMintRefused) socket.write(http(200, [], JSON.stringify({ access_token: TOKEN })));
      else if (fieldOf(request) === "none") {
        socket.write(http(401, ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']));
      } else socket.end(garbage(request));
    }, async ({ url, requests }) => {
      for (const credentials of [KEY, ACCOUNT, ACCOUNT]) {
        isMintRefused = requests.some((request) => request.includes(`Bearer ${TOKEN}`));
        const calls = createAtlasFetch({ credentials, baseUrl: url, retry: false });
        const error = await failureOf(() => paginate(calls, "/groups").next(), name);
        const secrets = [...SECRETS, ...signaturesOf(requests.map((request) => ({ authorization: fieldOf(request) })))];
        if (/phrase|without a name/.test(name)) assertShowsNone(inspect(error), secrets, name);
        else assertShowsNone(error, secrets, name);
      }
    });
  });
}

test("createDigestFetch() shows nothing of an Authorization that a redirect repeats", async () => {
  const places = (authorization: string | null) => [
    `/moved?${encodeURIComponent(String(authorization))}`,
    `javascript:${authorization}`,
    `http://u:${authorization}@`,
  ];
  for (const index of [0, 1, 2]) {
    const { fetch, sent } = createHostileServer((one) =>
      one.authorization ? redirect(places(one.authorization)[index] ?? "", 307) : challenge({})
    );
    const calls = createDigestFetch({ username: "u", password: PRIVATE_KEY, fetch });
    const body = new Blob(["x"]).stream();
    const error = await failureOf(
      () => calls("http://a.example/", { method: "POST", body, duplex: "half" }),
      "redirect",
    );
    assertShowsNone(error, [...SECRETS, ...signaturesOf(sent)], places("...")[index] ?? "");
  }
});

test("createTokenSource() shows nothing of what a store throws, nor what it holds", async () => {
  const values = [
    TOKEN,
    JSON.stringify({ token: TOKEN }),
    JSON.stringify({ token: `${TOKEN}\n`, end: 1e15 }),
    "null",
    "",
  ];
  for (const value of values) {
    const { fetch } = createHostileServer(() => new Response("No", { status: 500 }));
    const store = { get: () => value, set: () => Promise.reject(new Error(TOKEN)) };
    assertShowsNone(await failureOf(createTokenSource({ ...ACCOUNT, store, fetch }), value), SECRETS, value);
  }
  const { fetch } = createHostileServer(() => new Response("No", { status: 500 }));
  const store = {
    get: () => {
      throw new Error(TOKEN);
    },
    set: () => {},
  };
  assertShowsNone(await failureOf(createTokenSource({ ...ACCOUNT, store, fetch }), "a store"), SECRETS, "a store");
});

test("createAtlasFetch() and its parts show no secret when they are printed", () => {
  const shown = [
    createAtlasFetch({ credentials: KEY }),
    createAtlasFetch({ credentials: ACCOUNT }),
    createDigestFetch({ username: "u", password: PRIVATE_KEY }),
    createTokenSource(ACCOUNT),
    createBearerFetch({ token: createTokenSource(ACCOUNT) }),
  ];
  for (const value of shown) assertShowsNone(value, SECRETS, "A function");
});

test("atlas-fetch has printed no secret, in no warning either, while all of this failed", async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (const stop of stopListening) stop();
  for (const event of ["warning", "unhandledRejection"]) process.off(event, print);
  assertShowsNone(printed.join("\n"), SECRETS, "What was printed");
});
