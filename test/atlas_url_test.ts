import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { serveFakeAtlas } from "../lib/testing.ts";
import { KEY, ORIGIN, record, refusalOf, VERSIONED } from "./atlas_client.ts";
import { challenged } from "./recorder.ts";
import { serving } from "./serving.ts";

const BASE_URLS = [ORIGIN, `${ORIGIN}/`, `${ORIGIN}/api/atlas/v2`, `${ORIGIN}/api/atlas/v2/`];

const TARGETS: [input: string, target: string][] = [
  ["/", "/api/atlas/v2/"],
  ["", "/api/atlas/v2/"],
  ["/groups", "/api/atlas/v2/groups"],
  ["groups", "/api/atlas/v2/groups"],
  ["/groups?pageNum=2&name=a%20b", "/api/atlas/v2/groups?pageNum=2&name=a%20b"],
  ["?a=b", "/api/atlas/v2/?a=b"],
  ["/?a=/api/", "/api/atlas/v2/?a=/api/"],
  ["/groups?", "/api/atlas/v2/groups"],
  ["/groups#fragment", "/api/atlas/v2/groups"],
  ["/api/atlas/v2", "/api/atlas/v2"],
  ["/api/atlas/v2/groups", "/api/atlas/v2/groups"],
  ["/api/atlas/v1.0/groups", "/api/atlas/v1.0/groups"],
  ["/api/public/v1.0/groups", "/api/public/v1.0/groups"],
  ["/apiKeys", "/api/atlas/v2/apiKeys"],
  [`${ORIGIN}/groups`, "/groups"],
  [`${ORIGIN}:443/api/atlas/v2/groups?x=1#y`, "/api/atlas/v2/groups?x=1"],
  ["HTTPS://CLOUD.MONGODB.COM/api/atlas/v2/groups", "/api/atlas/v2/groups"],
  // Custom methods and CIDR blocks, as Atlas wants them
  ["/groups/1/invoices/lineItems:search", "/api/atlas/v2/groups/1/invoices/lineItems:search"],
  ["/lineItems:search", "/api/atlas/v2/lineItems:search"],
  ["/groups/1/accessList/203.0.113.0%2F24", "/api/atlas/v2/groups/1/accessList/203.0.113.0%2F24"],
  ["/groups/byName/ü,'\"%C3%BC", "/api/atlas/v2/groups/byName/%C3%BC,'%22%C3%BC"],
  ["/a.gz?x=http://evil.example/", "/api/atlas/v2/a.gz?x=http://evil.example/"],
];

test("atlasFetch() asks for paths below the API, from the origin and full URLs, however baseUrl is written", async () => {
  for (const baseUrl of [...BASE_URLS, ...BASE_URLS.map((url) => new URL(url)), undefined]) {
    for (const [input, target] of TARGETS) {
      const { fetch, sent } = record({ baseUrl });
      await fetch(input);
      assert.deepEqual(sent.map(({ url }) => url), [ORIGIN + target], `${input} with ${baseUrl}`);
    }
  }
});

test("atlasFetch() takes URLs and Requests as fetch does", async () => {
  const { fetch, sent } = record();
  await fetch(new URL(`${ORIGIN}/api/atlas/v2/groups?a=b#c`));
  await fetch(new Request(`${ORIGIN}/api/atlas/v2/groups`, { method: "DELETE", headers: { "x-own": "1" } }));
  await fetch(new Request(`${ORIGIN}/api/atlas/v1.0/groups`, { method: "POST", body: "a" }), { method: "PUT" });
  assert.deepEqual(
    sent.map(({ url, init, headers }) => [init.method, url, headers.get("x-own"), headers.get("accept")]),
    [
      ["GET", `${ORIGIN}/api/atlas/v2/groups?a=b`, null, VERSIONED],
      ["DELETE", `${ORIGIN}/api/atlas/v2/groups`, "1", VERSIONED],
      ["PUT", `${ORIGIN}/api/atlas/v1.0/groups`, null, "application/json"],
    ],
  );
});

test("atlasFetch() asks the wire for the same, and signs what is on it", async () => {
  const atlas = await serveFakeAtlas();
  try {
    for (const ending of ["", "/", "/api/atlas/v2", "/api/atlas/v2/"]) {
      const fetch = createAtlasFetch({ baseUrl: atlas.url + ending, credentials: atlas.credentials });
      for (const input of ["/", "/groups", "groups", "/api/atlas/v1.0/groups", `${atlas.url}/api/atlas/v2/groups`]) {
        const response = await fetch(input);
        assert.equal(response.status, 200, input);
        assert.equal(typeof await response.json(), "object");
      }
      // The fake compares the signed uri with the target, byte for byte: a 401 if they differ.
      const odd = ["/groups?", "/groups?pageNum=1&x=ü,%2F'\"|[]#y", "/groups/x%2Fy:search?z= ", "/groups?a=?&&=#?"];
      for (const input of odd) {
        const response = await fetch(input);
        assert.equal(response.status, input.includes("search") ? 404 : 200, input);
        await response.body?.cancel();
      }
    }
    // One challenge for each of the four, then one request a call.
    assert.equal(atlas.requests.length, 4 * (5 + 4 + 1));
  } finally {
    await atlas.close();
  }
});

test("atlasFetch() refuses another origin before anything is sent", async () => {
  const foreign = [
    "https://evil.example",
    "https://evil.example/api/atlas/v2/groups",
    "HTTPS://EVIL.EXAMPLE/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example/api/",
    "https:\\\\evil.example",
    "https:\\/evil.example",
    "https:///evil.example",
    "https:////evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http://cloud.mongodb.com/api/atlas/v2/groups",
    "https://cloud.mongodb.com:8443/",
    "https://cloud.mongodb.com.evil.example/",
  ];
  for (const baseUrl of [undefined, ORIGIN, "http://127.0.0.1:8080"]) {
    for (const input of foreign) {
      const { fetch, sent } = record({ baseUrl });
      const { message } = await refusalOf(fetch(input), sent);
      assert.match(
        message,
        /^Cannot send Atlas credentials to https?:\/\/\S+: they are for https?:\/\/\S+\. Use plain/,
      );
      assert.ok(message.includes(`they are for ${baseUrl ?? ORIGIN}.`), message);
    }
  }
  const { fetch, sent } = record();
  await refusalOf(fetch(new URL("https://evil.example/")), sent);
  await refusalOf(fetch(new Request("https://evil.example/", { method: "POST", body: "{}" })), sent);
});

test("atlasFetch() never leaves its origin for a path, odd as it may be", async () => {
  const odd = [
    " //evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "\n\\\\evil.example",
    "/\n\\evil.example",
    "ht\ttps://evil.example",
    " https://evil.example",
    "\u0000//evil.example",
    "evil.example",
    "@evil.example",
    ":@evil.example/",
    ".evil.example",
    ":8443/",
    "/api/@evil.example",
    "/api//evil.example",
    "/api/../..//evil.example",
    "../../../..//evil.example",
    "/../../../../\\evil.example",
    "/javascript:alert(1)",
    "/%2F%2Fevil.example",
    "?//evil.example",
    "#//evil.example",
  ];
  for (const baseUrl of BASE_URLS) {
    for (const input of odd) {
      const { fetch, sent } = record({ baseUrl });
      await fetch(input);
      assert.equal(sent.length, 1, JSON.stringify(input));
      assert.equal(new URL(String(sent[0]?.url)).origin, ORIGIN, JSON.stringify(input));
    }
  }
});

test("atlasFetch() refuses URLs that are not HTTP, and never shows the password of one", async () => {
  const inputs = [
    "https://",
    "https://user:pa55word@cloud.mongodb.com/api/atlas/v2/groups",
    "https://:pa55word@cloud.mongodb.com/",
    "https://user:pa55word@evil.example/",
    "//user:pa55word@evil.example/",
    "https://user:pa55word@[/",
    new URL("https://user:pa55word@cloud.mongodb.com/"),
    new URL("about:blank?pa55word"),
  ];
  for (const input of inputs) {
    const { fetch, sent } = record();
    const error = await refusalOf(fetch(input), sent);
    assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /pa55word/);
    assert.match(error.message, /^Cannot fetch/);
  }
});

test("atlasFetch() refuses what begins with another scheme, and no path at all, with what to give in its place", async () => {
  const nothing: { path: string } = JSON.parse("{}");
  const inputs = [
    "ftp://user:pa55word@cloud.mongodb.com/",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    "mailto:a@b",
    "C:/groups",
    "lineItems:search",
    "DATA:x",
    nothing.path,
    JSON.parse("5"),
    JSON.parse("null"),
    JSON.parse('["/groups"]'),
    JSON.parse('{ "path": "/groups" }'),
  ];
  for (const input of inputs) {
    const { fetch, sent } = record();
    const { message } = await refusalOf(fetch(input), sent);
    assert.equal(message, 'Cannot call Atlas: give a path such as "/groups", or a URL of https://cloud.mongodb.com');
  }
});

test("createAtlasFetch() refuses a baseUrl that is no origin, without showing it", () => {
  const wrong = [
    "",
    "cloud.mongodb.com",
    "pa55word",
    "https://",
    `${ORIGIN}/groups?pa55word`,
    `${ORIGIN}/api`,
    `${ORIGIN}/api/atlas`,
    `${ORIGIN}/api/atlas/v1.0`,
    `${ORIGIN}/api/atlas/v2//`,
    `${ORIGIN}//`,
    `${ORIGIN}/api/atlas/v2/groups`,
    `${ORIGIN}/?x=pa55word`,
    `${ORIGIN}#pa55word`,
    "https://user:pa55word@cloud.mongodb.com",
    "https://user@cloud.mongodb.com",
    new URL(`${ORIGIN}/x?pa55word`),
  ];
  for (const baseUrl of wrong) {
    assert.throws(() => createAtlasFetch({ baseUrl }), (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "Cannot use baseUrl: it is not an origin such as https://cloud.mongodb.com");
      assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /pa55word/);
      return true;
    });
  }
});

test("createAtlasFetch() takes http: for loopback only", async () => {
  for (
    const host of ["localhost", "localhost:8080", "atlas.localhost", "127.0.0.1:1", "127.0.0.2", "127.1", "[::1]:9"]
  ) {
    const { fetch, sent } = record({ baseUrl: `http://${host}` });
    await fetch("/groups");
    assert.deepEqual(sent.map(({ url }) => url), [new URL(`http://${host}/api/atlas/v2/groups`).href]);
  }
  for (
    const host of [
      "cloud.mongodb.com",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "128.0.0.1",
      "10.0.0.1",
      "0.0.0.0",
      "[::2]",
      "[::ffff:127.0.0.1]",
      "evillocalhost",
    ]
  ) {
    assert.throws(
      () => createAtlasFetch({ baseUrl: `http://${host}` }),
      {
        name: "TypeError",
        message: /^Cannot send credentials to http:\/\/.+: use https:, since http: is for loopback/,
      },
      host,
    );
  }
  for (const baseUrl of ["ftp://cloud.mongodb.com", "ws://localhost", "mongodb://localhost", "file:///"]) {
    assert.throws(() => createAtlasFetch({ baseUrl }), { name: "TypeError", message: /^Cannot / }, baseUrl);
  }
});

test("atlasFetch() signs redirects on its origin, and none to another", async () => {
  const { fetch, sent } = record({}, ({ url, headers }) => {
    if (url.startsWith("https://evil.example/")) return new Response("evil");
    if (!headers.has("authorization")) {
      return challenged();
    }
    return new Response(null, {
      status: 307,
      headers: { location: url.endsWith("/groups") ? "/api/atlas/v2/moved?x" : "https://evil.example/api/atlas/v2/" },
    });
  });
  assert.equal(await (await fetch("/groups")).text(), "evil");
  const uris = sent.map(({ headers }) => / uri="([^"]*)"/.exec(headers.get("authorization") ?? "")?.[1]);
  assert.deepEqual(uris, [undefined, "/api/atlas/v2/groups", "/api/atlas/v2/moved?x", undefined]);
  assert.equal(sent.at(-1)?.url, "https://evil.example/api/atlas/v2/");
});

test("atlasFetch() sends no request to a server that would take the credentials in the clear", async () => {
  let requests = 0;
  await serving((_request, response) => {
    requests++;
    response.end();
  }, async (url) => {
    const fetch = createAtlasFetch({ credentials: KEY, retry: false });
    await refusalOf(fetch(`${url}/`));
    await refusalOf(fetch(`${url.replace("http:", "")}/`));
  });
  assert.equal(requests, 0);
});
