import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import type { RequestListener } from "node:http";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/mod.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { createFakeAtlas, serveFakeAtlas } from "../lib/testing.ts";
import { reasonOf, serving } from "./serving.ts";

const patient = { timeout: 60_000 }; // Bun gives a test 5 s
const PLACE = "https://cloud.mongodb.com/api/atlas/v2/groups";

/** Gives the answers in order, the last one for ever, and counts. */
function createStub(...answers: (() => Response | Promise<Response>)[]): { fetch: Fetch; sent: RequestInit[] } {
  const sent: RequestInit[] = [];
  const fetch: Fetch = async (_input, init = {}) => {
    sent.push(init);
    return await answers[Math.min(sent.length, answers.length) - 1]?.() ?? new Response("ok");
  };
  return { fetch, sent };
}

const answer = (status: number, retryAfter?: string) => () =>
  new Response("answer", { status, headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter } });

const lost = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("socket hang up") }));

/** Runs the work with timers that are due at once, and gives it the waits that were asked for, in ms. */
async function withTimers(
  { random = 0, now }: { random?: number; now?: number },
  work: (waits: number[]) => Promise<void>,
): Promise<void> {
  const originals = { setTimeout: globalThis.setTimeout, random: Math.random, now: Date.now };
  const waits: number[] = [];
  Reflect.set(globalThis, "setTimeout", (callback: () => void, ms?: number) => {
    if (ms === undefined) return originals.setTimeout(callback);
    waits.push(ms);
    queueMicrotask(callback);
  });
  Math.random = () => random;
  if (now !== undefined) Date.now = () => now;
  try {
    await work(waits);
  } finally {
    globalThis.setTimeout = originals.setTimeout;
    Math.random = originals.random;
    Date.now = originals.now;
  }
}

/** The wait before the second try, undefined if there was none. */
async function waitFor(
  first: () => Response,
  { maxDelay = 60_000, ...timers }: { random?: number; now?: number; maxDelay?: number } = {},
): Promise<number | undefined> {
  let wait: number | undefined;
  await withTimers(timers, async (waits) => {
    const { fetch, sent } = createStub(first, answer(200));
    const response = await createRetryFetch({ maxDelay, fetch })(PLACE);
    assert.equal(waits.length, sent.length - 1);
    assert.equal(response.ok, sent.length === 2);
    [wait] = waits;
  });
  return wait;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// What is tried again -------------------------------------------------------------------------------------

test("createRetryFetch() repeats a 429 for every method, and 500, 502, 503, 504 for GET and HEAD only", async () => {
  const statuses = [200, 204, 301, 304, 400, 401, 403, 404, 407, 408, 409, 410, 425, 429, 500, 501, 502, 503, 504, 505];
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]) {
    for (const status of statuses) {
      const isSafe = method === "GET" || method === "HEAD";
      const isRepeated = status === 429 || (isSafe && [500, 502, 503, 504].includes(status));
      const first = new Response(null, { status, headers: { "Retry-After": "0" } });
      const { fetch, sent } = createStub(() => first, answer(299));
      const response = await createRetryFetch({ limit: 1, maxDelay: 0, fetch })(PLACE, { method });
      assert.equal(sent.length, isRepeated ? 2 : 1, `${method} ${status}`);
      if (isRepeated) assert.equal(response.status, 299);
      else assert.equal(response, first);
    }
  }
});

test("createRetryFetch() takes a method in lower case, and that of a Request, as fetch does", async () => {
  for (
    const [input, init] of [
      [PLACE, { method: "get" }],
      [new URL(PLACE), { method: "head" }],
      [new Request(PLACE, { method: "HEAD" }), undefined],
      [new Request(PLACE, { method: "POST", body: "x" }), { method: "GET", body: null }],
    ] as const
  ) {
    const { fetch, sent } = createStub(answer(503, "0"), answer(200));
    if (input instanceof Request && input.method === "POST") {
      await assert.rejects(createRetryFetch({ maxDelay: 0, fetch })(input, init), TypeError); // a GET with a body
      assert.equal(sent.length, 0);
      continue;
    }
    assert.equal((await createRetryFetch({ maxDelay: 0, fetch })(input, init)).status, 200);
    assert.equal(sent.length, 2);
  }
});

test("createRetryFetch() returns the last answer with its body unread when it has no try left", async () => {
  for (const limit of [0, 1, 4]) {
    const { fetch, sent } = createStub(answer(429, "0"));
    const response = await createRetryFetch({ limit, maxDelay: 0, fetch })(PLACE, { method: "POST", body: "x" });
    assert.equal(sent.length, limit + 1);
    assert.equal(response.status, 429);
    assert.equal(await response.text(), "answer");
  }
});

test("createRetryFetch() tries twice more and waits a minute at most unless told otherwise", async () => {
  for (const options of [{}, { limit: undefined, maxDelay: undefined }]) {
    await withTimers({ random: 0.5 }, async (waits) => {
      const { fetch, sent } = createStub(answer(503, "60"));
      await createRetryFetch({ ...options, fetch })(PLACE);
      assert.equal(sent.length, 3);
      assert.deepEqual(waits, [60_000, 60_000]);
      const later = createStub(answer(503, "61"));
      await createRetryFetch({ ...options, fetch: later.fetch })(PLACE);
      assert.equal(later.sent.length, 1);
    });
  }
});

test("createRetryFetch() refuses options out of range when it is made", () => {
  for (const limit of [-1, 1.5, NaN, Infinity, -Infinity]) {
    assert.throws(() => createRetryFetch({ limit }), RangeError);
    assert.throws(() => createAtlasFetch({ retry: { limit } }), RangeError);
  }
  for (const maxDelay of [-1, NaN, Infinity, -Infinity, 2 ** 31]) {
    assert.throws(() => createRetryFetch({ maxDelay }), RangeError);
    assert.throws(() => createAtlasFetch({ retry: { maxDelay } }), RangeError);
  }
  createRetryFetch({ limit: 0, maxDelay: 0 });
  createRetryFetch({ limit: 1e9, maxDelay: 2 ** 31 - 1 });
});

test("createRetryFetch() looks the global fetch up at each try", async () => {
  const original = globalThis.fetch;
  const retryFetch = createRetryFetch({ maxDelay: 0 });
  const { fetch, sent } = createStub(answer(503, "0"), answer(200));
  globalThis.fetch = fetch;
  try {
    assert.equal((await retryFetch(PLACE)).status, 200);
  } finally {
    globalThis.fetch = original;
  }
  assert.equal(sent.length, 2);
});

test("createRetryFetch() changes neither the caller's init nor its headers", async () => {
  const headers = new Headers({ accept: "text/plain" });
  const init = Object.freeze({ method: "POST", headers, body: "x" });
  const { fetch, sent } = createStub(answer(429, "0"), answer(200));
  const spoiling: Fetch = (input, init) => {
    assert.ok(init?.headers instanceof Headers);
    assert.equal(init.headers.get("spoilt"), null); // the caller's, or those of this try alone
    return fetch(input, init).finally(() => Reflect.apply(Headers.prototype.set, init.headers, ["accept", "spoilt"]));
  };
  await createRetryFetch({ maxDelay: 0, fetch: spoiling })(PLACE, init);
  assert.equal(sent.length, 2);
  assert.deepEqual([...headers], [["accept", "text/plain"]]);
});

// How long it waits -------------------------------------------------------------------------------------------

test("createRetryFetch() waits for Retry-After and up to a second more", async () => {
  for (const seconds of [0, 1, 7, 55]) {
    for (const status of [429, 500, 503]) {
      const ms = seconds * 1000;
      const least = await waitFor(answer(status, `${seconds}`), { random: 0 });
      const most = await waitFor(answer(status, `${seconds}`), { random: 1 - Number.EPSILON });
      assert.ok(least !== undefined && least >= ms && least <= ms + 10, `${least}`);
      assert.ok(most !== undefined && most > ms + 990 && most <= ms + 1000, `${most}`);
    }
  }
});

test("createRetryFetch() reads Retry-After as an HTTP-date of each form", async () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 30);
  for (
    const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
  ) {
    const wait = await waitFor(answer(503, date), { now });
    assert.ok(wait !== undefined && wait >= 7000 && wait <= 7010, `${date}: ${wait}`);
  }
});

test("createRetryFetch() waits less than a second for a date in the past", async () => {
  for (const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
    const wait = await waitFor(answer(429, date), { random: 0.5 });
    assert.ok(wait !== undefined && wait >= 400 && wait <= 600, `${wait}`);
  }
});

test("createRetryFetch() doubles from 1 s, after a 429 from 10 s, with full jitter and a cap", async () => {
  for (const [status, first] of [[503, 1000], [500, 1000], [429, 10_000]] as const) {
    for (const random of [0, 0.5, 0.999]) {
      await withTimers({ random }, async (waits) => {
        const { fetch } = createStub(answer(status));
        await createRetryFetch({ limit: 8, maxDelay: 60_000, fetch })(PLACE);
        const steps = Array.from({ length: 8 }, (_, step) => random * Math.min(first * 2 ** step, 60_000));
        assert.deepEqual(waits, steps);
      });
    }
  }
  await withTimers({ random: 0.5 }, async (waits) => {
    const { fetch } = createStub(lost);
    await reasonOf(createRetryFetch({ limit: 1100, maxDelay: 3000, fetch })(PLACE)); // 2 ** 1100 is Infinity
    assert.deepEqual(waits.slice(0, 4), [500, 1000, 1500, 1500]);
    assert.equal(waits.at(-1), 1500);
  });
});

test("createRetryFetch() takes a Retry-After that it cannot read for none", async () => {
  const garbage = [
    ..."-5|soon||+5|1e3|0x10|Infinity|NaN|5 s|5, 5|5;|'5'|now|Soon 1|Monday 5|May 5|Wait 5 minutes".split("|"),
    ..."2026-01-01|2099-01-01T00:00:00Z|Sun, 06 Nov 1994|08:49:37|Sun, 99 Nov 1994 99:99:99 GMT|null".split("|"),
  ];
  for (const value of garbage) {
    assert.equal(await waitFor(answer(503, value), { random: 0.5 }), 500, value);
    assert.equal(await waitFor(answer(429, value), { random: 0.5 }), 5000, value);
  }
});

test("createRetryFetch() returns an answer at once, as it is, when Retry-After is beyond maxDelay", async () => {
  const absurd = ["3", "61", "99999999999", "9".repeat(400), "1".repeat(5000), "Fri, 31 Dec 9999 23:59:59 GMT"];
  for (const value of absurd) {
    for (const method of ["GET", "POST"]) {
      const first = answer(429, value)();
      const { fetch, sent } = createStub(() => first);
      const response = await createRetryFetch({ limit: 5, maxDelay: 2999, fetch })(PLACE, { method });
      assert.equal(response, first);
      assert.equal(response.bodyUsed, false);
      assert.equal(sent.length, 1);
    }
  }
});

test("createRetryFetch() waits no longer than maxDelay", async () => {
  for (const value of ["2", "0", undefined]) {
    const wait = await waitFor(answer(429, value), { random: 0.999, maxDelay: 2000 });
    assert.ok(wait !== undefined && wait <= 2000, `${wait}`);
  }
});

test("createRetryFetch() does not come back before a real Retry-After", async () => {
  const { fetch } = createStub(answer(429, "1"), answer(200));
  const began = performance.now();
  assert.equal((await createRetryFetch({ maxDelay: 1500, fetch })(PLACE)).status, 200);
  const took = performance.now() - began;
  assert.ok(took >= 1000 && took < 2500, `${took}`);
});

// Aborts ---------------------------------------------------------------------------------------------------------

test("createRetryFetch() ends its wait as soon as the signal aborts, and leaves no listener", async () => {
  for (const first of [answer(429, "30"), answer(503, "30"), lost]) {
    await withRandom(1 - Number.EPSILON, async () => {
      const { fetch, sent } = createStub(first);
      const controller = new AbortController();
      const reason = new Error("No longer needed");
      const call = createRetryFetch({ fetch })(PLACE, { signal: controller.signal });
      const began = performance.now();
      setTimeout(() => controller.abort(reason), 50);
      assert.equal(await reasonOf(call), reason);
      assert.ok(performance.now() - began < 700);
      assert.equal(sent.length, 1);
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    });
  }
});

async function withRandom(random: number, work: () => Promise<void>): Promise<void> {
  const original = Math.random;
  Math.random = () => random;
  try {
    await work();
  } finally {
    Math.random = original;
  }
}

test("createRetryFetch() leaves no listener on the signal of a call that is over", async () => {
  const { signal } = new AbortController();
  const { fetch, sent } = createStub(answer(429, "0"), lost, answer(503, "0"), answer(200));
  await createRetryFetch({ limit: 3, maxDelay: 2, fetch })(PLACE, { signal });
  assert.equal(sent.length, 4);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("createRetryFetch() sends nothing for a signal that is aborted already", async () => {
  const { fetch, sent } = createStub(answer(200));
  const reason = new Error("Too late");
  const call = createRetryFetch({ fetch })(PLACE, { signal: AbortSignal.abort(reason) });
  assert.equal(await reasonOf(call), reason);
  assert.equal(sent.length, 0);
});

test("createRetryFetch() honours the signal of a Request", async () => {
  const { fetch } = createStub(answer(429, "30"));
  const controller = new AbortController();
  const call = createRetryFetch({ fetch })(new Request(PLACE, { signal: controller.signal }));
  setTimeout(() => controller.abort(), 20);
  assert.equal((await reasonOf(call)).name, "AbortError");
});

test("createRetryFetch() never repeats an aborted call, whatever the reason", async () => {
  const reasons = [new TypeError("Looks like the network"), new DOMException("Out of time", "TimeoutError")];
  for (const reason of reasons) {
    let requests = 0;
    await serving(() => void requests++, async (url) => {
      const controller = new AbortController();
      const call = createRetryFetch({ limit: 5, maxDelay: 1 })(url, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 60);
      assert.equal(await reasonOf(call), reason);
      assert.equal(requests, 1);
    });
  }
  const abort = new DOMException("Aborted by somebody else", "AbortError");
  const { fetch, sent } = createStub(() => Promise.reject(abort));
  assert.equal(await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE)), abort);
  assert.equal(sent.length, 1);
});

test("createRetryFetch() honours the signal while it reads a body that it drops", async () => {
  await serving((_request, response) => {
    response.writeHead(503, { "Retry-After": "0" }).write("never ends");
  }, async (url) => {
    const controller = new AbortController();
    const reason = new Error("Enough");
    const call = createRetryFetch()(url, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 60);
    assert.equal(await reasonOf(call), reason);
  });
});

// Bodies ---------------------------------------------------------------------------------------------------------

interface Received {
  body: string;
  type: string | undefined;
}

/** Refuses twice with a 429, then answers 200; keeps what it got. */
function refusingTwice(received: Received[]): RequestListener {
  return async (request, response) => {
    const body = (await buffer(request)).toString("latin1");
    received.push({ body, type: request.headers["content-type"] });
    response.writeHead(received.length < 3 ? 429 : 200, { "Retry-After": "0" }).end();
  };
}

test("createRetryFetch() replays a body whole and alike, FormData with its boundary", async () => {
  const form = new FormData();
  form.set("field", "välue");
  form.set("file", new Blob([new Uint8Array(70_000).fill(7)], { type: "image/png" }), "a.png");
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
  const bodies: NonNullable<RequestInit["body"]>[] = [
    "",
    "text €",
    '{ "json": true }'.repeat(10_000),
    bytes,
    bytes.subarray(10, 20),
    bytes.buffer,
    new DataView(bytes.buffer, 3, 5),
    new Blob([bytes], { type: "application/gzip" }),
    new URLSearchParams({ grant: "a b&c" }),
    form,
  ];
  for (const body of bodies) {
    for (const input of [undefined, "request"]) {
      const received: Received[] = [];
      await serving(refusingTwice(received), async (url) => {
        const retryFetch = createRetryFetch({ maxDelay: 2 });
        const response = input === undefined
          ? await retryFetch(url, { method: "POST", body })
          : await retryFetch(new Request(url, { method: "POST", body }));
        assert.equal(response.status, 200);
        assert.equal(received.length, 3);
        const [first] = received;
        assert.deepEqual(received, [first, first, first]);
        const plain = new Request("http://localhost", { method: "POST", body });
        assert.equal(
          first?.type?.replace(/boundary=.*/, ""),
          plain.headers.get("content-type")?.replace(/boundary=.*/, ""),
        );
        if (body === form) {
          const boundary = /boundary="?([^"]+)/.exec(first?.type ?? "")?.[1] ?? "";
          assert.ok(first?.body.startsWith(`--${boundary}\r\n`));
          assert.ok(first?.body.trimEnd().endsWith(`--${boundary}--`));
        } else {
          assert.equal(first?.body, Buffer.from(await plain.arrayBuffer()).toString("latin1"));
        }
      });
    }
  }
});

test("createRetryFetch() sends a caller's bytes as they were when it was called", async () => {
  const received: Received[] = [];
  await serving(refusingTwice(received), async (url) => {
    const body = new Uint8Array([97, 98, 99]);
    const call = createRetryFetch({ maxDelay: 2 })(url, { method: "PUT", body });
    await sleep(1);
    body.fill(120);
    await call;
    assert.deepEqual(received.map((request) => request.body), ["abc", "abc", "abc"]);
  });
});

test("createRetryFetch() sends a stream once, whatever comes", async () => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(new Uint8Array([1]));
  }
  const init = (body: unknown): RequestInit => {
    const init: RequestInit = { method: "POST" };
    Reflect.set(init, "body", body); // the types of runtimes differ in what a body may be
    return init;
  };
  for (const make of [() => new Blob(["x"]).stream(), chunks]) {
    for (const status of [429, 503]) {
      const { fetch, sent } = createStub(answer(status, "0"));
      const response = await createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE, init(make()));
      assert.equal(response.status, status);
      assert.equal(response.bodyUsed, false);
      assert.equal(sent.length, 1);
    }
    const { fetch, sent } = createStub(lost);
    const error = await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE, init(make())));
    assert.match(error.message, /may have been executed/);
    assert.equal(sent.length, 1);
  }
});

test("createRetryFetch() reads a Request's stream first, so that it can be repeated", async () => {
  const received: Received[] = [];
  await serving(refusingTwice(received), async (url) => {
    const request = new Request(url, { method: "POST", body: "from a request" });
    assert.ok(request.body instanceof ReadableStream);
    assert.equal((await createRetryFetch({ maxDelay: 2 })(request)).status, 200);
    assert.deepEqual(received.map(({ body }) => body), Array(3).fill("from a request"));
  });
});

test("createRetryFetch() uses the connection of an answer that it dropped again", async () => {
  for (const method of ["GET", "POST"]) {
    let requests = 0;
    await serving((request, response) => {
      request.resume();
      response.writeHead(++requests < 4 ? 429 : 200, { "Retry-After": "0" }).end("x".repeat(3000));
    }, async (url, connections) => {
      const response = await createRetryFetch({ limit: 3, maxDelay: 5 })(url, { method });
      assert.equal(response.status, 200);
      await response.text();
      assert.equal(requests, 4);
      assert.equal(connections(), 1);
    });
  }
});

test("createRetryFetch() drops an answer of any length", async () => {
  let isCancelled = false;
  const endless = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(16 * 1024)),
        cancel: () => void (isCancelled = true),
      }),
      { status: 503, headers: { "Retry-After": "0" } },
    );
  const { fetch } = createStub(endless, answer(200));
  assert.equal((await createRetryFetch({ maxDelay: 0, fetch })(PLACE)).status, 200);
  assert.equal(isCancelled, true);
});

// Lost connections --------------------------------------------------------------------------------------------

test("createRetryFetch() repeats a lost connection for GET and HEAD only", async () => {
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    let requests = 0;
    await serving((request, response) => {
      if (++requests < 3) request.socket.destroy();
      else response.end();
    }, async (url) => {
      const call = createRetryFetch({ maxDelay: 2 })(`${url}/path?key=hunter2`, { method });
      if (method === "GET" || method === "HEAD") {
        assert.equal((await call).status, 200);
        assert.equal(requests, 3);
        return;
      }
      const error = await reasonOf(call);
      assert.ok(error instanceof TypeError);
      assert.ok(error.cause instanceof Error, inspect(error));
      assert.ok(error.message.includes(`${method} ${url}/path may have been executed`), error.message);
      assert.ok(!error.message.includes("hunter2"));
      assert.equal(requests, 1);
    });
  }
});

test("createRetryFetch() sends no POST again for a 429 behind a redirect", async () => {
  for (const method of ["POST", "GET"]) {
    const seen: string[] = [];
    const listener: RequestListener = (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (request.url === "/do") return void response.writeHead(303, { location: "/done" }).end();
      response.writeHead(seen.length < 3 ? 429 : 200, { "retry-after": "0" }).end();
    };
    await serving(listener, async (url) => {
      const { status } = await createRetryFetch()(`${url}/do`, { method });
      const first = [`${method} /do`, "GET /done"];
      assert.deepEqual([status, seen], method === "GET" ? [200, [...first, ...first]] : [429, first]);
    });
  }
});

test("createRetryFetch() does not repeat a redirect that it is to refuse", async () => {
  for (const method of ["GET", "POST"]) {
    let requests = 0;
    await serving((_request, response) => {
      requests++;
      response.writeHead(302, { location: "/" }).end();
    }, async (url) => {
      const error = await reasonOf(createRetryFetch()(url, { method, redirect: "error" }));
      assert.ok(error instanceof TypeError);
      assert.equal(/^Connection lost: POST .* may have been executed/.test(error.message), method === "POST");
      assert.equal(requests, 1);
    });
  }
});

test("createRetryFetch() rejects as fetch does for a connection that is lost for good", async () => {
  for (const limit of [0, 2]) {
    let requests = 0;
    await serving((request) => {
      requests++;
      request.socket.destroy();
    }, async (url) => {
      const error = await reasonOf(createRetryFetch({ limit, maxDelay: 2 })(url));
      assert.ok(error instanceof TypeError);
      assert.ok(error.cause instanceof Error, inspect(error));
      assert.doesNotMatch(error.message, /executed/);
      assert.equal(requests, limit + 1);
    });
  }
});

test("createRetryFetch() gives the runtime's error as cause, also where that has none itself", async () => {
  const withCause = new TypeError("fetch failed", { cause: new Error("ECONNRESET") });
  const bare = new TypeError("The socket was closed");
  for (const [thrown, cause] of [[withCause, withCause.cause], [bare, bare]] as const) {
    const retryFetch = createRetryFetch({ limit: 0, fetch: () => Promise.reject(thrown) });
    const get = await reasonOf(retryFetch(PLACE));
    assert.equal(get.cause, cause);
    assert.ok(get.message.includes(thrown.message));
    const post = await reasonOf(retryFetch(PLACE, { method: "POST" }));
    assert.equal(post.cause, cause);
    assert.equal(
      post.message,
      `Connection lost: POST ${PLACE} may have been executed. Look before you send it again`,
    );
  }
});

test("createRetryFetch() rejects with what is no lost connection as it is, and does not repeat it", async () => {
  for (const reason of [new Error("Out of memory"), new RangeError("Too long"), new SyntaxError("Oops")]) {
    const { fetch, sent } = createStub(() => Promise.reject(reason));
    assert.equal(await reasonOf(createRetryFetch({ maxDelay: 1, fetch })(PLACE)), reason);
    assert.equal(sent.length, 1);
  }
});

test("createRetryFetch() does not repeat the caller's mistakes, or call them lost connections", async () => {
  const init = (name: string, value: unknown): RequestInit => {
    const init: RequestInit = {};
    Reflect.set(init, name, value);
    return init;
  };
  const mistakes: [input: string | Request, init: RequestInit][] = [
    [PLACE, { body: "with a GET" }],
    [PLACE, { method: "HEAD", body: "x" }],
    [PLACE, { method: "POST", ...init("body", { not: "serialised" }) }],
    [PLACE, { method: "POST", headers: { "bad name": "x" } }],
    [PLACE, { method: "POST", headers: { name: "bad\nvalue" } }],
    ["/groups", { method: "POST" }],
    ["ftp://cloud.mongodb.com/", { method: "POST" }],
    ["https://user:hunter2@cloud.mongodb.com/", { method: "POST" }],
    [PLACE, { method: "GET", ...init("redirect", "elsewhere") }],
    [PLACE, { method: "POST", ...init("redirect", "elsewhere") }],
  ];
  for (const [input, init] of mistakes) {
    let tries = 0;
    const counting: Fetch = async (input, init) => {
      tries++;
      assert.equal(typeof new Request(input, init).url, "string"); // it throws, as fetch does
      return await lost();
    };
    await withTimers({}, async (waits) => {
      const error = await reasonOf(createRetryFetch({ limit: 5, fetch: counting })(input, init));
      assert.ok(error instanceof TypeError);
      assert.doesNotMatch(inspect(error), /executed|lost|hunter2/i);
      assert.deepEqual(waits, []);
      assert.ok(tries <= 1);
    });
  }
});

test("createRetryFetch() does not repeat what another fetch of ours refuses", async () => {
  const offer = answer(200);
  const authInt = () =>
    new Response(null, {
      status: 401,
      headers: { "WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth-int"' },
    });
  const post = (body: RequestInit["body"], headers = {}): RequestInit => ({
    method: "POST",
    body: body ?? null,
    headers,
  });
  const calls: [fetch: Fetch, init: RequestInit][] = [
    [createDigestFetch({ username: "u", password: "p", fetch: createStub(offer).fetch }), {
      headers: { authorization: "Basic eDp5" },
    }],
    [
      createDigestFetch({ username: "u", password: "p", fetch: createStub(authInt).fetch }),
      post(new Blob(["x"]).stream()),
    ],
    [
      createDigestFetch({
        username: "u",
        password: "p",
        fetch: createStub(() => new Response(null, { status: 307, headers: { location: PLACE } })).fetch,
      }),
      {},
    ],
  ];
  for (const [inner, init] of calls) {
    let tries = 0;
    const counting: Fetch = (input, init) => {
      tries++;
      return inner(input, init);
    };
    const error = await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch: counting })(PLACE, init));
    assert.ok(error instanceof TypeError);
    assert.doesNotMatch(error.message, /executed/);
    assert.equal(tries, 1);
  }
});

// In createAtlasFetch ---------------------------------------------------------------------------------------------

/** The counts of nonces that were sent, by nonce; the challenges asked for without a signature left out. */
function countsOf(requests: readonly Request[]): Map<string, number[]> {
  const counts = new Map<string, number[]>();
  for (const { headers } of requests) {
    const authorization = headers.get("authorization");
    if (authorization === null) continue;
    const nonce = /[ ,]nonce="([^"]*)"/.exec(authorization)?.[1] ?? "";
    const nc = /[ ,]nc=([0-9a-f]{8})/.exec(authorization)?.[1] ?? "";
    counts.set(nonce, [...counts.get(nonce) ?? [], parseInt(nc, 16)]);
  }
  return counts;
}

test("createAtlasFetch() signs each try anew with a count of its own", async () => {
  const fake = createFakeAtlas({
    answers: [answer(429, "0")(), answer(503, "0")(), Response.error(), answer(504, "0")()],
  });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: { limit: 4, maxDelay: 2 } });
  assert.equal((await atlasFetch("/groups")).status, 200);
  assert.deepEqual([...countsOf(fake.requests).values()], [[1, 2, 3, 4, 5]]);
});

test("createAtlasFetch() signs each try with a fresh nonce where the last one went stale", async () => {
  const fake = createFakeAtlas({ nonceUses: 1, answers: [answer(429, "0")(), answer(429, "0")()] });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: { maxDelay: 2 } });
  const response = await atlasFetch("/groups", {
    method: "POST",
    body: JSON.stringify({ name: "replayed", orgId: "65f1c0de0000000000000000" }),
  });
  assert.equal(response.status, 200);
  const bodies = await Promise.all(fake.requests.map((request) => request.text()));
  assert.equal(new Set(bodies).size, 1);
  const accepted = [...countsOf(fake.requests).values()].filter((counts) => counts[0] === 1);
  assert.equal(accepted.length, 3);
});

test("createAtlasFetch() tries once with retry: false", async () => {
  for (const [status, method] of [[429, "GET"], [429, "POST"], [503, "GET"]] as const) {
    const fake = createFakeAtlas({ answers: [answer(status, "0")()] });
    const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
    assert.equal((await atlasFetch("/groups", { method })).status, status);
    assert.equal([...countsOf(fake.requests).values()].flat().length, 1);
  }
  const fake = createFakeAtlas({ answers: [Response.error()] });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
  await assert.rejects(atlasFetch("/groups"), TypeError);
});

test("createAtlasFetch() does not repeat its own refusals", async () => {
  const fake = createFakeAtlas();
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake });
  for (
    const call of [
      () => atlasFetch("https://evil.example/", { method: "POST" }),
      () => atlasFetch("/groups", { method: "POST", headers: { authorization: "Bearer x" } }),
      () => atlasFetch("/groups", { method: "POST", version: "2025-3-12" }),
      () => atlasFetch("/groups", { body: "x" }),
    ]
  ) {
    await withTimers({}, async (waits) => {
      assert.doesNotMatch((await reasonOf(call())).message, /executed/);
      assert.deepEqual(waits, []);
    });
  }
  assert.equal(fake.requests.length, 0);
});

// What it must show ------------------------------------------------------------------------------------------------

test("createAtlasFetch() brings 100 parallel calls through a bucket of 10, 50 a second", patient, async () => {
  const atlas = await serveFakeAtlas({ rateLimit: { capacity: 10, refillPerMinute: 3000 } });
  const due = new Map<string, number>();
  const executed = new Map<string, number>();
  const early: number[] = [];
  let refusals = 0;
  const watching: Fetch = async (input, init) => {
    const id = new Headers(init?.headers).get("x-call") ?? "";
    const ahead = (due.get(id) ?? 0) - performance.now();
    if (ahead > 0) early.push(ahead);
    const response = await fetch(input, init);
    if (response.status === 429) {
      refusals++;
      due.set(id, performance.now() + Number(response.headers.get("retry-after")) * 1000);
    } else if (response.ok) executed.set(id, (executed.get(id) ?? 0) + 1);
    return response;
  };
  const atlasFetch = createAtlasFetch({
    baseUrl: atlas.url,
    credentials: atlas.credentials,
    retry: { limit: 5 },
    fetch: watching,
  });
  const began = performance.now();
  const ids = Array.from({ length: 100 }, (_, index) => `call-${index}`);
  try {
    const statuses = await Promise.all(ids.map(async (id, index) => {
      const headers = { "x-call": id };
      const body = JSON.stringify({ name: id, orgId: "65f1c0de0000000000000000" });
      const response = await atlasFetch("/groups", index % 2 ? { headers } : { method: "POST", headers, body });
      await response.text();
      return response.status;
    }));
    const took = performance.now() - began;
    assert.deepEqual(new Set(statuses), new Set([200]));
    assert.ok(took < 8000, `${took}`);
    assert.ok(refusals > 0);
    assert.deepEqual(early, []);
    assert.deepEqual(new Set(executed.values()), new Set([1]));
    assert.equal(executed.size, 100);
    const list = await atlasFetch("/groups?itemsPerPage=500");
    const { results }: { results: { name: string }[] } = JSON.parse(await list.text());
    const made = results.map(({ name }) => name).filter((name) => name.startsWith("call-"));
    assert.deepEqual(made.sort(), ids.filter((_, index) => index % 2 === 0).sort());
  } finally {
    await atlas.close();
  }
});

test("createRetryFetch() brings 300 GETs past each third connection lost, 300 POSTs once", patient, async () => {
  let requests = 0;
  const executed = new Map<string, number>();
  await serving((request, response) => {
    const count = ++requests;
    const execute = () => executed.set(request.url ?? "", (executed.get(request.url ?? "") ?? 0) + 1);
    request.resume().on("end", () => {
      if (count % 3 !== 0) execute();
      else if (count % 2 !== 0) execute(); // it is the answer that gets lost
      if (count % 3 === 0) return void request.socket.destroy();
      response.writeHead(200, { connection: "close" }).end("done");
    });
  }, async (url, connections) => {
    const retryFetch = createRetryFetch({ maxDelay: 2 });
    for (let index = 0; index < 300; index++) {
      assert.equal(await (await retryFetch(`${url}/get/${index}`)).text(), "done");
    }
    let failures = 0;
    let lookedFor = 0;
    for (let index = 0; index < 300; index++) {
      const path = `/post/${index}`;
      try {
        const response = await retryFetch(url + path, { method: "POST", body: "x" });
        assert.equal(await response.text(), "done");
        assert.equal(executed.get(path), 1);
      } catch (error) {
        assert.ok(error instanceof TypeError, inspect(error));
        assert.match(error.message, /may have been executed/);
        assert.ok((executed.get(path) ?? 0) <= 1);
        if (executed.has(path)) lookedFor++;
        failures++;
      }
    }
    assert.equal(failures, 100);
    assert.equal(lookedFor, 50);
    assert.equal(requests, 300 + 149 + 300); // each third of 449 was lost to the GETs
    assert.equal(connections(), requests);
  });
});

test("createAtlasFetch() keeps heap and signal clean over 20,000 calls", patient, async () => {
  const counts = { tries: 0, mints: 0, refused: 0, limited: 0, dropped: 0 };
  const fetch: Fetch = (input, init) => {
    if (String(input).endsWith("/api/oauth/token")) {
      return Promise.resolve(Response.json({ access_token: `token-${++counts.mints}`, expires_in: 3600 }));
    }
    const tried = ++counts.tries;
    const isCurrent = new Headers(init?.headers).get("authorization") === `Bearer token-${counts.mints}`;
    if (!isCurrent || tried % 101 === 0) {
      counts.refused++;
      return Promise.resolve(new Response("refused", { status: 401 }));
    }
    if (tried % 7 === 0) {
      counts.limited++;
      return Promise.resolve(answer(429, "0")());
    }
    if (tried % 31 === 0) {
      counts.dropped++;
      return lost();
    }
    return Promise.resolve(new Response("ok"));
  };
  const tokenStore = new Map<string, string>();
  const atlasFetch = createAtlasFetch({
    credentials: { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_x", tokenStore },
    retry: { limit: 9, maxDelay: 1 },
    fetch,
  });
  const { signal } = new AbortController();
  setMaxListeners(0, signal); // Node 20 warns of eleven calls that wait at once
  const listeners = countListeners(signal);

  const run = async (calls: number) => {
    let left = calls;
    const others = { ok: 0, refused: 0 };
    await Promise.all(Array.from({ length: 50 }, async () => {
      while (left-- > 0) {
        const response = await atlasFetch("/groups", { signal });
        await response.text();
        if (response.ok) others.ok++;
        else if (response.status === 401) others.refused++;
      }
    }));
    // A token may be refused twice in a row to one call; its 401 then stands.
    assert.equal(others.ok + others.refused, calls);
    assert.ok(others.refused < calls / 50, `${others.refused}`);
  };
  const heapUsed = async () => {
    await sleep(1100); // Deno keeps the signal of a timeout until it is due: a second for each body that was dropped
    for (let turn = 0; turn < 5; turn++) { // until the collector has nothing left to take
      await sleep(20);
      collectGarbage();
    }
    return process.memoryUsage().heapUsed;
  };

  await run(3000); // until all is compiled and cached
  const growths: number[] = [];
  for (let batch = 0; batch < 4; batch++) {
    const before = await heapUsed();
    await run(5000);
    growths.push(await heapUsed() - before);
  }
  // A leak grows in each batch; what the engine allocates for itself comes and goes.
  assert.ok(Math.min(...growths) < 100_000, `${growths} bytes`); // 20 bytes a call
  assert.ok(counts.mints > 50 && counts.limited > 2000 && counts.dropped > 500, inspect(counts));
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.ok(listeners.added > 2000);
  assert.equal(listeners.removed, listeners.added);
});

/** Counts what is added to a signal and what is taken off again. */
function countListeners(signal: AbortSignal): { added: number; removed: number } {
  const counts = { added: 0, removed: 0 };
  for (const [method, name] of [["addEventListener", "added"], ["removeEventListener", "removed"]] as const) {
    const original = signal[method];
    Reflect.set(signal, method, (...args: unknown[]) => {
      counts[name]++;
      Reflect.apply(original, signal, args);
    });
  }
  return counts;
}

/** By Bun's own function, or by V8's of Node and Deno. */
function collectGarbage(): void {
  const bun: unknown = Reflect.get(globalThis, "Bun");
  if (typeof bun === "object" && bun !== null) return void Reflect.apply(Reflect.get(bun, "gc"), bun, [true]);
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
