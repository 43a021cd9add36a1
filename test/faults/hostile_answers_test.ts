// Answers that lie: when to come back, where the next page is, what a token is; and servers that repeat what they got.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError, createAtlasFetch, createTokenSource, ensureOk, paginate } from "../../mod.ts";
import { reasonOf } from "../serving.ts";
import { withRandom } from "./chance.ts";
import { assertHarmless, challenge, createHostileServer, endlessBody, redirect, type Sent } from "./hostile_server.ts";
import { assertShowsNone } from "./secrets.ts";

const ORIGIN = "https://cloud.mongodb.com";
const KEY = { publicKey: "hostilek", privateKey: "S3CRET-private-key" };
const ACCOUNT = { clientId: "mdb_sa_id_6057", clientSecret: "mdb_sa_sk_S3CRET-client-secret" };
const BASIC = Buffer.from(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`).toString("base64");
const SECRETS = [KEY.privateKey, ACCOUNT.clientSecret, BASIC];

type Answer = (sent: Sent, number: number) => Response | Promise<Response>;

/** Lets any signature pass, and any mint; the rest is up to the answer. */
function createAtlas(answer: Answer, retry: { limit?: number; maxDelay?: number } | false = { maxDelay: 5 }) {
  const server = createHostileServer((sent, number) => {
    if (sent.url === `${ORIGIN}/api/oauth/token`) return Response.json({ access_token: `t${number}` });
    return sent.authorization || new URL(sent.url).origin !== ORIGIN ? answer(sent, number) : challenge({});
  });
  const { fetch, sent } = server;
  return {
    sent,
    byKey: createAtlasFetch({ credentials: KEY, fetch, retry }),
    byAccount: createAtlasFetch({ credentials: ACCOUNT, fetch, retry }),
  };
}

/** What a list yields, up to so many items. */
async function take<T>(items: AsyncIterable<T>, count = Infinity): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) if (list.push(item) >= count) break;
  return list;
}

for (const status of [429, 503]) {
  test(`createAtlasFetch() does not wait for a Retry-After of ${status} that no one can mean`, async () => {
    const far = ["1000000000000", "9".repeat(400), "1e999", "Fri, 31 Dec 9999 23:59:59 GMT", "86400"];
    const unreadable = ["-5", "-1000000000000", "soon", "", "Thu, 99 Foo 2026 25:61:61 GMT", "0x10", "NaN"];
    for (const value of [...far, ...unreadable]) {
      const { byKey, sent } = createAtlas(() => new Response(null, { status, headers: { "retry-after": value } }));
      assert.equal((await byKey("/groups")).status, status, value);
      assert.equal(sent.length, /^[0-9]+$/.test(value) || value.includes("9999") ? 2 : 4, value);
    }
  });
}

test("createAtlasFetch() repeats no POST after any answer but a 429", async () => {
  for (const who of ["byKey", "byAccount"] as const) {
    for (const status of [500, 502, 503, 504, 408, 425, 429]) {
      const atlas = createAtlas(() => new Response(null, { status, headers: { "retry-after": "0" } }));
      assert.equal((await atlas[who]("/groups", { method: "POST", body: "{}" })).status, status);
      const posts = atlas.sent.filter(({ method, url }) => method === "POST" && !url.endsWith("/token"));
      const signed = posts.filter(({ authorization }) => authorization !== null);
      assert.equal(signed.length, status === 429 ? 3 : 1, String(status));
    }
  }
});

test("createAtlasFetch() makes at most three tries, of six requests each, at a server that is busy and stale", async () => {
  const { byKey, sent } = createAtlas((_, number) =>
    number % 6 ? challenge({ nonce: `n${number}`, stale: "true" }) : new Response(null, { status: 429 })
  );
  assert.equal((await byKey("/groups")).status, 429);
  assert.equal(sent.length, 18);
});

test("createAtlasFetch() mints twice at the most for a call that is refused for ever, then once a call", async () => {
  const { byAccount, sent } = createAtlas(() => new Response(null, { status: 401 }));
  for (const calls of [1, 2, 3]) {
    const before = sent.length;
    assert.equal((await byAccount("/groups", { method: "POST", body: "{}" })).status, 401);
    const mints = sent.slice(before).filter(({ url }) => url.endsWith("/token"));
    assert.equal(mints.length, calls === 1 ? 2 : 1);
    assert.equal(sent.length - before - mints.length, 2);
  }
});

test("paginate() stays where it is, whatever the next link says", async () => {
  const places = [
    "https://evil.example/api/atlas/v2/groups?pageNum=2",
    "http://cloud.mongodb.com/api/atlas/v2/groups?pageNum=2",
    "https://user:password@evil.example/?pageNum=2",
    "https://cloud.mongodb.com:444/?pageNum=2",
    "https://cloud.mongodb.com/api/oauth/revoke?pageNum=2",
    "javascript:alert(1)?pageNum=2",
    "data:text/plain,?pageNum=2",
  ];
  for (const href of places) {
    for (const who of ["byKey", "byAccount"] as const) {
      const atlas = createAtlas(({ url }) =>
        Response.json({ results: [url], links: url.includes("pageNum=2") ? [] : [{ rel: "next", href }] })
      );
      const urls = await take(paginate<string>(atlas[who], "/groups"));
      assert.equal(urls.length, 2, href);
      for (const { url } of atlas.sent) {
        assert.match(url, /^https:\/\/cloud\.mongodb\.com\/api\/(atlas\/v2\/groups|oauth\/token)/);
      }
      assertHarmless(atlas.sent, ORIGIN, SECRETS);
    }
  }
});

test("paginate() ends when a next link leads back, and asks for no page that nobody takes", async () => {
  const next = (href: string) => ({ results: [1], links: [{ rel: "next", href }] });
  const circles = ["?pageNum=1", "?pageNum=1&itemsPerPage=500", "?itemsPerPage=500", ""].map((query) =>
    `${ORIGIN}/api/atlas/v2/groups${query}`
  );
  for (const href of circles) {
    const { byKey, sent } = createAtlas(() => Response.json(next(href)));
    assert.deepEqual(await take(paginate(byKey, "/groups")), [1]);
    assert.equal(sent.length, 2, href);
  }
  const circle = createAtlas((_, number) => Response.json(next(`${circles[0]}&step=${number % 7}`)));
  assert.equal((await take(paginate(circle.byKey, "/groups"))).length, 8);

  const endless = createAtlas((_, number) => Response.json(next(`${ORIGIN}/?pageNum=${number}`)));
  assert.equal((await take(paginate(endless.byKey, "/groups"), 50)).length, 50);
  assert.equal(endless.sent.length, 51);
});

test("paginate() takes nothing for a list that is none, and no link for one that is none", async () => {
  const pages: unknown[] = [null, 5, "text", {}, { results: null }, { results: { length: 3 } }, { results: "abc" }];
  for (const page of pages) {
    const { byKey, sent } = createAtlas(() => Response.json(page));
    assert.ok(await reasonOf(take(paginate(byKey, "/groups"))) instanceof AtlasError, inspect(page));
    assert.equal(sent.length, 2);
  }
  const next = (href?: unknown) => [{ rel: "next", href }];
  const links: unknown[] = [null, 5, {}, [null], [5], next(), next(5), next("http://"), next("nowhere")];
  for (const list of links) {
    const { byKey, sent } = createAtlas(() => Response.json({ results: [1], links: list }));
    const end = await take(paginate(byKey, "/groups")).then(() => undefined, (error: unknown) => error);
    assert.ok(end === undefined || end instanceof AtlasError, inspect(end));
    assert.equal(sent.length, 2, inspect(list));
  }
});

const token = (value: unknown) => () => Response.json(value);
const said = (body: string | null, status = 200, headers = {}) => () => new Response(body, { status, headers });

/** By the number of requests that are right: one, or three where the mint may be tried again. */
const MINTS: Record<string, [Answer, number]> = {
  "no JSON": [said("<html>Welcome</html>"), 1],
  "nothing": [said(""), 1],
  "204": [said(null, 204), 1],
  "null": [token(null), 1],
  "a list": [token([{ access_token: "t" }]), 1],
  "no token": [token({ expires_in: 3600 }), 1],
  "an empty token": [token({ access_token: "" }), 1],
  "a number for a token": [token({ access_token: 12345 }), 1],
  "an object for a token": [token({ access_token: { toString: "t" } }), 1],
  "a token with a line break": [token({ access_token: "t\r\nx-evil: 1" }), 1],
  "a token with NUL": [token({ access_token: "t\0" }), 1],
  "a token beyond Latin-1": [token({ access_token: "t☃" }), 1],
  "a token with a blank": [token({ access_token: "t t" }), 1],
  "a redirect to another host": [() => redirect("https://evil.example/token", 307), 1],
  "a redirect to itself": [() => redirect("/api/oauth/token", 307), 1],
  "a Digest challenge": [() => challenge({}), 1],
  "401": [said('{"error":"invalid_client"}', 401), 1],
  "429 with a Retry-After of a second": [said("", 429, { "retry-after": "1" }), 1],
  "500": [said("", 500), 1],
  "502 for ever": [said("", 502), 3],
  "503 for ever": [said("", 503), 3],
  "504 for ever": [said("", 504), 3],
};

for (const [name, [answer, requests]] of Object.entries(MINTS)) {
  test(`createTokenSource() takes no token from a server that answers: ${name}`, async () => {
    const { fetch, sent } = createHostileServer(answer);
    const error = await withRandom(0, () => reasonOf(createTokenSource({ ...ACCOUNT, fetch })()));
    assert.ok(error instanceof AtlasError, inspect(error));
    assert.equal(sent.length, requests);
    assert.ok(
      sent.every(({ url, authorization }) => url === `${ORIGIN}/api/oauth/token` && authorization === `Basic ${BASIC}`),
    );
    assertShowsNone(error, SECRETS, name);
  });
}

test("createTokenSource() uses a token whatever its expires_in says, and never mints in a loop", async () => {
  for (const value of [0, -1, 59, 1e400, -1e400, 1e15, "soon", "3600", null, {}, [], true]) {
    const { fetch, sent } = createHostileServer((_, number) =>
      Response.json({ access_token: `t${number}`, expires_in: value })
    );
    const source = createTokenSource({ ...ACCOUNT, fetch });
    for (const calls of [1, 2, 3]) {
      assert.match(await source(), /^t\d$/);
      assert.ok(sent.length <= calls, `${sent.length} mints for ${calls} calls with ${inspect(value)}`);
    }
  }
});

test("createTokenSource() takes at most 256 KiB of an answer that never ends", async () => {
  const { body, taken, isCancelled } = endlessBody();
  const { fetch } = createHostileServer(() => new Response(body));
  assert.ok(await reasonOf(createTokenSource({ ...ACCOUNT, fetch })()) instanceof AtlasError);
  assert.ok(taken() <= 256 * 1024 + 2 * 4096, `${taken()} bytes`);
  assert.ok(isCancelled());
});

test("ensureOk() takes at most 256 KiB of an error that never ends", async () => {
  const { body, taken, isCancelled } = endlessBody();
  const error = await reasonOf(ensureOk(new Response(body, { status: 500 })));
  assert.ok(error instanceof AtlasError);
  assert.ok(error.message.length < 2000, `${error.message.length} characters`);
  assert.ok(taken() <= 256 * 1024 + 2 * 4096, `${taken()} bytes`);
  assert.ok(isCancelled());
});

test("createAtlasFetch() takes at most 64 KiB of each answer that it tries again", async () => {
  for (const status of [429, 502]) {
    const bodies = [endlessBody(), endlessBody()];
    const { byKey, sent } = createAtlas((_, number) => new Response(bodies[number - 2]?.body ?? null, { status }));
    assert.equal((await byKey("/groups")).status, status);
    assert.equal(sent.length, 4);
    for (const { taken, isCancelled } of bodies) {
      assert.ok(taken() <= 65_536 + 2 * 4096 && isCancelled(), `${taken()} bytes`);
    }
  }
});
