import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import { AtlasError } from "../lib/atlas_error.ts";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { paginate } from "../lib/paginate.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { createRecorder } from "./recorder.ts";
import { reasonOf } from "./serving.ts";

const ORIGIN = "https://cloud.mongodb.com";

interface Page {
  results?: unknown;
  links?: unknown;
}

/** Gives the pages in order, and keeps the URLs it is asked for. */
function createPages(...pages: (Page | unknown[] | string | Response)[]) {
  const asked: string[] = [];
  const { fetch } = createRecorder(({ url }, number) => {
    asked.push(url);
    const page = pages[number - 1] ?? "more pages were asked for than there are";
    return page instanceof Response ? page : new Response(typeof page === "string" ? page : JSON.stringify(page));
  });
  return { fetch, asked };
}

function page(results: unknown[], next?: unknown): Page {
  const links = [{ rel: "self", href: `${ORIGIN}/self?pageNum=9` }];
  return { results, links: next === undefined ? links : [...links, { rel: "next", href: next }] };
}

async function all<T>(items: AsyncIterable<T>, list: T[] = []): Promise<T[]> {
  for await (const item of items) list.push(item);
  return list;
}

/** The error that a list ends in, and the items seen before. */
async function errorOf(items: AsyncIterable<unknown>, seen: unknown[] = []): Promise<AtlasError> {
  const error = await all(items, seen).then((list) => list, (error: unknown) => error);
  assert.ok(error instanceof AtlasError, inspect(error));
  return error;
}

test("paginate() yields every project of Atlas, 500 a page unless told otherwise", async () => {
  const atlas = createFakeAtlas({ projects: 1203 });
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const names = Array.from({ length: 1203 }, (_, index) => `project-${index + 1}`);
  const cases: [input: string | URL, sizes: string, pages: number][] = [
    ["/groups", "500", 3],
    ["groups?includeCount=false", "500", 3],
    [new URL(`${ORIGIN}/api/atlas/v2/groups#x`), "500", 3],
    ["/groups?itemsPerPage=100", "100", 13],
    ["/groups?includeCount=true&itemsPerPage=401", "401", 3],
    ["/api/atlas/v1.0/groups?", "500", 3],
  ];
  for (const [input, size, pages] of cases) {
    const before = atlas.requests.length;
    const projects = await all(paginate<{ name: string }>(atlasFetch, input));
    assert.deepEqual(projects.map(({ name }) => name), names, String(input));
    // The very first call has a challenge besides.
    const urls = atlas.requests.slice(before).slice(before === 0 ? 1 : 0).map(({ url }) => new URL(url));
    assert.deepEqual(urls.map(({ searchParams }) => searchParams.get("itemsPerPage")), Array(pages).fill(size));
    const numbers = Array.from({ length: pages }, (_, index) => index === 0 ? null : String(index + 1));
    assert.deepEqual(urls.map(({ searchParams }) => searchParams.get("pageNum")), numbers);
  }
});

test("paginate() starts at the page that it is asked for", async () => {
  const atlas = createFakeAtlas({ projects: 25 });
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const projects = await all(paginate<{ name: string }>(atlasFetch, "/groups?pageNum=3&itemsPerPage=10"));
  assert.deepEqual(projects.map(({ name }) => name), [21, 22, 23, 24, 25].map((number) => `project-${number}`));
});

test("paginate() yields the items of a plain array, of an empty list and of one without links", async () => {
  for (const list of [[1, null, { a: 2 }, [3]], []]) {
    for (const body of [list, { results: list }, { results: list, links: [] }, { results: list, links: "none" }]) {
      const { fetch, asked } = createPages(body);
      assert.deepEqual(await all(paginate(fetch, "/x")), list);
      assert.deepEqual(asked, ["/x?itemsPerPage=500"]);
    }
  }
});

test("paginate() keeps the caller's query as it is written", async () => {
  const { fetch, asked } = createPages([], [], [], [], []);
  for (
    const input of [
      "/x?a=%2F&a=b,c&=#frag?x",
      "?a",
      "/x?",
      "/x?y=?itemsPerPage=3",
      "/x?items%50erPage=7#itemsPerPage=1",
    ]
  ) {
    await all(paginate(fetch, input));
  }
  assert.deepEqual(asked, [
    "/x?a=%2F&a=b,c&=&itemsPerPage=500",
    "?a&itemsPerPage=500",
    "/x?itemsPerPage=500",
    "/x?y=?itemsPerPage=3&itemsPerPage=500",
    "/x?items%50erPage=7",
  ]);
});

test("paginate() shows no password of a URL that it cannot fetch", async () => {
  const { fetch, asked } = createPages();
  const atlasFetch = createAtlasFetch({ credentials: { publicKey: "abcdefgh", privateKey: "x" }, fetch });
  for (const start of ["//", "https://", "https:\\\\", "\\/"]) {
    const error = await reasonOf(all(paginate(atlasFetch, `${start}user:hunter2@evil.example/x`)));
    assert.match(error.message, /^Cannot fetch/);
    assert.doesNotMatch(inspect(error), /hunter2/);
  }
  assert.deepEqual(asked, []);
});

test("paginate() hands the init on for each page", async () => {
  const pages = [page([1], `${ORIGIN}/?pageNum=2`), page([2])];
  const { fetch, sent } = createRecorder(...pages.map((page) => () => Response.json(page)));
  const init = { version: "2024-08-05", headers: { "x-own": "1" } };
  await all(paginate(fetch, "/x", init));
  assert.equal(sent.length, 2);
  assert.ok(sent.every((one) => one.init === init));
});

test("paginate() takes the query of next and no more, so credentials stay where they are", async () => {
  const foreign = [
    "https://evil.example/api/atlas/v2/evil?pageNum=2",
    "http://cloud.mongodb.com/api/atlas/v2/groups?pageNum=2",
    "https://user:password@evil.example:8443/?pageNum=2#x",
    "ftp://evil.example/?pageNum=2",
    `${ORIGIN}/api/oauth/revoke?pageNum=2`,
  ];
  for (const next of foreign) {
    const { fetch, asked } = createPages(page([1], next), page([2]));
    assert.deepEqual(await all(paginate(fetch, `${ORIGIN}/api/atlas/v2/groups?a=b`)), [1, 2]);
    assert.deepEqual(asked, [
      `${ORIGIN}/api/atlas/v2/groups?a=b&itemsPerPage=500`,
      `${ORIGIN}/api/atlas/v2/groups?pageNum=2`,
    ]);
  }

  // The same with credentials: whatever is sent, it is sent to Atlas.
  const { fetch, asked } = createPages(page([1], foreign[0]), page([2]));
  const atlasFetch = createAtlasFetch({ credentials: { publicKey: "a", privateKey: "b" }, fetch });
  await all(paginate(atlasFetch, "/groups"));
  assert.deepEqual(asked.map((url) => new URL(url).origin), [ORIGIN, ORIGIN]);
});

test("paginate() ends with a next that was asked for before", async () => {
  const first = "/x?a=b&itemsPerPage=500";
  const again = [
    `${ORIGIN}${first}`,
    `${ORIGIN}/x?itemsPerPage=500&pageNum=1&a=b`,
    `${ORIGIN}/?itemsPerPage=500&a=%62`,
  ];
  for (const next of again) {
    const { fetch, asked } = createPages(page([1], next));
    assert.deepEqual(await all(paginate(fetch, "/x?a=b")), [1]);
    assert.deepEqual(asked, [first]);
  }
  // A circle of three
  const [second, third] = [`${ORIGIN}/x?pageNum=2`, `${ORIGIN}/x?pageNum=3`];
  const { fetch, asked } = createPages(page([1], second), page([2], third), page([3], second));
  assert.deepEqual(await all(paginate(fetch, "/x")), [1, 2, 3]);
  assert.equal(asked.length, 3);
});

test("paginate() throws an AtlasError for a next that is no URL", async () => {
  const wrong: unknown[] = [
    "",
    "garbage",
    "garbage?pageNum=2",
    "https://",
    "//",
    7,
    null,
    true,
    {},
    { toString: 1, valueOf: 1 },
    [`${ORIGIN}/?pageNum=2`],
  ];
  for (const next of wrong) {
    const { fetch, asked } = createPages(page([1], "https://x/?pageNum=2"), page([2], next));
    const seen: unknown[] = [];
    const error = await errorOf(paginate(fetch, "/groups"), seen);
    assert.equal(error.message, "200 at /groups page 2: The next link is not a URL", inspect(next));
    assert.deepEqual(seen, [1, 2]);
    assert.equal(asked.length, 2);
  }
  const { fetch } = createPages({ results: [], links: [{ rel: "next" }] });
  assert.match(
    (await errorOf(paginate(fetch, "/groups"))).message,
    /^200 at \/groups page 1: The next link/,
  );
});

test("paginate() ignores links that lead elsewhere, and rubbish among them", async () => {
  const links = [null, 7, "next", [], { rel: "previous", href: `${ORIGIN}/?pageNum=7` }, { href: "x" }];
  const { fetch, asked } = createPages({ results: [1], links });
  assert.deepEqual(await all(paginate(fetch, "/x")), [1]);
  assert.equal(asked.length, 1);
  const more = createPages(
    { results: [1], links: [...links, { rel: "next", href: `${ORIGIN}/?pageNum=2` }] },
    page([2]),
  );
  assert.deepEqual(await all(paginate(more.fetch, "/x")), [1, 2]);
});

test("paginate() throws an AtlasError that names path and page for a page that is no list", async () => {
  const bodies: (Page | string)[] = [
    {},
    { results: {} },
    { results: null },
    { results: "abc" },
    "null",
    "42",
    '"text"',
    "",
    "<html>",
    '{"results":[1,',
    "[1,2",
  ];
  for (const body of bodies) {
    const { fetch } = createPages(page([1], "https://x/?pageNum=2"), body);
    const error = await errorOf(paginate(fetch, "/api/atlas/v2/groups"));
    assert.equal(error.message, "200 at /api/atlas/v2/groups page 2: The answer is not a list", inspect(body));
    assert.equal(error.status, 200);
    assert.ok(error.response instanceof Response);
  }
  const { fetch } = createPages(new Response(null, { status: 204 }));
  assert.equal((await errorOf(paginate(fetch, "/own?a=b"))).message, "204 at /own page 1: The answer is not a list");
});

test("paginate() throws what Atlas says of a page that fails, with path and page", async () => {
  const atlas = createFakeAtlas({ projects: 30 });
  let calls = 0;
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const failing: Fetch = (input, init) => {
    if (++calls < 3) return atlasFetch(input, init);
    return Promise.resolve(
      Response.json({ error: 404, errorCode: "GROUP_NOT_FOUND", detail: "Gone." }, { status: 404 }),
    );
  };
  const seen: unknown[] = [];
  const error = await errorOf(paginate(failing, "/groups?itemsPerPage=10"), seen);
  assert.equal(error.message, "404 GROUP_NOT_FOUND at /groups page 3: Gone");
  assert.equal(error.code, "GROUP_NOT_FOUND");
  assert.equal(seen.length, 20);

  const wrongKey = createAtlasFetch({ credentials: { publicKey: "a", privateKey: "b" }, fetch: atlas });
  assert.match(
    (await errorOf(paginate(wrongKey, "/groups"))).message,
    /^401 UNEXPECTED_ERROR at \/api\/atlas\/v2\/groups page 1: You are not authorized .* Check user name and/,
  );
  const missing = await errorOf(paginate(atlasFetch, "/groups/0123456789abcdef01234567/clusters"));
  assert.match(
    missing.message,
    /^404 GROUP_NOT_FOUND at \/api\/atlas\/v2\/groups\/0123456789abcdef01234567\/clusters page 1/,
  );
});

test("paginate() lets fetch's errors pass through, also in the middle of a body", async () => {
  const lost = new TypeError("fetch failed");
  const broken = () => new ReadableStream({ pull: (controller) => controller.error(lost) });
  for (const reason of [lost, new DOMException("Enough", "AbortError")]) {
    assert.equal(await rejectionOf(all(paginate(() => Promise.reject(reason), "/x"))), reason);
  }
  assert.equal(await rejectionOf(all(paginate(() => Promise.resolve(new Response(broken())), "/x"))), lost);
});

function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => assert.fail("It did not reject"), (error: unknown) => error);
}

test("paginate() takes a relative next for a URL, of which it takes the query", async () => {
  for (const next of ["?pageNum=2", "/api/atlas/v2/elsewhere?pageNum=2", "//evil.example/?pageNum=2"]) {
    const { fetch, asked } = createPages(page([1], next), page([2]));
    assert.deepEqual(await all(paginate(fetch, "/x")), [1, 2]);
    assert.deepEqual(asked, ["/x?itemsPerPage=500", "/x?pageNum=2"]);
  }
});

test("paginate() ends with what is thrown into it", async () => {
  const { fetch, asked } = createPages(page([1, 2], "?pageNum=2"), page([3]));
  const items = paginate(fetch, "/x");
  assert.equal((await items.next()).value, 1);
  const reason = new Error("Enough");
  assert.equal(await rejectionOf(items.throw(reason)), reason);
  assert.equal((await items.next()).done, true);
  assert.equal(asked.length, 1);
});

test("paginate() ends with a next that asks for the first page in other words", async () => {
  for (const next of ["http://h.example/x", "http://h.example/x?pageNum=1", "http://h.example/x?itemsPerPage=9"]) {
    const { fetch } = createPages(page([1], next), page([2]));
    assert.deepEqual(await all(paginate(fetch, "/x")), [1], next);
  }
});

test("paginate() asks for nothing before its first item is wanted, and for a page once its items are", async () => {
  const atlas = createFakeAtlas({ projects: 5 });
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  await (await atlasFetch("/")).body?.cancel();
  const warm = atlas.requests.length;
  const pages = () => atlas.requests.length - warm;

  const projects = paginate(atlasFetch, "/groups?itemsPerPage=2");
  assert.equal(pages(), 0);
  const counts = [];
  for await (const _project of projects) counts.push(pages());
  assert.deepEqual(counts, [1, 1, 2, 2, 3]);
});

test("paginate() stops asking after break", async () => {
  const atlas = createFakeAtlas({ projects: 50 });
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  await (await atlasFetch("/")).body?.cancel();
  const warm = atlas.requests.length;
  let items = 0;
  for await (const _project of paginate(atlasFetch, "/groups?itemsPerPage=10")) if (++items === 12) break;
  await turn();
  assert.equal(atlas.requests.length - warm, 2);
});

test("paginate() stops for an aborted signal", async () => {
  const atlas = createFakeAtlas({ projects: 50 });
  const atlasFetch = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const controller = new AbortController();
  const reason = new Error("Enough");
  let items = 0;
  await assert.rejects(async () => {
    for await (const _item of paginate(atlasFetch, "/groups?itemsPerPage=10", { signal: controller.signal })) {
      if (++items === 5) controller.abort(reason);
    }
  }, reason);
  assert.equal(items, 10);
});

test("paginate() holds one page of a thousand at a time", async () => {
  const PAGES = 1000;
  const pageText = "x".repeat(100_000);
  let asked = 0;
  const fetch: Fetch = () => {
    const number = ++asked;
    const next = number < PAGES ? `${ORIGIN}/api/atlas/v2/groups?pageNum=${number + 1}&itemsPerPage=500` : undefined;
    return Promise.resolve(Response.json(page([number, `${pageText}${number}`], next)));
  };
  let items = 0;
  let highest = 0;
  let last: unknown;
  const before = process.memoryUsage().heapUsed;
  for await (const item of paginate(fetch, "/groups")) {
    if (typeof item !== "number") continue;
    assert.equal(item, asked, "an item came later than its page");
    items++;
    last = item;
    if (items % 50 === 0) highest = Math.max(highest, process.memoryUsage().heapUsed - before);
  }
  assert.deepEqual([items, last, asked], [PAGES, PAGES, PAGES]);
  // 100 MB went through.
  assert.ok(highest < 60e6, `${Math.round(highest / 1e6)} MB`);
});
