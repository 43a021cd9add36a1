import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createBearerFetch } from "../lib/bearer_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import type { TokenSource } from "../lib/token_source.ts";
import { withTimers } from "./clock.ts";
import { bodyOf, createRecorder, type Sent } from "./recorder.ts";
import { lost } from "./retry_answers.ts";
import { serving } from "./serving.ts";

const URL_OF_GROUPS = "https://cloud.mongodb.com/api/atlas/v2/groups";

const authorizationsOf = (sent: readonly Sent[]) => sent.map(({ headers }) => headers.get("authorization"));

interface Source {
  token: TokenSource;
  asked: { refused: string | undefined; signal: AbortSignal | undefined }[];
}

/** Gives t1 until that is refused, then t2, and so on; keeps a record. */
function createSource(): Source {
  const asked: Source["asked"] = [];
  let count = 1;
  const token: TokenSource = ({ refused, signal } = {}) => {
    asked.push({ refused, signal });
    if (refused === `t${count}`) count++;
    return Promise.resolve(`t${count}`);
  };
  return { token, asked };
}

const refused = () => new Response("refused", { status: 401 });
const roleMissing = () => new Response("no role", { status: 401, headers: { "X-Error-Code": "USER_UNAUTHORIZED" } });

test("createBearerFetch() sends the token of its source with every call", async () => {
  const { token, asked } = createSource();
  const { fetch, sent } = createRecorder();
  const bearerFetch = createBearerFetch({ token, fetch });
  assert.equal(await (await bearerFetch(URL_OF_GROUPS)).text(), "ok");
  assert.equal((await bearerFetch(new URL(URL_OF_GROUPS), { method: "DELETE" })).status, 200);
  assert.equal((await bearerFetch(new Request(URL_OF_GROUPS, { method: "POST", body: "x" }))).status, 200);
  assert.deepEqual(authorizationsOf(sent), ["Bearer t1", "Bearer t1", "Bearer t1"]);
  assert.deepEqual(sent.map(({ url }) => url), [URL_OF_GROUPS, URL_OF_GROUPS, URL_OF_GROUPS]);
  assert.deepEqual(await Promise.all(sent.map(bodyOf)), ["", "", "x"]);
  assert.deepEqual(asked.map((options) => options.refused), [undefined, undefined, undefined]);
});

test("createBearerFetch() looks the global fetch up at each request", async () => {
  const original = globalThis.fetch;
  const bearerFetch = createBearerFetch({ token: createSource().token });
  const { fetch, sent } = createRecorder(refused, () => new Response("ok"));
  globalThis.fetch = fetch;
  try {
    assert.equal((await bearerFetch(URL_OF_GROUPS)).status, 200);
  } finally {
    globalThis.fetch = original;
  }
  assert.equal(sent.length, 2);
});

test("createBearerFetch() answers a 401 once, with a renewed token and the same body", async () => {
  const form = new FormData();
  form.set("a", "1");
  const bodies: [body: NonNullable<RequestInit["body"]>, sent: RegExp][] = [
    ["text €", /^text €$/],
    [new Uint8Array([104, 105]), /^hi$/],
    [new Blob(["blob"]), /^blob$/],
    [new URLSearchParams({ a: "1" }), /^a=1$/],
    [form, /name="a"/],
  ];
  for (const [body, expected] of bodies) {
    const { token, asked } = createSource();
    const { fetch, sent } = createRecorder(refused, () => new Response("ok"));
    const response = await createBearerFetch({ token, fetch })(URL_OF_GROUPS, { method: "POST", body });
    assert.equal(await response.text(), "ok");
    assert.deepEqual(authorizationsOf(sent), ["Bearer t1", "Bearer t2"]);
    assert.deepEqual(asked.map(({ refused }) => refused), [undefined, "t1"]);
    const [first = "", second] = await Promise.all(sent.map(bodyOf));
    assert.match(first, expected);
    assert.equal(second, first);
    const [type, again] = sent.map(({ headers }) => headers.get("content-type"));
    assert.equal(again, type);
  }
});

test("createBearerFetch() returns a second 401 with its body unread", async () => {
  const { token, asked } = createSource();
  const { fetch, sent } = createRecorder(refused);
  const response = await createBearerFetch({ token, fetch })(URL_OF_GROUPS);
  assert.equal(response.status, 401);
  assert.equal(response.bodyUsed, false);
  assert.equal(await response.text(), "refused");
  assert.equal(sent.length, 2);
  assert.equal(asked.length, 2);
});

test("createBearerFetch() returns the 401 if the source has no other token", async () => {
  const { fetch, sent } = createRecorder(refused);
  const response = await createBearerFetch({ token: () => Promise.resolve("same"), fetch })(URL_OF_GROUPS);
  assert.equal(response.status, 401);
  assert.equal(await response.text(), "refused");
  assert.equal(sent.length, 1);
});

test("createBearerFetch() renews no token for a missing role, a 403 and the like", async () => {
  const answers = [200, 204, 302, 400, 403, 404, 407, 429, 500, 503].map((status) => () =>
    new Response(null, { status })
  );
  for (const answer of [roleMissing, ...answers]) {
    const { token, asked } = createSource();
    const { fetch, sent } = createRecorder(answer);
    const response = await createBearerFetch({ token, fetch })(URL_OF_GROUPS);
    assert.equal(response.status, answer().status);
    assert.equal(response.bodyUsed, false);
    assert.equal(sent.length, 1);
    assert.equal(asked.length, 1);
  }
});

test("createBearerFetch() sends a stream once, and the next call with a renewed token", async () => {
  const { token, asked } = createSource();
  const { fetch, sent } = createRecorder(refused, () => new Response("ok"));
  const bearerFetch = createBearerFetch({ token, fetch });
  const upload = () => bearerFetch(URL_OF_GROUPS, { method: "POST", body: new Blob(["streamed"]).stream() });
  const response = await upload();
  assert.equal(response.status, 401);
  assert.equal(await response.text(), "refused");
  assert.deepEqual(asked.map(({ refused }) => refused), [undefined, "t1"]);
  assert.equal((await upload()).status, 200);
  assert.deepEqual(await Promise.all(sent.map(bodyOf)), ["streamed", "streamed"]);
  assert.deepEqual(authorizationsOf(sent), ["Bearer t1", "Bearer t2"]);
});

test("createBearerFetch() refuses a caller's Authorization before it asks for a token", async () => {
  const { token, asked } = createSource();
  const { fetch, sent } = createRecorder();
  const bearerFetch = createBearerFetch({ token, fetch });
  const authorization = "Bearer hunter2";
  for (
    const call of [
      () => bearerFetch(URL_OF_GROUPS, { headers: { authorization } }),
      () => bearerFetch(URL_OF_GROUPS, { headers: [["AUTHORIZATION", authorization]] }),
      () => bearerFetch(URL_OF_GROUPS, { headers: new Headers({ authorization }) }),
      () => bearerFetch(new Request(URL_OF_GROUPS, { headers: { authorization } })),
    ]
  ) {
    await assert.rejects(call, (error) => error instanceof TypeError && !inspect(error).includes("hunter2"));
  }
  assert.equal(asked.length, 0);
  assert.equal(sent.length, 0);
});

test("createBearerFetch() refuses a token that no header can hold, and does not show it", async () => {
  for (const bad of ["", "hidden\r\nX-Evil: 1", "hidden\n", "hid den", "hiddën", "hidden\0", "hidden "]) {
    const { fetch, sent } = createRecorder(refused);
    const tokens: TokenSource[] = [
      () => Promise.resolve(bad),
      ({ refused } = {}) => Promise.resolve(refused === undefined ? "t1" : bad),
    ];
    for (const [index, token] of tokens.entries()) {
      await assert.rejects(
        createBearerFetch({ token, fetch })(URL_OF_GROUPS),
        (error) => error instanceof TypeError && !/hid|Evil/.test(inspect(error)),
      );
      assert.equal(sent.length, index);
    }
  }
});

test("createBearerFetch() rejects with what its source throws", async () => {
  const reason = new Error("No tokens today");
  const { fetch, sent } = createRecorder(refused);
  const tokens: TokenSource[] = [
    () => Promise.reject(reason),
    ({ refused } = {}) => refused === undefined ? Promise.resolve("t1") : Promise.reject(reason),
  ];
  for (const token of tokens) {
    await assert.rejects(createBearerFetch({ token, fetch })(URL_OF_GROUPS), (error) => error === reason);
  }
  assert.equal(sent.length, 1);

  const read = createRecorder(() => {
    const response = refused();
    response.body?.getReader(); // by the caller's fetch
    return Promise.resolve(response);
  });
  const bearerFetch = createBearerFetch({ token: tokens[1] ?? assert.fail(), fetch: read.fetch });
  await assert.rejects(bearerFetch(URL_OF_GROUPS), (error) => error === reason);
});

test("createBearerFetch() hands the signal to its source and to fetch, and honours it in between", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const { token, asked } = createSource();
  const { fetch, sent } = createRecorder(refused, () => new Response("ok"));
  await createBearerFetch({ token, fetch })(URL_OF_GROUPS, { signal });
  assert.deepEqual(asked.map((options) => options.signal), [signal, signal]);
  assert.deepEqual(sent.map(({ init }) => init.signal), [signal, signal]);

  const reason = new Error("Enough");
  const late = createRecorder(refused, () => new Response("ok"));
  const aborting: TokenSource = ({ refused } = {}) => {
    if (refused !== undefined) controller.abort(reason);
    return Promise.resolve(refused === undefined ? "t1" : "t2");
  };
  const call = createBearerFetch({ token: aborting, fetch: late.fetch })(URL_OF_GROUPS, { signal });
  await assert.rejects(call, (error) => error === reason);
  assert.equal(late.sent.length, 1);
  await assert.rejects(createBearerFetch({ token, fetch })(URL_OF_GROUPS, { signal }), (error) => error === reason);
  assert.equal(asked.length, 2);
});

test("createBearerFetch() changes neither the caller's init nor its headers", async () => {
  const headers = new Headers({ accept: "text/plain" });
  const init = Object.freeze({ method: "POST", headers, body: "x" });
  const { fetch } = createRecorder(refused, () => new Response("ok"));
  await createBearerFetch({ token: createSource().token, fetch })(URL_OF_GROUPS, init);
  assert.deepEqual([...headers], [["accept", "text/plain"]]);
  const request = new Request(URL_OF_GROUPS, { headers });
  await createBearerFetch({ token: createSource().token, fetch })(request);
  assert.deepEqual([...request.headers], [["accept", "text/plain"]]);
});

test("createBearerFetch() renews no token for the 401 of another origin, which never saw it", async () => {
  const seen: (string | undefined)[] = [];
  await serving((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401).end("who are you?");
  }, (other) =>
    serving((_request, response) => {
      response.writeHead(307, { location: other }).end();
    }, async (url) => {
      const { token, asked } = createSource();
      const bearerFetch = createBearerFetch({ token });
      const response = await bearerFetch(url);
      assert.equal(response.status, 401);
      assert.equal(await response.text(), "who are you?");
      assert.deepEqual(asked.map(({ refused }) => refused), [undefined]);
      assert.deepEqual(seen, [undefined]);
    }));
});

test("createBearerFetch() renews the token for a 401 behind a redirect of the same origin", async () => {
  await serving((request, response) => {
    if (request.url === "/moved") return void response.writeHead(302, { location: "/home" }).end();
    response.writeHead(request.headers.authorization === "Bearer t2" ? 200 : 401).end();
  }, async (url) => {
    const { token, asked } = createSource();
    assert.equal((await createBearerFetch({ token })(`${url}/moved`)).status, 200);
    assert.deepEqual(asked.map(({ refused }) => refused), [undefined, undefined, "t1"]);
  });
});

test("createBearerFetch() sends no POST again for a 401 behind its redirect, but what that led to", async () => {
  const seen: string[] = [];
  await serving((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    if (request.method === "POST") return void response.writeHead(303, { location: "/done" }).end();
    response.writeHead(request.headers.authorization === "Bearer t2" ? 200 : 401).end();
  }, async (url) => {
    const bearerFetch = createBearerFetch({ token: createSource().token });
    assert.equal((await bearerFetch(`${url}/do`, { method: "POST", body: "x" })).status, 200);
    assert.deepEqual(seen, ["POST /do Bearer t1", "GET /done Bearer t1", "GET /done Bearer t2"]);
  });
});

test("createBearerFetch() uses the connection of the refused request again", async () => {
  await serving((request, response) => {
    response.writeHead(request.headers.authorization === "Bearer t2" ? 200 : 401).end("x".repeat(2000));
  }, async (url, connections) => {
    const response = await createBearerFetch({ token: createSource().token })(url);
    assert.equal(response.status, 200);
    await response.text();
    assert.equal(connections(), 1);
  });
});

test("createBearerFetch() shows no token", async () => {
  const bearerFetch = createBearerFetch({ token: () => Promise.resolve("hidden"), fetch: createRecorder().fetch });
  await bearerFetch(URL_OF_GROUPS);
  assert.ok(!inspect(bearerFetch, { showHidden: true, depth: Infinity }).includes("hidden"));
});

// With the service accounts of createAtlasFetch ---------------------------------------------------------------

const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

/** The paths that were asked for, and those of the mints. */
function pathsOf(requests: readonly Request[]): string[] {
  return requests.map(({ url }) => new URL(url).pathname.replace("/api/", ""));
}

async function revoke(fake: Fetch, token: string): Promise<void> {
  const { clientId, clientSecret } = serviceAccount;
  const response = await fake("https://cloud.mongodb.com/api/oauth/revoke", {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ token, token_type_hint: "access_token" }),
  });
  assert.equal(response.status, 200);
}

test("createAtlasFetch() mints once for a hundred calls, and once more when the token was revoked", async () => {
  const fake = createFakeAtlas({ serviceAccount });
  const atlasFetch = createAtlasFetch({ credentials: serviceAccount, fetch: fake });
  const askAll = () => Promise.all(Array.from({ length: 100 }, async () => (await atlasFetch("/groups")).status));
  const mints = () => pathsOf(fake.requests).filter((path) => path === "oauth/token").length;
  assert.deepEqual(new Set(await askAll()), new Set([200]));
  assert.equal(mints(), 1);
  const token = fake.requests.at(-1)?.headers.get("authorization")?.replace("Bearer ", "") ?? "";
  await revoke(fake, token);
  assert.deepEqual(new Set(await askAll()), new Set([200]));
  assert.equal(mints(), 2);
});

test("createAtlasFetch() replaces a stored token that Atlas refuses, once and for all processes", async () => {
  const fake = createFakeAtlas({ serviceAccount });
  const tokenStore = new Map<string, string>();
  const make = () => createAtlasFetch({ credentials: { ...serviceAccount, tokenStore }, fetch: fake });
  await make()("/groups");
  const [value = ""] = tokenStore.values();
  const stored: { token: string } = JSON.parse(value);
  await revoke(fake, stored.token);
  const before = fake.requests.length;
  const [one, two] = [make(), make()];
  assert.equal((await one("/groups")).status, 200);
  assert.equal((await two("/groups")).status, 200);
  const after = ["atlas/v2/groups", "oauth/token", "atlas/v2/groups", "atlas/v2/groups"];
  assert.deepEqual(pathsOf(fake.requests).slice(before), after);
});

test("createAtlasFetch() mints nothing more for a role that is missing or an address that is not on the list", async () => {
  const fake = createFakeAtlas({ serviceAccount, answers: [roleMissing()], refusedAddress: "203.0.113.9" });
  const atlasFetch = createAtlasFetch({ credentials: serviceAccount, fetch: fake });
  assert.equal((await atlasFetch("/groups")).status, 401);
  assert.equal((await atlasFetch("/groups")).status, 403);
  assert.deepEqual(pathsOf(fake.requests), ["oauth/token", "atlas/v2/groups", "atlas/v2/groups"]);
});

test("createAtlasFetch() does not try a refused mint again", async () => {
  const fake = createFakeAtlas({ serviceAccount, mintsPerMinute: 0 });
  const atlasFetch = createAtlasFetch({ credentials: serviceAccount, fetch: fake, retry: { limit: 5, maxDelay: 1 } });
  await assert.rejects(atlasFetch("/groups"), { name: "AtlasError", status: 429, code: "RATE_LIMITED" });
  assert.deepEqual(pathsOf(fake.requests), ["oauth/token"]);

  // Nor one whose connection was lost for good: the source has tried it three times by itself.
  for (const method of ["GET", "POST"]) {
    await withTimers({}, async () => {
      const down = createRecorder(lost);
      const options = { credentials: serviceAccount, retry: { limit: 5, maxDelay: 1 } };
      const unreachable = createAtlasFetch({ ...options, fetch: down.fetch });
      await assert.rejects(unreachable("/groups", { method }), {
        name: "TypeError",
        message: "Cannot get an access token: cloud.mongodb.com did not answer",
      });
      assert.equal(down.sent.length, 3);
    });
  }
});

test("createBearerFetch() says what is missing when it is made", () => {
  const nothing: { token: () => Promise<string> } = JSON.parse("{}");
  assert.throws(
    () => createBearerFetch(nothing),
    /^TypeError: Cannot authenticate: token is missing, or is no function$/,
  );
  const none: Parameters<typeof createBearerFetch> = JSON.parse("[null]");
  assert.throws(() => createBearerFetch(...none), /^TypeError: Cannot authenticate: token is missing/);
});

test("createBearerFetch() refuses a token that is no string", async () => {
  const nothing: () => Promise<string> = () => Promise.resolve(JSON.parse("null"));
  const fetch = createBearerFetch({ token: nothing, fetch: createRecorder().fetch });
  await assert.rejects(fetch("https://h.example/"), /^TypeError: Cannot use the access token/);
});

test("createBearerFetch() takes a source that gives its token at once", async () => {
  const { fetch, sent } = createRecorder();
  const bearerFetch = createBearerFetch(Object({ token: () => "t1", fetch }));
  await bearerFetch("https://h.example/");
  await bearerFetch("https://h.example/", { signal: new AbortController().signal });
  assert.deepEqual(sent.map(({ headers }) => headers.get("authorization")), ["Bearer t1", "Bearer t1"]);
});

test("createBearerFetch() honours a signal while a source of its own kind is silent", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const fetch = createBearerFetch({ token: () => new Promise(() => {}), fetch: createRecorder().fetch });
  const call = fetch("https://h.example/", { signal: controller.signal });
  setTimeout(() => controller.abort(reason));
  await assert.rejects(call, reason);
});
