import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { ensureOk } from "../lib/atlas_error.ts";
import { type AtlasFetchOptions, createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { ACCOUNT, KEY, ORIGIN, record } from "./atlas_client.ts";
import { challenged, createRecorder } from "./recorder.ts";
import { reasonOf } from "./serving.ts";

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

test("createAtlasFetch() leaves no key in what it gives and throws", async () => {
  const secrets = [KEY.publicKey, KEY.privateKey, ACCOUNT.clientSecret, "t0ken"];
  const lost: Fetch = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNRESET") }));
  const refused = createRecorder(({ url }) => {
    if (url.endsWith("/token")) return Response.json({ access_token: "t0ken" });
    return challenged();
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

test("createAtlasFetch() refuses credentials that are no object, and does not fall back to the environment", () => {
  for (const text of ["null", '"key"', "1"]) {
    const credentials: { publicKey: string; privateKey: string } = JSON.parse(text);
    assert.throws(
      () => createAtlasFetch({ credentials }),
      /^TypeError: Cannot find Atlas credentials: publicKey is missing\. Give both publicKey and privateKey$/,
    );
  }
});

test("createAtlasFetch() refuses an option that there is not, which could mean another identity or host", () => {
  const misspelt = [
    { publicKey: "a", privateKey: "b" },
    { clientId: "a", credentials: KEY },
    { accessToken: "a" },
    { baseURL: "https://cloud.mongodbgov.com" },
    { base_url: undefined },
    { retries: 3 },
    { Version: "2024-08-05" },
  ];
  for (const options of misspelt) {
    const [name] = Object.keys(options);
    const message = `Cannot use the option ${name}: there are credentials, baseUrl, version, retry, fetch`;
    assert.throws(() => createAtlasFetch(Object(options)), { name: "TypeError", message });
  }
});

test("createAtlasFetch() refuses a retry that is neither an object nor false", () => {
  for (const retry of [3, true, "3", null]) {
    assert.throws(() => createAtlasFetch(Object({ retry })), {
      name: "TypeError",
      message: "Cannot use the option retry: it is an object such as { limit: 2 }, or false",
    });
  }
});

test("createAtlasFetch() sends an access token as it is, and takes its 401 for final", async () => {
  const credentials = { accessToken: "t0ken" };
  const { fetch, sent } = record({ credentials }, ({ url }) => {
    return new Response(null, url.endsWith("/late") ? { status: 401 } : {});
  });
  assert.equal((await fetch("/groups")).status, 200);
  const refused = await fetch("/late");
  assert.equal(refused.status, 401);
  assert.deepEqual(sent.map(({ headers }) => headers.get("authorization")), ["Bearer t0ken", "Bearer t0ken"]);
  const error = await reasonOf(ensureOk(refused));
  assert.equal(error.message, "401 at /api/atlas/v2/late: An access token may have ended: they live an hour");

  for (const accessToken of ["", null]) {
    assert.throws(() => createAtlasFetch({ credentials: Object({ accessToken }) }), {
      name: "TypeError",
      message: "Cannot find Atlas credentials: accessToken is missing",
    });
  }
  assert.throws(
    () => createAtlasFetch({ credentials: { accessToken: "mdb_sa_sk_x" } }),
    /^TypeError: Cannot use a service/,
  );
  await assert.rejects(record({ credentials: { accessToken: "t0 ken" } }).fetch("/"), (error: unknown) => {
    return error instanceof TypeError && /access token/.test(error.message) && !/t0/.test(error.message);
  });
});

test("createAtlasFetch() takes undefined credentials beside others for absent", async () => {
  const { fetch, sent } = record({ credentials: Object({ ...KEY, clientId: undefined, accessToken: undefined }) });
  await fetch("/");
  assert.equal(sent.length, 1); // and not a mint
  const half = { clientId: undefined, clientSecret: "mdb_sa_sk_x" };
  assert.throws(
    () => createAtlasFetch({ credentials: Object(half) }),
    /: clientId is missing\. Give both clientId and/,
  );
});
