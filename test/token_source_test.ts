import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError } from "../lib/atlas_error.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createTokenSource, type TokenSource, type TokenStore } from "../lib/token_source.ts";
import { reasonOf, serving } from "./serving.ts";

const clientId = "mdb_sa_id_0123456789abcdef01234567";
const clientSecret = "mdb_sa_sk_under_score";
const TOKEN_URL = "https://cloud.mongodb.com/api/oauth/token";
const KEY = `${TOKEN_URL} ${clientId}`;

interface Desk {
  fetch: Fetch;
  /** What was sent, as fetch was given it. */
  mints: { url: string; init: RequestInit }[];
}

/** Mints t1, t2, ... for an hour, or answers as it is told for the first, the second, ... request. */
function createDesk(answer: (count: number) => Response | Promise<Response> = (count) => minted(`t${count}`)): Desk {
  const mints: Desk["mints"] = [];
  const fetch: Fetch = async (input, init = {}) => {
    const url = String(input);
    mints.push({ url, init });
    return Object.defineProperty(await answer(mints.length), "url", { value: url });
  };
  return { fetch, mints };
}

function minted(token: unknown, rest: Record<string, unknown> = { expires_in: 3600 }): Response {
  return Response.json({ access_token: token, token_type: "Bearer", ...rest });
}

/** Runs the work under a clock that stands, and moves when told. */
async function withClock(work: (clock: { now: number }) => Promise<void>): Promise<void> {
  const { now } = Date;
  const clock = { now: now() };
  Date.now = () => clock.now;
  try {
    await work(clock);
  } finally {
    Date.now = now;
  }
}

/** A promise that waits to be told. */
function createGate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  return { opened, open };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function refusalOf(token: TokenSource): Promise<AtlasError> {
  const error = await reasonOf(token());
  assert.ok(error instanceof AtlasError, inspect(error));
  return error;
}

function basicOf(init: RequestInit | undefined): string {
  const [scheme, value] = (new Headers(init?.headers).get("authorization") ?? "").split(" ");
  assert.equal(scheme, "Basic");
  return Buffer.from(value ?? "", "base64").toString("utf8");
}

// What is sent ----------------------------------------------------------------------------------------

test("createTokenSource() asks as RFC 6749 section 4.4 and Atlas want it", async () => {
  const desk = createDesk();
  assert.equal(await createTokenSource({ clientId, clientSecret, fetch: desk.fetch })(), "t1");
  const [mint] = desk.mints;
  assert.equal(mint?.url, TOKEN_URL);
  assert.equal(mint.init.method, "POST");
  assert.equal(mint.init.body, "grant_type=client_credentials");
  assert.equal(mint.init.redirect, "manual");
  assert.equal(mint.init.signal?.aborted, false); // its own: all calls wait for it
  const headers = new Headers(mint.init.headers);
  assert.equal(headers.get("content-type"), "application/x-www-form-urlencoded");
  assert.equal(headers.get("accept"), "application/json");
});

test("createTokenSource() sends id and secret as raw UTF-8, nothing percent-encoded", async () => {
  for (const secret of ["mdb_sa_sk_under_score", "a:b%_+ /=", "pässwörd €☃ 𝄞"]) {
    const desk = createDesk();
    await createTokenSource({ clientId, clientSecret: secret, fetch: desk.fetch })();
    assert.equal(basicOf(desk.mints[0]?.init), `${clientId}:${secret}`);
  }
});

test("createTokenSource() takes a token URL as a string or a URL, and http: on loopback only", async () => {
  for (
    const tokenUrl of [
      "https://cloud.mongodbgov.com/api/oauth/token",
      new URL("https://cloud.mongodb.com/x"),
      "http://127.0.0.1:8080/token",
      "http://localhost/token",
      "http://atlas.localhost/token",
      "http://[::1]:1234/token",
    ]
  ) {
    const desk = createDesk();
    await createTokenSource({ clientId, clientSecret, tokenUrl, fetch: desk.fetch })();
    assert.equal(desk.mints[0]?.url, String(tokenUrl));
  }
  for (
    const tokenUrl of [
      "http://cloud.mongodb.com/api/oauth/token",
      "http://127.0.0.1.evil.example/",
      "http://localhost.evil.example/",
      "http://evil.example/?127.0.0.1",
      "http://128.0.0.1/",
      "ftp://127.0.0.1/token",
      "/api/oauth/token",
      "https://user:hunter2@cloud.mongodb.com/api/oauth/token",
      "",
    ]
  ) {
    const make = () => createTokenSource({ clientId, clientSecret, tokenUrl });
    assert.throws(make, (error) => error instanceof TypeError && !inspect(error).includes("hunter2"), tokenUrl);
  }
});

test("createTokenSource() refuses credentials that Basic cannot carry, and does not show them", () => {
  for (
    const [id, secret] of [
      ["mdb:sa", clientSecret],
      ["", clientSecret],
      [clientId, ""],
      ["id\r\nX: y", clientSecret],
      [clientId, "hidden\nX: y"],
      [clientId, "hidden\r"],
      [clientId, "hidden\0"],
    ] as const
  ) {
    assert.throws(
      () => createTokenSource({ clientId: id, clientSecret: secret }),
      (error) => error instanceof TypeError && !inspect(error).includes("hidden"),
    );
  }
});

test("createTokenSource() looks the global fetch up at each mint", async () => {
  const original = globalThis.fetch;
  const token = createTokenSource({ clientId, clientSecret });
  const desk = createDesk();
  globalThis.fetch = desk.fetch;
  try {
    assert.equal(await token(), "t1");
  } finally {
    globalThis.fetch = original;
  }
});

// One mint ----------------------------------------------------------------------------------------------

test("createTokenSource() has one mint in flight however many calls wait, and keeps its token", async () => {
  const gate = createGate();
  const desk = createDesk(async (count) => {
    await gate.opened;
    return minted(`t${count}`);
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const waiting = Promise.all(Array.from({ length: 100 }, () => token()));
  await sleep(5);
  gate.open();
  assert.deepEqual(new Set(await waiting), new Set(["t1"]));
  assert.equal(await token(), "t1");
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() renews 60 s before the end, once for all who ask", () =>
  withClock(async (clock) => {
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
    assert.equal(await token(), "t1");
    clock.now += 3_539_999;
    assert.equal(await token(), "t1");
    clock.now += 1;
    const tokens = await Promise.all([token(), token(), token()]);
    assert.deepEqual(tokens, ["t2", "t2", "t2"]);
    assert.equal(desk.mints.length, 2);
  }));

test("createTokenSource() counts the lifetime from when it asked", () =>
  withClock(async (clock) => {
    const desk = createDesk((count) => {
      clock.now += 10_000; // a slow endpoint
      return minted(`t${count}`);
    });
    const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
    await token();
    clock.now += 3_529_999;
    assert.equal(await token(), "t1");
    clock.now += 1;
    assert.equal(await token(), "t2");
  }));

test("createTokenSource() hands out a token that ends within 60 s to those who waited for it only", async () => {
  const desk = createDesk((count) => minted(`t${count}`, { expires_in: 60 }));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  assert.deepEqual(await Promise.all([token(), token()]), ["t1", "t1"]);
  assert.equal(await token(), "t2");
});

test("createTokenSource() takes an hour where expires_in is missing or makes no sense", async () => {
  const day = new Map<unknown, number>([["86400", 86_400], [7200.9, 7200.9]]);
  for (const expires_in of [undefined, null, "soon", {}, 1e308, 1e300, "9".repeat(400), "Infinity", ...day.keys()]) {
    await withClock(async (clock) => {
      const desk = createDesk((count) => minted(`t${count}`, { expires_in }));
      const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
      const ms = (day.get(expires_in) ?? 3600) * 1000;
      await token();
      clock.now += Math.ceil(ms) - 60_001;
      assert.equal(await token(), "t1", inspect(expires_in));
      clock.now += 1;
      assert.equal(await token(), "t2", inspect(expires_in));
    });
  }
  const desk = createDesk(() => new Response('{ "access_token": "t", "expires_in": 1e400 }'));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  await token();
  await token();
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() does not keep a token that is over when it comes", async () => {
  const desk = createDesk((count) => minted(`t${count}`, { expires_in: -5 }));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  assert.deepEqual([await token(), await token()], ["t1", "t2"]);
});

// Aborts --------------------------------------------------------------------------------------------------

test("createTokenSource() lets one waiter go without failing the others, and leaves no listener", async () => {
  const gate = createGate();
  const desk = createDesk(async () => {
    await gate.opened;
    return minted("t1");
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const [first, second] = [new AbortController(), new AbortController()];
  const reason = new Error("No longer needed");
  const leaving = token({ signal: first.signal });
  const staying = Promise.all([token({ signal: second.signal }), token()]);
  await sleep(1);
  first.abort(reason);
  assert.equal(await reasonOf(leaving), reason);
  assert.equal(getEventListeners(first.signal, "abort").length, 0); // though the mint goes on
  gate.open();
  assert.deepEqual(await staying, ["t1", "t1"]);
  await sleep(1);
  assert.equal(getEventListeners(second.signal, "abort").length, 0);
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() finishes the mint that everybody left, for the next who asks", async () => {
  const gate = createGate();
  const desk = createDesk(async () => {
    await gate.opened;
    return minted("t1");
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const controller = new AbortController();
  const leaving = token({ signal: controller.signal });
  controller.abort();
  assert.equal((await reasonOf(leaving)).name, "AbortError");
  gate.open();
  assert.equal(await token(), "t1");
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() does nothing for a call that is aborted already", async () => {
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const reason = new Error("Too late");
  assert.equal(await reasonOf(token({ signal: AbortSignal.abort(reason) })), reason);
  assert.equal(desk.mints.length, 0);
  await token();
  assert.equal(await reasonOf(token({ signal: AbortSignal.abort(reason) })), reason);
});

test("createTokenSource() leaves no listener on the signal of a failed mint", async () => {
  const desk = createDesk(() => new Response(null, { status: 500 }));
  const { signal } = new AbortController();
  await reasonOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch })({ signal }));
  await sleep(1);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

// Refusals of the endpoint ----------------------------------------------------------------------------------

test("createTokenSource() fails all who waited for a failed mint, and does not remember it", async () => {
  const desk = createDesk((count) => count === 1 ? new Response("Oops", { status: 503 }) : minted("t2"));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const settled = await Promise.allSettled([token(), token(), token()]);
  assert.deepEqual(settled.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  assert.equal(desk.mints.length, 1);
  assert.equal(await token(), "t2");
});

test("createTokenSource() makes AtlasErrors of OAuth's errors, with a hint", async () => {
  const desk = createDesk(() =>
    Response.json({ error: "invalid_client", error_description: "Invalid credentials provided." }, { status: 401 })
  );
  const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
  assert.equal(error.status, 401);
  assert.equal(error.code, "invalid_client");
  assert.equal(error.detail, "Invalid credentials provided.");
  assert.match(error.hint ?? "", /secret/);
  assert.match(error.message, /^401 invalid_client at \/api\/oauth\/token: Invalid credentials provided\. Check /);
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() makes an AtlasError of the endpoint's 429, with a hint to share tokens", async () => {
  const body = { error: 429, reason: "Too Many Requests", errorCode: "RATE_LIMITED", detail: "Too many tokens." };
  const desk = createDesk(() => Response.json(body, { status: 429, headers: { "retry-after": "17" } }));
  const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
  assert.equal(error.status, 429);
  assert.equal(error.code, "RATE_LIMITED");
  assert.match(error.hint ?? "", /17 s.*tokenStore/);
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() makes AtlasErrors of other answers that are no success", async () => {
  for (
    const response of [
      new Response("<html><title>Bad Gateway</title>", { status: 502 }),
      new Response(null, { status: 500 }),
      new Response('{ "error": ', { status: 400 }),
    ]
  ) {
    const desk = createDesk(() => response);
    const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
    assert.equal(error.status, response.status);
    assert.equal(desk.mints.length, 1);
  }
});

test("createTokenSource() makes an AtlasError of a success without a usable token", async () => {
  const bodies: (string | null)[] = [
    ...["", "hidden\r\nx-evil: 1", "hidden\n", "hid den", "hiddën", "hidden\0", 5, null, ["hidden"], { hidden: 1 }]
      .map((token) => JSON.stringify({ access_token: token, expires_in: 3600, token_type: "Bearer" })),
    "{}",
    "null",
    '"hidden"',
    "[]",
    "hidden",
    '{ "access_token": "hidden',
    " ".repeat(300 * 1024) + '{ "access_token": "hidden" }',
    "",
    null,
  ];
  for (const body of bodies) {
    const store = new Map<string, string>();
    const desk = createDesk((count) => count === 1 ? new Response(body) : minted("t2"));
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    const error = await refusalOf(token);
    assert.equal(error.status, 200);
    assert.match(error.message, /token/);
    assert.ok(!inspect(error, { showHidden: true, depth: Infinity }).includes("hid"), String(body));
    assert.equal(store.size, 0);
    assert.equal(await token(), "t2");
  }
});

test("createTokenSource() makes an error of an answer that breaks off", async () => {
  const broken = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{ "access_token": "t1", '));
    },
    pull(controller) {
      controller.error(new TypeError("terminated"));
    },
  });
  const desk = createDesk((count) => count === 1 ? new Response(broken) : minted("t2"));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  await refusalOf(token);
  assert.equal(await token(), "t2");
});

test("createTokenSource() follows no redirect of the endpoint", async () => {
  let followed = 0;
  await serving((_request, response) => {
    followed++;
    response.setHeader("content-type", "application/json");
    response.end('{ "access_token": "stolen" }');
  }, async (other) => {
    for (const status of [301, 302, 303, 307, 308]) {
      for (const location of [`${other}/token`, "/again"]) {
        await serving((request, response) => {
          if (request.url === "/again") followed++;
          response.writeHead(status, { location }).end();
        }, async (url) => {
          const error = await refusalOf(createTokenSource({ clientId, clientSecret, tokenUrl: `${url}/token` }));
          assert.equal(error.status, status);
        });
      }
    }
  });
  assert.equal(followed, 0);
});

test("createTokenSource() names the host that did not answer, with the runtime's error as cause", async () => {
  await serving((request) => request.socket.destroy(), async (url) => {
    const error = await reasonOf(createTokenSource({ clientId, clientSecret, tokenUrl: `${url}/token` })());
    assert.ok(error instanceof TypeError);
    assert.ok(error.message.includes(new URL(url).host), error.message);
    assert.ok(error.cause instanceof Error);
  });
});

// Refused tokens ----------------------------------------------------------------------------------------------

test("createTokenSource() replaces a refused token once for all who had it", async () => {
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  const tokens = await Promise.all([token({ refused }), token({ refused }), token(), token({ refused })]);
  assert.deepEqual(tokens, ["t2", "t2", "t2", "t2"]);
  assert.equal(await token({ refused }), "t2"); // a late 401 to the first token
  assert.equal(await token({ refused: "another" }), "t2");
  assert.equal(desk.mints.length, 2);
});

test("createTokenSource() does not hand a refused token out again when its mint fails", async () => {
  const desk = createDesk((count) => count === 2 ? new Response(null, { status: 500 }) : minted(`t${count}`));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  await reasonOf(token({ refused }));
  assert.equal(await token(), "t3");
});

test("createTokenSource() mints once where the endpoint gives the refused token again", async () => {
  const desk = createDesk(() => minted("same"));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  const again = await Promise.all([token({ refused }), token({ refused }), token({ refused })]);
  assert.deepEqual(again, ["same", "same", "same"]);
  assert.equal(desk.mints.length, 2);
});

test("createTokenSource() takes the token that another process put in the store for a refused one", async () => {
  const store = new Map<string, string>();
  const [ours, theirs] = [
    createDesk((count) => minted(`ours${count}`)),
    createDesk((count) => minted(`theirs${count}`)),
  ];
  const token = createTokenSource({ clientId, clientSecret, store, fetch: ours.fetch });
  const other = createTokenSource({ clientId, clientSecret, store, fetch: theirs.fetch });
  assert.equal(await token(), "ours1");
  assert.equal(await other(), "ours1");
  assert.equal(await other({ refused: "ours1" }), "theirs1");
  assert.equal(await token({ refused: "ours1" }), "theirs1");
  assert.equal(await token(), "theirs1");
  assert.equal(ours.mints.length, 1);
  assert.equal(theirs.mints.length, 1);
});

test("createTokenSource() does not give a refused token back that an earlier renewal finds in the store", async () => {
  const gate = createGate();
  const stored = JSON.stringify({ token: "t0", end: Date.now() + 3_600_000 });
  const store: TokenStore = {
    async get() {
      await gate.opened;
      return stored;
    },
    set() {},
  };
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
  const early = token();
  const late = token({ refused: "t0" }); // refused to another of our calls, which had it from elsewhere
  gate.open();
  assert.equal(await early, "t0");
  assert.equal(await late, "t1");
  assert.equal(desk.mints.length, 1);
});

// Stores --------------------------------------------------------------------------------------------------------

interface Entry {
  key: string;
  value: string;
  seconds: number;
}

/** A store that keeps a record. */
function createStore(): TokenStore & { sets: Entry[]; gets: string[] } {
  const values = new Map<string, string>();
  const sets: Entry[] = [];
  const gets: string[] = [];
  return {
    sets,
    gets,
    get(key) {
      gets.push(key);
      return values.get(key);
    },
    set(key, value, seconds) {
      sets.push({ key, value, seconds });
      values.set(key, value);
    },
  };
}

test("createTokenSource() shares its token by a store: one mint for many", async () => {
  const store = new Map<string, string>(); // a Map is one
  const desk = createDesk();
  for (let process = 0; process < 5; process++) {
    assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1");
  }
  assert.equal(desk.mints.length, 1);
});

test("createTokenSource() stores under token URL and client id, as JSON with the end, in whole seconds", () =>
  withClock(async (clock) => {
    const store = createStore();
    const desk = createDesk(() => {
      clock.now += 1234;
      return minted("t1", { expires_in: 3600 });
    });
    await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })();
    assert.deepEqual(store.gets, [KEY]);
    const [entry] = store.sets;
    assert.equal(store.sets.length, 1);
    assert.equal(entry?.key, KEY);
    assert.deepEqual(JSON.parse(entry.value), { token: "t1", end: clock.now - 1234 + 3_600_000 });
    assert.equal(entry.seconds, 3598);
  }));

test("createTokenSource() gives stores neither the secret nor what is made from it", async () => {
  const store = createStore();
  await createTokenSource({ clientId, clientSecret, store, fetch: createDesk().fetch })();
  const seen = inspect([store.sets, store.gets]);
  for (const secret of [clientSecret, btoa(clientSecret), btoa(`${clientId}:${clientSecret}`)]) {
    assert.ok(!seen.includes(secret.replace(/=+$/, "")));
  }
});

test("createTokenSource() keeps the accounts and the hosts of one store apart", async () => {
  const store = createStore();
  const desk = createDesk();
  const fetch = desk.fetch;
  const tokenUrl = "https://cloud.mongodbgov.com/api/oauth/token";
  const tokens = [
    await createTokenSource({ clientId, clientSecret, store, fetch })(),
    await createTokenSource({ clientId: "another", clientSecret, store, fetch })(),
    await createTokenSource({ clientId, clientSecret, store, fetch, tokenUrl })(),
  ];
  assert.deepEqual(tokens, ["t1", "t2", "t3"]);
});

test("createTokenSource() hands stores whole and positive seconds, and no token that ends within 60 s", async () => {
  const lifetimes: [expires_in: unknown, seconds: number | undefined][] = [
    [3600, 3600],
    [61.9, 61],
    [61, 61],
    [60.5, 60],
    [60, undefined],
    [59, undefined],
    [0.5, undefined],
    [0, undefined],
    [-5, undefined],
    [1e308, 3600],
    [null, 3600],
  ];
  for (const [expires_in, seconds] of lifetimes) {
    await withClock(async () => {
      const store = createStore();
      const desk = createDesk(() => minted("t1", { expires_in }));
      await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })();
      assert.deepEqual(
        store.sets.map((entry) => entry.seconds),
        seconds === undefined ? [] : [seconds],
        `${expires_in}`,
      );
    });
  }
});

test("createTokenSource() takes a stored token until 60 s before its end", () =>
  withClock(async (clock) => {
    const store = new Map([[KEY, JSON.stringify({ token: "t0", end: clock.now + 60_001 })]]);
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    assert.equal(await token(), "t0");
    clock.now += 1;
    assert.equal(await token(), "t1");
    assert.equal(desk.mints.length, 1);
    assert.match(store.get(KEY) ?? "", /t1/);
  }));

test("createTokenSource() passes over what a store gives that is no living token", async () => {
  const end = Date.now() + 3_600_000;
  const rubbish = [
    "",
    "hello",
    "null",
    "5",
    "[]",
    '"t0"',
    "{}",
    "{",
    JSON.stringify({ token: "t0" }),
    JSON.stringify({ end }),
    JSON.stringify({ token: "t0", end: String(end) }),
    JSON.stringify({ token: "t0", end: null }),
    JSON.stringify({ token: "", end }),
    JSON.stringify({ token: "t\r\n0", end }),
    JSON.stringify({ token: 7, end }),
    JSON.stringify({ token: "t0", end: Date.now() + 60_000 }),
    JSON.stringify({ token: "t0", end: Date.now() - 1 }),
  ];
  for (const value of rubbish) {
    const store = new Map([[KEY, value]]);
    const desk = createDesk();
    assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1", value);
    assert.match(store.get(KEY) ?? "", /t1/);
  }
});

test("createTokenSource() passes over what a store gives that is no string", async () => {
  const rubbish: unknown[] = [
    null,
    undefined,
    0,
    7,
    NaN,
    true,
    [],
    {},
    Symbol("t0"),
    () => "t0",
    new Uint8Array(3),
    Object.create(null),
    { token: "t0", end: Infinity },
  ];
  for (const value of rubbish) {
    for (const given of [value, Promise.resolve(value)]) {
      // As JavaScript's users may write it: the types would not let them.
      const store: TokenStore = { get: () => undefined, set: () => {} };
      Reflect.set(store, "get", () => given);
      const desk = createDesk();
      assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1");
    }
  }
});

test("createTokenSource() passes over a store that throws or rejects", async () => {
  const fail = (): never => {
    throw new Error("Store down");
  };
  const stores: TokenStore[] = [
    { get: fail, set: fail },
    { get: () => Promise.reject(new Error("Store down")), set: () => Promise.reject(new Error("Store down")) },
    { get: () => undefined, set: () => Promise.reject("not even an Error") },
  ];
  for (const store of stores) {
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    assert.deepEqual([await token(), await token()], ["t1", "t1"]);
    assert.equal(desk.mints.length, 1);
  }
});

test("createTokenSource() passes over a store that is silent for 2 s, and over what it says then", async () => {
  const gate = createGate();
  const late = async (): Promise<string> => {
    await gate.opened;
    throw new Error("Too late to be heard");
  };
  const desk = createDesk();
  const began = performance.now();
  const took = (token: Promise<string>) => token.then((token) => ({ token, ms: performance.now() - began }));
  const make = (store: TokenStore) => took(createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })());
  const all = await Promise.all([make({ get: late, set: () => {} }), make({ get: () => undefined, set: late })]);
  gate.open();
  for (const { token, ms } of all) {
    assert.match(token, /^t[12]$/);
    assert.ok(ms > 1900 && ms < 3500, `${ms}`);
  }
  await sleep(5); // for an unhandled rejection to show
});

test("createTokenSource() waits for its own store entry, so that a short script does not end before", async () => {
  let isStored = false;
  const store: TokenStore = {
    get: () => undefined,
    async set() {
      await sleep(20);
      isStored = true;
    },
  };
  await createTokenSource({ clientId, clientSecret, store, fetch: createDesk().fetch })();
  assert.equal(isStored, true);
});

// What is shown ---------------------------------------------------------------------------------------------------

test("createTokenSource() shows no secret: not in itself, not in its errors", async () => {
  const basic = btoa(`${clientId}:${clientSecret}`);
  const quoting = `No entry for Authorization: Basic ${basic}`;
  const answers: (() => Response)[] = [
    () => Response.json({ error: "invalid_client", error_description: quoting }, { status: 401 }),
    () => Response.json({ error: 400, errorCode: quoting, detail: quoting, parameters: [quoting] }, { status: 400 }),
    () => new Response(quoting, { status: 500 }),
    () => new Response(`<title>${quoting}</title>`, { status: 403, headers: { "x-error-code": quoting } }),
    () => minted("a token"),
  ];
  for (const answer of answers) {
    const token = createTokenSource({ clientId, clientSecret, fetch: createDesk(answer).fetch });
    const error = await refusalOf(token);
    const shown = [error, token, JSON.stringify(error)].map((value) => inspect(value, { depth: Infinity })).join();
    for (const secret of [clientSecret, basic]) assert.ok(!shown.includes(secret), shown);
  }
  const failing = createTokenSource({ clientId, clientSecret, fetch: () => Promise.reject(new TypeError("failed")) });
  const error = await reasonOf(failing());
  assert.ok(!inspect(error, { depth: Infinity }).includes(clientSecret));
});

test("createTokenSource() gives up a mint that hangs, and mints anew for the next call", async () => {
  const original = AbortSignal.timeout;
  let mints = 0;
  const source = createTokenSource({
    clientId,
    clientSecret,
    fetch: () => ++mints === 1 ? new Promise(() => {}) : Promise.resolve(Response.json({ access_token: "t2" })),
  });
  try {
    AbortSignal.timeout = (ms) => original.call(AbortSignal, ms === 30_000 ? 50 : ms);
    const keepsAlive = setTimeout(() => {}, 5000); // the timers of signals do not
    await assert.rejects(source(), /^TypeError: Cannot get an access token: .* did not answer$/);
    clearTimeout(keepsAlive);
    assert.equal(await source(), "t2");
    assert.equal(mints, 2);
  } finally {
    AbortSignal.timeout = original;
  }
});
