// The mistakes of a first hour, and the exact words that they are answered with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAtlasFetch, createDigestFetch, createTokenSource, ensureOk } from "../mod.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { KEY } from "./atlas_client.ts";
import { challenged, createRecorder } from "./recorder.ts";
import { connectionError } from "./retry_answers.ts";

const fake = createFakeAtlas();
const atlas = { credentials: fake.credentials, fetch: fake };

async function withEnvironment(variables: Record<string, string>, call: () => Promise<unknown>): Promise<unknown> {
  const before = process.env;
  process.env = variables;
  try {
    return await call();
  } finally {
    process.env = before;
  }
}

/** As JavaScript would call it, which no types hold back. */
const untyped = (options: object): Parameters<typeof createAtlasFetch>[0] => options;

const MISTAKES: [mistake: string, make: () => unknown, message: string | RegExp][] = [
  [
    "no credentials",
    () => withEnvironment({}, () => createAtlasFetch()("/groups")),
    "TypeError: Cannot find Atlas credentials: set MONGODB_ATLAS_ACCESS_TOKEN, or MONGODB_ATLAS_CLIENT_ID and " +
    "MONGODB_ATLAS_CLIENT_SECRET, or MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY, or " +
    "MONGODB_ATLAS_PUBLIC_KEY and MONGODB_ATLAS_PRIVATE_KEY, or ATLAS_USER and ATLAS_USER_KEY, or give the option " +
    "credentials",
  ],
  [
    "half a pair",
    () => withEnvironment({ MONGODB_ATLAS_PUBLIC_API_KEY: "abcdefgh" }, () => createAtlasFetch()("/groups")),
    "TypeError: Cannot find Atlas credentials: MONGODB_ATLAS_PRIVATE_API_KEY is missing. Give both " +
    "MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY",
  ],
  [
    "a wrong key",
    () => ensureOk(createAtlasFetch({ ...atlas, credentials: KEY })("/groups")),
    "AtlasError: 401 UNEXPECTED_ERROR at /api/atlas/v2/groups: You are not authorized for this resource. Check user name " +
    "and password (of Atlas the public and the private key, or the access token) and that they belong to " +
    "cloud.mongodb.com: nobody was signed in",
  ],
  [
    "a wrong host",
    () => createAtlasFetch(atlas)("https://cloud.mongodbgov.com/api/atlas/v2/groups"),
    "TypeError: Cannot send Atlas credentials to https://cloud.mongodbgov.com: they are for https://cloud.mongodb.com. " +
    "Use plain fetch, or set baseUrl",
  ],
  [
    "http:",
    () => createAtlasFetch({ ...atlas, baseUrl: "http://cloud.mongodb.com" }),
    "TypeError: Cannot send credentials to http://cloud.mongodb.com: use https:, since http: is for loopback only",
  ],
  [
    "a base URL that is none",
    () => createAtlasFetch({ ...atlas, baseUrl: "cloud.mongodb.com" }),
    "TypeError: Cannot use baseUrl: it is not an origin such as https://cloud.mongodb.com",
  ],
  [
    "a service account as public key",
    () => createAtlasFetch({ credentials: { publicKey: "mdb_sa_id_0", privateKey: "mdb_sa_sk_0" } }),
    "TypeError: Cannot use a service account as publicKey: give { clientId, clientSecret }, or set " +
    "MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET",
  ],
  [
    "a bad version",
    () => createAtlasFetch(atlas)("/groups", { version: "2025-3-12" }),
    'TypeError: Cannot ask for "2025-3-12+json": give a version as YYYY-MM-DD or "preview", a format as json, csv or gzip',
  ],
  [
    "an object as body",
    () => createAtlasFetch(atlas)("/groups", Object({ method: "POST", body: { name: "x" } })),
    "TypeError: Cannot send an object as body: use JSON.stringify",
  ],
  [
    "a body with GET",
    () => createAtlasFetch(atlas)("/groups", { body: "{}" }),
    "TypeError: Cannot send a body with GET: use POST or the query",
  ],
  [
    "the keys beside the options",
    () => createAtlasFetch(untyped(KEY)),
    "TypeError: Cannot use the option publicKey: there are credentials, baseUrl, version, retry, fetch",
  ],
  [
    "a misspelt option",
    () => createAtlasFetch(untyped({ baseURL: "https://cloud.mongodbgov.com" })),
    "TypeError: Cannot use the option baseURL: there are credentials, baseUrl, version, retry, fetch",
  ],
  [
    "a number of retries",
    () => createAtlasFetch(untyped({ retry: 3 })),
    "TypeError: Cannot use the option retry: it is an object such as { limit: 2 }, or false",
  ],
  [
    "no path",
    () => Reflect.apply(createAtlasFetch(atlas), undefined, []),
    'TypeError: Cannot call Atlas: give a path such as "/groups", or a URL of https://cloud.mongodb.com',
  ],
  [
    "a forgotten await",
    () => Reflect.apply(Reflect.get(createAtlasFetch(atlas)("/groups"), "json"), undefined, []),
    /^TypeError: /, // the engine's own words; types hold it back
  ],
  [
    "one's own Authorization header",
    () => createAtlasFetch(atlas)("/groups", { headers: { authorization: "Bearer x" } }),
    "TypeError: Cannot send your own Authorization header. Remove it, or use plain fetch",
  ],
  [
    "a server that wants Basic only",
    () => {
      const { fetch } = createRecorder(() => challenged('Basic realm="Camera"'));
      return ensureOk(createDigestFetch({ username: "ada", password: "lovelace", fetch })("http://192.0.2.1/"));
    },
    "AtlasError: 401 at /: who are you?. This server wants Basic, which plain fetch can send",
  ],
  [
    "no user name",
    () => createDigestFetch(Object({})),
    "TypeError: Cannot authenticate: username is missing, or is no string",
  ],
  [
    "no client id",
    () => createTokenSource(Object({})),
    "TypeError: Cannot authenticate: clientId is missing, or is no string",
  ],
  [
    "a closed port",
    () => {
      const refused = connectionError("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1");
      const { fetch } = createRecorder(() => Promise.reject(refused));
      return createAtlasFetch({ ...atlas, fetch, retry: false })("/groups", { method: "POST" });
    },
    "TypeError: fetch failed", // as fetch has it: the cause tells
  ],
  [
    "an unknown host",
    () => {
      const unknown = connectionError("ENOTFOUND", "getaddrinfo ENOTFOUND cloud.mongodb.example");
      const { fetch } = createRecorder(() => Promise.reject(unknown));
      const credentials = { clientId: "mdb_sa_id_0", clientSecret: "mdb_sa_sk_0" };
      return createAtlasFetch({ credentials, baseUrl: "https://cloud.mongodb.example", fetch })("/groups");
    },
    "TypeError: Cannot get an access token: cloud.mongodb.example did not answer",
  ],
];

for (const [mistake, make, message] of MISTAKES) {
  test(`${mistake[0]?.toUpperCase()}${mistake.slice(1)} is answered with what to do`, async () => {
    const error = await Promise.resolve().then(make).then(
      () => assert.fail("It went through"),
      (error: unknown) => error,
    );
    if (message instanceof RegExp) assert.match(String(error), message);
    else assert.equal(String(error), message);
  });
}
