import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type AtlasRequestInit, createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { ORIGIN, record, refusalOf, VERSIONED } from "./atlas_client.ts";

test("atlasFetch() asks for a versioned type below /api/atlas/v2 only", async () => {
  const cases: [input: string, init: AtlasRequestInit, accept: string][] = [
    ["/", {}, VERSIONED],
    ["/api/atlas/v2", {}, VERSIONED],
    ["/api/atlas/v2?a=b", {}, VERSIONED],
    [`${ORIGIN}/api/atlas/v2/groups`, {}, VERSIONED],
    ["/groups", { version: "2024-08-05" }, "application/vnd.atlas.2024-08-05+json"],
    ["/groups", { version: "2027-03-12.upcoming" }, "application/vnd.atlas.2027-03-12.upcoming+json"],
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
    const version of [
      "",
      "2",
      "2025-3-12",
      "v2",
      "2025-03-12\n",
      " 2025-03-12",
      "2025-03-12+json",
      "2025-03-12,*/*",
      "latest",
      ".upcoming",
      "2025-03-12upcoming",
    ]
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

test("atlasFetch() refuses a format that there is not, before anything is sent", async () => {
  const { fetch, sent } = record();
  for (const format of ["xml", "json\r\nX", ""]) {
    const init: object = { format };
    await assert.rejects(
      fetch("/", init),
      /^TypeError: Cannot ask for ".*": give .* a format as json, csv or gzip$/,
    );
  }
  assert.deepEqual(sent, []);
});
