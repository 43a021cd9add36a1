// The layers put around each other, with and without a fetch of the user's between them.
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { inspect } from "node:util";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createBearerFetch } from "../lib/bearer_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/mod.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { createTokenSource, type TokenSource } from "../lib/token_source.ts";
import { type Answer, askForDigest, bodyOf, challenged, createRecorder, type Sent } from "./recorder.ts";
import { reasonOf, serving } from "./serving.ts";

const PLACE = "https://digest.example/a";
const person = { username: "ada", password: "lovelace" };
const token = () => Promise.resolve("t0ken");
/** What a request was signed with. */
const countOf = ({ headers }: Sent) => /nc=(\d+)/.exec(headers.get("authorization") ?? "")?.[1];

const OWN = /^TypeError: Cannot send your own Authorization header/;

test("createRetryFetch() lets the fetch that it is given choose another URL, method, body and headers", async () => {
  const { fetch, sent } = createRecorder(askForDigest);
  const digestFetch = createDigestFetch({ ...person, fetch });
  const retryFetch = createRetryFetch({
    fetch: (_input, init = {}) => {
      const headers = { ...Object.fromEntries(new Headers(init.headers)), "x-trace": "1" };
      Object.assign(init, { method: "POST", body: new URLSearchParams("a=b"), headers });
      return digestFetch(new Request("https://other.example/b"), init);
    },
  });
  assert.equal((await retryFetch(PLACE, { headers: { "x-own": "2" } })).status, 200);
  assert.deepEqual(sent.map(({ url }) => url), ["https://other.example/b", "https://other.example/b"]);
  for (const one of sent) {
    assert.deepEqual([...one.headers.keys()].filter((name) => name !== "authorization"), [
      "content-type",
      "x-own",
      "x-trace",
    ]);
    assert.equal(one.method, "POST");
    assert.equal(await bodyOf(one), "a=b");
  }
});

test("createDigestFetch() and createRetryFetch() send each try as the first one, whatever a fetch made of its init", async () => {
  for (const status of [401, 429]) {
    const bodies: string[] = [];
    const fetch: Fetch = async (_input, init = {}) => {
      init.body = `<${String(init.body)}>`;
      bodies.push(init.body);
      const headers = { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"', "retry-after": "0" };
      return await Promise.resolve(new Response(null, bodies.length === 1 ? { status, headers } : {}));
    };
    const layer = status === 401 ? createDigestFetch({ ...person, fetch }) : createRetryFetch({ fetch, maxDelay: 1 });
    assert.equal((await layer(PLACE, { method: "POST", body: "a" })).status, 200);
    assert.deepEqual(bodies, ["<a>", "<a>"]);
  }
});

const renewable: TokenSource = ({ refused } = {}) => Promise.resolve(refused === undefined ? "t1" : "t2");
const unsigned: Answer = () => challenged();
const busy: Answer = () => new Response(null, { status: 429, headers: { "retry-after": "0" } });
const tryingTwice: [name: string, refusal: Answer, layer: (fetch: Fetch) => Fetch][] = [
  ["createDigestFetch", unsigned, (fetch) => createDigestFetch({ ...person, fetch })],
  ["createBearerFetch", unsigned, (fetch) => createBearerFetch({ token: renewable, fetch })],
  ["createRetryFetch", busy, (fetch) => createRetryFetch({ maxDelay: 1, fetch })],
];
for (const [name, refusal, layer] of tryingTwice) {
  test(`${name}() sends the caller's headers with each try, whatever a fetch made of them`, async () => {
    const { fetch, sent } = createRecorder(refusal, () => new Response("ok"));
    const spoiling: Fetch = (input, init) => {
      const response = fetch(input, init);
      assert.ok(init?.headers instanceof Headers);
      init.headers.set("accept", "spoilt");
      return response;
    };
    assert.equal((await layer(spoiling)(PLACE, { headers: { accept: "text/plain" } })).status, 200);
    assert.deepEqual(sent.map(({ headers }) => headers.get("accept")), ["text/plain", "text/plain"]);
  });
}

test("createDigestFetch(), createBearerFetch() and createRetryFetch() follow a 307 with each body that can be sent again", async () => {
  const form = new FormData();
  form.set("a", "b");
  const bodies = ["text", new Uint8Array([98, 99]), new Blob(["blob"]), new URLSearchParams("a=b"), form];
  await serving(async (request, response) => {
    const body = await buffer(request);
    if (request.url === "/") response.writeHead(307, { location: "/to" }).end();
    else response.end(body);
  }, async (url) => {
    const layers = [createDigestFetch(person), createBearerFetch({ token }), createRetryFetch({ limit: 0 })];
    for (const fetch of layers) {
      for (const body of bodies) {
        for (const input of [url, new Request(url, { method: "POST", body })]) {
          const response = await fetch(input, typeof input === "string" ? { method: "POST", body } : {});
          assert.equal(response.status, 200);
          assert.equal(response.redirected, true);
          const text = await response.text();
          if (body === form) assert.match(text, /name="a"\r\n\r\nb\r\n/);
          else assert.equal(text, await new Response(body).text());
        }
      }
    }
  });
});

test("createDigestFetch() needs no clock that a test has faked", { timeout: 5000 }, async () => {
  const { fetch } = createRecorder(askForDigest);
  const { setImmediate } = globalThis;
  Object.assign(globalThis, { setImmediate() {} }); // as the faked clocks of node:test and others do
  try {
    assert.equal((await createDigestFetch({ ...person, fetch })(PLACE)).status, 200);
  } finally {
    Object.assign(globalThis, { setImmediate });
  }
});

test("discard() needs no setImmediate", async () => {
  const again = "../lib/digest/call.ts?without"; // else it is the one that was imported already
  const { setImmediate } = globalThis;
  Reflect.deleteProperty(globalThis, "setImmediate"); // as Jest's jsdom does
  try {
    const { discard }: typeof import("../lib/digest/call.ts") = await import(again);
    const { fetch, sent } = createRecorder(() => new Response("to be read"));
    const response = await fetch(PLACE);
    await discard(response, { ...Object(sent[0]), signal: null });
    assert.equal(response.bodyUsed, true);
  } finally {
    Object.assign(globalThis, { setImmediate });
  }
});

test("createDigestFetch() takes an init that another call was sent with as any other", async () => {
  let used: RequestInit | undefined;
  await createRetryFetch({ fetch: (_input, init) => (used = init, Promise.resolve(new Response())) })(PLACE);
  const { fetch, sent } = createRecorder(askForDigest);
  await createDigestFetch({ ...person, fetch })("https://other.example/b", used);
  assert.deepEqual(sent.map(({ url }) => url), ["https://other.example/b", "https://other.example/b"]);
});

test("createDigestFetch() shares no headers between two calls with one init, and leaves them alone", async () => {
  const { fetch, sent } = createRecorder(askForDigest);
  const digestFetch = createDigestFetch({ ...person, fetch });
  await digestFetch(PLACE);
  const hedged = createRetryFetch({
    fetch: async (input, init) => {
      const [first] = await Promise.all([digestFetch(input, init), digestFetch(input, init)]);
      assert.equal(new Headers(init?.headers).get("authorization"), null);
      return first;
    },
  });
  await hedged(PLACE);
  const counts = sent.slice(2).map(countOf);
  assert.deepEqual(counts, ["00000002", "00000003"]);
});

test("createDigestFetch() and createBearerFetch() refuse an Authorization header from whatever is around them", async () => {
  const { fetch, sent } = createRecorder(askForDigest);
  const digestFetch = createDigestFetch({ ...person, fetch });
  const bearerFetch = createBearerFetch({ token, fetch });
  const signing: Fetch = (input, init = {}) => digestFetch(input, { ...init, headers: { authorization: "mine" } });
  const own = { headers: { authorization: "mine" } };
  await assert.rejects(createRetryFetch({ fetch: signing })(PLACE), OWN);
  await assert.rejects(createRetryFetch({ fetch: digestFetch })(PLACE, own), OWN);
  await assert.rejects(createRetryFetch({ fetch: createRetryFetch({ fetch: bearerFetch }) })(PLACE, own), OWN);
  await assert.rejects(createBearerFetch({ token, fetch: digestFetch })(PLACE), OWN);
  assert.deepEqual(sent, []);
  await assert.rejects(
    createDigestFetch({ ...person, fetch: createRetryFetch({ fetch: bearerFetch }) })(PLACE, own),
    OWN,
  );
  assert.deepEqual(sent, []);
  // Not its own: retries alone may carry any.
  assert.equal((await createRetryFetch({ fetch })(PLACE, own)).status, 200);
});

test("createRetryFetch() has each try signed anew by a layer of ours, and its caller's Authorization kept", async () => {
  let tries = 0;
  const { fetch, sent } = createRecorder(askForDigest);
  const busy: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    return response.ok && ++tries < 3 ? new Response(null, { status: 429, headers: { "retry-after": "0" } }) : response;
  };
  const options = { limit: 2, maxDelay: 1 };
  await createRetryFetch({ ...options, fetch: createDigestFetch({ ...person, fetch: busy }) })(PLACE);
  const counts = sent.map(countOf);
  assert.deepEqual(counts, [undefined, "00000001", "00000002", "00000003"]);
  tries = 0;
  sent.length = 0;
  await createRetryFetch({ ...options, fetch: busy })(PLACE, { headers: { authorization: "mine" } });
  assert.deepEqual(sent.map(({ headers }) => headers.get("authorization")), ["mine", "mine", "mine"]);
});

test("createAtlasFetch() takes a path from a fetch around it", async () => {
  const atlas = createFakeAtlas();
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const local = createRetryFetch({ fetch: (input, init) => atlasFetch(new URL(String(input)).pathname, init) });
  assert.equal((await local("https://local.example/groups")).status, 200);
});

test("createBearerFetch() reads the init at the moment of the call", async () => {
  const { fetch, sent } = createRecorder(askForDigest);
  const init: RequestInit = { redirect: "error", method: "POST", body: new Blob(["x"]) };
  const call = createBearerFetch({ token, fetch })(new Request(PLACE), init);
  Object.assign(init, { redirect: "follow", method: "PUT" });
  await call;
  assert.deepEqual(sent.map(({ init, method }) => [init.redirect, method]), [["error", "POST"]]);
});

test("createDigestFetch() and its like hide what undici's HTTPParserError quotes, at any depth of causes", async () => {
  const echo = () => {
    const parserError = Object.assign(new Error("Response does not match the HTTP/1.1 protocol"), {
      name: "HTTPParserError",
      data: "GET / HTTP/1.1\r\nauthorization: Bearer t0ken\r\nauthorization: Basic aWQ6c2VjcmV0",
    });
    const failed = new TypeError("fetch failed", { cause: parserError });
    return Promise.reject(new TypeError("My fetch failed", { cause: failed }));
  };
  const { fetch } = createRecorder(echo);
  const calls = [
    () => createDigestFetch({ ...person, fetch })(PLACE),
    () => createBearerFetch({ token: () => Promise.resolve("t0ken"), fetch })(PLACE),
    () => createRetryFetch({ fetch })(PLACE, { headers: { authorization: "Bearer t0ken" } }),
    () => createTokenSource({ clientId: "id", clientSecret: "secret", fetch })(),
  ];
  for (const call of calls) {
    const error = await reasonOf(call());
    assert.match(inspect(error, { depth: 9 }), /HTTPParserError.*Response does not match/s);
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /t0ken|aWQ6|authorization/i);
  }
});

test("createDigestFetch() rejects with an error that is its own cause as it is", async () => {
  const error = new Error("oops");
  error.cause = error;
  const { fetch } = createRecorder(() => Promise.reject(error));
  assert.equal(await reasonOf(createDigestFetch({ ...person, fetch })(PLACE)), error);
});

test("createDigestFetch() and its like refuse a fetch that is no function when they are made", () => {
  for (const fetch of ["x", null, {}]) {
    const calls = [
      () => createAtlasFetch(Object({ fetch })),
      () => createDigestFetch(Object({ ...person, fetch })),
      () => createBearerFetch(Object({ token: () => Promise.resolve("t"), fetch })),
      () => createRetryFetch(Object({ fetch })),
      () => createTokenSource(Object({ clientId: "id", clientSecret: "secret", fetch })),
    ];
    const message = "Cannot use the option fetch: it is no function";
    for (const call of calls) assert.throws(call, { name: "TypeError", message });
  }
});

test("Functions that are made have names, for console.log and stack traces", async () => {
  const { fetch } = createRecorder(() => Promise.reject(new Error("oops")));
  const made = {
    atlasFetch: createAtlasFetch({ credentials: { publicKey: "a", privateKey: "b" }, fetch }),
    fetch: createDigestFetch({ ...person, fetch }),
    accessToken: createTokenSource({ clientId: "id", clientSecret: "secret", fetch }),
  };
  for (const [name, value] of Object.entries(made)) assert.match(inspect(value), new RegExp(`Function: ${name}\\]`));
  if ("Bun" in globalThis) return; // whose stack traces hold no async callers
  const error = await reasonOf(createAtlasFetch({ credentials: { publicKey: "a", privateKey: "b" }, fetch })("/"));
  for (const name of ["sendDigest", "sendRetrying", "atlasFetch"]) assert.match(error.stack ?? "", new RegExp(name));
});
