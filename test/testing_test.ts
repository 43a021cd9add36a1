import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import type { Fetch } from "../lib/digest/call.ts";
import { createFakeAtlas, serveFakeAtlas } from "../lib/testing.ts";

const ORIGIN = "https://cloud.mongodb.com";
const V2 = `${ORIGIN}/api/atlas/v2`;
const ACCEPT = "application/vnd.atlas.2025-03-12+json";
const ORG = "0123456789abcdef01234567";
const SERVICE_ACCOUNT = {
  clientId: "mdb_sa_id_0123456789abcdef01234567",
  clientSecret: "mdb_sa_sk_under_score",
};

type FakeAtlas = ReturnType<typeof createFakeAtlas>;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// The independent signer: RFC 7616 section 3.4.1, step by step. -----------------------------------

const md5 = (text: string) => createHash("md5").update(text).digest("hex");

interface Signed {
  username: string;
  password: string;
  realm: string;
  nonce: string;
  method: string;
  uri: string;
  algorithm: string;
  qop: string;
  nc: string;
  cnonce: string;
}

function signed(credentials: FakeAtlas["credentials"], changes: Partial<Signed>): Signed {
  return {
    username: credentials.publicKey,
    password: credentials.privateKey,
    realm: "MMS Public API",
    nonce: "",
    method: "GET",
    uri: "/api/atlas/v2/",
    algorithm: "MD5",
    qop: "auth",
    nc: "00000001",
    cnonce: "0a4f113b",
    ...changes,
  };
}

function responseOf(it: Signed): string {
  const ha1 = md5(`${it.username}:${it.realm}:${it.password}`);
  const ha2 = md5(`${it.method}:${it.uri}`);
  return md5(`${ha1}:${it.nonce}:${it.nc}:${it.cnonce}:${it.qop}:${ha2}`);
}

function authorization(it: Signed): string {
  return `Digest username="${it.username}", realm="${it.realm}", nonce="${it.nonce}", uri="${it.uri}", ` +
    `algorithm=${it.algorithm}, qop=${it.qop}, nc=${it.nc}, cnonce="${it.cnonce}", ` +
    `response="${responseOf(it)}"`;
}

const CHALLENGE =
  /^Digest realm="MMS Public API", domain="", nonce="([A-Za-z0-9+/]{32})", algorithm=MD5, qop="auth", stale=(true|false)$/;

/** The nonce and the stale of a 401, whose wording is checked on the way. */
function challengeOf(response: Response): { nonce: string; stale: string } {
  assert.equal(response.status, 401);
  const match = CHALLENGE.exec(response.headers.get("WWW-Authenticate") ?? "");
  assert.ok(match, `not Atlas's challenge: ${response.headers.get("WWW-Authenticate")}`);
  return { nonce: String(match[1]), stale: String(match[2]) };
}

async function newNonce(fake: Fetch): Promise<string> {
  return challengeOf(await fake(`${V2}/`)).nonce;
}

/** A signed call. */
async function ask(
  fake: FakeAtlas,
  path: string,
  { method = "GET", headers = {}, body = null }: {
    method?: string;
    headers?: Record<string, string>;
    body?: string | null;
  } = {},
): Promise<Response> {
  const url = new URL(path.startsWith("/api/") ? ORIGIN + path : V2 + path);
  const changes = { nonce: await newNonce(fake), method, uri: url.pathname + url.search };
  const Authorization = authorization(signed(fake.credentials, changes));
  return fake(url, { method, headers: { Accept: ACCEPT, Authorization, ...headers }, body });
}

function write(
  fake: FakeAtlas,
  method: string,
  path: string,
  value: unknown,
  type = "application/json",
): Promise<Response> {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  return ask(fake, path, { method, headers: { "Content-Type": type }, body });
}

/** `Response.json()` is unknown to some type definitions and any to others; `JSON.parse()` is any to all. */
async function jsonOf(response: Response) {
  return JSON.parse(await response.text());
}

/** Reads an error in Atlas's shape, and holds that it is one. */
async function errorOf(response: Response): Promise<string> {
  const { error, reason, detail, errorCode } = await jsonOf(response);
  assert.equal(error, response.status);
  assert.equal(typeof reason, "string");
  assert.equal(typeof detail, "string");
  assert.equal(response.headers.get("X-Error-Code"), errorCode);
  assert.equal(response.headers.get("Content-Type"), "application/json");
  return `${response.status} ${errorCode}`;
}

async function firstProject(fake: FakeAtlas): Promise<string> {
  return (await jsonOf(await ask(fake, "/groups"))).results[0].id;
}

// Authentication ----------------------------------------------------------------------------------

test("createFakeAtlas() challenges in Atlas's words", async () => {
  const fake = createFakeAtlas();
  const response = await fake(`${V2}/groups`, { headers: { Accept: ACCEPT } });
  assert.equal(challengeOf(response).stale, "false");
  assert.deepEqual([...response.headers.keys()].sort(), ["content-type", "www-authenticate"]);
  assert.deepEqual(await jsonOf(response), {
    error: 401,
    reason: "Unauthorized",
    detail: "You are not authorized for this resource.",
    errorCode: "UNEXPECTED_ERROR",
  });
  assert.notEqual(await newNonce(fake), await newNonce(fake));
});

test("createFakeAtlas() makes up an API key unless it is given one", () => {
  const { credentials } = createFakeAtlas();
  assert.match(credentials.publicKey, /^[a-z]{8}$/);
  assert.match(credentials.privateKey, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notDeepEqual(createFakeAtlas({ credentials: undefined }).credentials, credentials);
  const given = { publicKey: "abcdefgh", privateKey: "secret" };
  assert.deepEqual(createFakeAtlas({ credentials: given }).credentials, given);
});

test("createFakeAtlas() shows the root document to a signed request", async () => {
  const fake = createFakeAtlas();
  for (const path of ["/api/atlas/v2", "/api/atlas/v2/"]) {
    const response = await ask(fake, path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("RateLimit-Limit"), "1000000");
    assert.match(response.headers.get("RateLimit-Remaining") ?? "", /^\d+$/);
    const root = await jsonOf(response);
    assert.deepEqual(Object.keys(root), ["appName", "build", "throttling", "apiKey", "links"]);
    assert.equal(root.appName, "MongoDB Atlas");
    assert.match(root.build, /^[0-9a-f]{40}$/);
    assert.equal(root.throttling, false);
    assert.deepEqual(Object.keys(root.apiKey), ["id", "publicKey", "accessList", "roles"]);
    assert.equal(root.apiKey.publicKey, fake.credentials.publicKey);
    assert.deepEqual(root.links, [{ rel: "self", href: V2 }]);
  }
});

test("createFakeAtlas() answers a wrong key as it answers none", async () => {
  const fake = createFakeAtlas();
  for (const wrong of [{ username: "wrongkey" }, { password: "wrong" }]) {
    const changes = { nonce: await newNonce(fake), ...wrong };
    const Authorization = authorization(signed(fake.credentials, changes));
    const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    assert.equal(challengeOf(response).stale, "false", JSON.stringify(wrong));
    const none = await fake(`${V2}/`);
    assert.deepEqual([...response.headers.keys()], [...none.headers.keys()]);
    assert.equal(await response.text(), await none.text());
  }
});

test("createFakeAtlas() refuses what is signed for another request", async () => {
  const fake = createFakeAtlas();
  const url = `${V2}/groups?pageNum=1`;
  const uri = "/api/atlas/v2/groups?pageNum=1";
  const status = async (changes: Partial<Signed>) => {
    const it = signed(fake.credentials, { nonce: await newNonce(fake), uri, ...changes });
    const headers = { Accept: ACCEPT, Authorization: authorization(it) };
    const response = await fake(url, { headers });
    if (response.status === 401) assert.equal(challengeOf(response).stale, "false");
    return response.status;
  };
  assert.equal(await status({}), 200);
  assert.equal(await status({ uri: "/api/atlas/v2/groups" }), 401);
  assert.equal(await status({ uri: `${uri}#fragment` }), 401);
  assert.equal(await status({ uri: url }), 401);
  assert.equal(await status({ method: "POST" }), 401);
  assert.equal(await status({ method: "get" }), 401);
  assert.equal(await status({ realm: "mms public api" }), 401);
  assert.equal(await status({ algorithm: "MD5-sess" }), 401);
  assert.equal(await status({ algorithm: "md5" }), 401);
  assert.equal(await status({ qop: "auth-int" }), 401);
  assert.equal(await status({ cnonce: "" }), 401);
  assert.equal(await status({ nc: "1" }), 401);
  assert.equal(await status({ nc: "0000000x" }), 401);
  assert.equal(await status({ nc: "0000000A" }), 401);
  assert.equal(await status({ nc: "0000000a" }), 200);
  assert.equal(await status({ nc: "00000000" }), 401);
});

test("createFakeAtlas() refuses an Authorization that is malformed, repeats itself or lacks a part", async () => {
  const fake = createFakeAtlas();
  const status = async (change: (value: string) => string) => {
    const it = signed(fake.credentials, { nonce: await newNonce(fake) });
    const headers = { Accept: ACCEPT, Authorization: change(authorization(it)) };
    return (await fake(`${V2}/`, { headers })).status;
  };
  assert.equal(await status((value) => value), 200);
  for (const name of ["username", "realm", "nonce", "uri", "qop", "nc", "cnonce", "response"]) {
    const part = new RegExp(`\\b${name}=("[^"]*"|[^,]*)(, |$)`);
    assert.equal(await status((value) => value.replace(part, "")), 401, name);
    const again = (value: string) => `${value.replace(/, $/, "")}, ${part.exec(value)?.[0]}`;
    assert.equal(await status((value) => again(value).replace(/, $/, "")), 401, `${name} twice`);
  }
  // Clients of MongoDB's tutorial leave the algorithm out.
  assert.equal(await status((value) => value.replace("algorithm=MD5, ", "")), 200);
  assert.equal(await status((value) => value.replace("Digest", "Basic")), 401);
  assert.equal(await status(() => "Digest"), 401);
  assert.equal(await status(() => "Basic YTpi"), 401);
  assert.equal(await status((value) => `${value}"`), 401);
  assert.equal(await status((value) => value.replace(", realm", " realm")), 401);
  assert.equal(await status((value) => value.replace(/response="(\w{32})"/, 'response="$1')), 401);
  assert.equal(await status((value) => value.replace(/response="(\w{32})"/, 'response="$10"')), 401);
});

test("createFakeAtlas() reads an Authorization of any order, case, quoting and spacing", async () => {
  const credentials = { publicKey: 'a"b\\c, d=é', privateKey: "p" };
  const fake = createFakeAtlas({ credentials });
  const it = signed(credentials, { nonce: await newNonce(fake) });
  const name = Buffer.from('a\\"b\\\\c, d=é').toString("latin1");
  const Authorization =
    `DIGEST  response=${responseOf(it)} ,NC="00000001",cnonce=0a4f113b,Qop = "auth",unknown="a, b",` +
    `uri="/api/atlas/v2/",\tnonce="${it.nonce}",algorithm="MD5",username="${name}",realm="MMS\\ Public API"`;
  const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
  assert.equal(response.status, 200);
});

test("createFakeAtlas() takes each count of a nonce once, in any order", async () => {
  const fake = createFakeAtlas();
  const nonce = await newNonce(fake);
  const send = (nc: string, uri = "/api/atlas/v2/") => {
    const Authorization = authorization(signed(fake.credentials, { nonce, nc, uri }));
    return fake(ORIGIN + uri, { headers: { Accept: ACCEPT, Authorization } });
  };
  for (const nc of ["00000003", "00000001", "00000400"]) assert.equal((await send(nc)).status, 200);
  assert.equal((await send("00000002", "/api/atlas/v2/groups")).status, 200);
  assert.equal(challengeOf(await send("00000003")).stale, "false");
  assert.equal(challengeOf(await send("00000001", "/api/atlas/v2/groups")).stale, "false");
  // A wrong password uses a count up.
  const wrong = { nonce, nc: "00000005", password: "wrong" };
  const Authorization = authorization(signed(fake.credentials, wrong));
  challengeOf(await fake(`${V2}/`, { headers: { Authorization } }));
  assert.equal(challengeOf(await send("00000005")).stale, "false");
  assert.equal(challengeOf(await send("00000401")).stale, "true");
});

test("createFakeAtlas() keeps many nonces alive at once", async () => {
  const fake = createFakeAtlas();
  const nonces = await Promise.all(Array.from({ length: 200 }, () => newNonce(fake)));
  const statuses = async (nc: string) => {
    const responses = nonces.map((nonce) => {
      const Authorization = authorization(signed(fake.credentials, { nonce, nc }));
      return fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    });
    return [...new Set((await Promise.all(responses)).map(({ status }) => status))];
  };
  assert.deepEqual(await statuses("00000001"), [200]);
  assert.deepEqual(await statuses("00000001"), [401]);
  assert.deepEqual(await statuses("00000002"), [200]);
});

test("createFakeAtlas() calls a nonce stale that is unknown, expired or used up", async () => {
  const stale = async (fake: FakeAtlas, changes: Partial<Signed>) => {
    const Authorization = authorization(signed(fake.credentials, changes));
    const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    return response.status === 200 ? "200" : challengeOf(response).stale;
  };
  const fake = createFakeAtlas({ nonceLifetime: 300, nonceUses: 2 });
  // Even with a wrong password, as Jetty does.
  assert.equal(await stale(fake, { nonce: "A".repeat(32), password: "wrong" }), "true");

  const nonce = await newNonce(fake);
  assert.equal(await stale(fake, { nonce, nc: "00000001" }), "200");
  assert.equal(await stale(fake, { nonce, nc: "00000003" }), "true");
  assert.equal(await stale(fake, { nonce, nc: "ffffffff" }), "true");
  assert.equal(await stale(fake, { nonce, nc: "00000002" }), "200");

  const old = await newNonce(fake);
  await sleep(350);
  assert.equal(await stale(fake, { nonce: old }), "true");
  // By now it is forgotten, too.
  assert.equal(await stale(fake, { nonce: old }), "true");

  const never = createFakeAtlas({ nonceLifetime: 0 });
  assert.equal(await stale(never, { nonce: await newNonce(never) }), "true");
});

test("createFakeAtlas() forgets the oldest of too many nonces", async () => {
  const fake = createFakeAtlas();
  const [first, second] = [await newNonce(fake), await newNonce(fake)];
  for (let i = 0; i < 4095; i++) await fake(`${V2}/`);
  const status = async (nonce: string) => {
    const Authorization = authorization(signed(fake.credentials, { nonce }));
    return (await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } })).status;
  };
  // In this order: a refusal hands out another nonce.
  assert.equal(await status(second), 200);
  assert.equal(await status(first), 401);
});

// Versions and paths ------------------------------------------------------------------------------

test("createFakeAtlas() wants a version in Accept and answers in it", async () => {
  const fake = createFakeAtlas();
  const type = async (Accept: string, path = "/") => {
    const response = await ask(fake, path, { headers: { Accept } });
    if (response.status === 200) return response.headers.get("Content-Type");
    assert.equal(await errorOf(response), "406 INVALID_VERSION_DATE");
    return undefined;
  };
  const v = (version: string, format = "json") => `application/vnd.atlas.${version}+${format}`;
  assert.equal(await type(v("2025-03-12")), `${v("2025-03-12")};charset=utf-8`);
  assert.equal(await type(v("2023-01-01")), `${v("2023-01-01")};charset=utf-8`);
  assert.equal(await type(v("preview")), `${v("preview")};charset=utf-8`);
  assert.equal(await type(`text/html, ${v("2024-08-05")};q=0.9`), `${v("2024-08-05")};charset=utf-8`);
  assert.equal(await type("Application/Vnd.Atlas.2024-08-05+JSON"), `${v("2024-08-05")};charset=utf-8`);
  assert.equal(await type("application/json"), undefined);
  assert.equal(await type("*/*"), undefined);
  assert.equal(await type(""), undefined);
  assert.equal(await type(v("2022-12-31")), undefined);
  assert.equal(await type(v("2025-13-01")), undefined);
  assert.equal(await type(v("2025-03-32")), undefined);
  assert.equal(await type(v("latest")), undefined);
  assert.equal(await type(v("2025-03-12", "gzip")), undefined);
  assert.equal(await type(v("2025-03-12", "jsonx")), undefined);
  assert.equal(await type(v("2025-03-12"), "/groups"), `${v("2025-03-12")};charset=utf-8`);
});

test("createFakeAtlas() knows v1.0, which has no versions", async () => {
  const fake = createFakeAtlas();
  for (const base of ["/api/atlas/v1.0", "/api/public/v1.0"]) {
    for (const Accept of ["application/json", "*/*"]) {
      const response = await ask(fake, `${base}/groups`, { headers: { Accept } });
      assert.equal(response.headers.get("Content-Type"), "application/json");
      const { results } = await jsonOf(response);
      const href = `${ORIGIN}${base}/groups/${results[0].id}`;
      assert.deepEqual(results[0].links, [{ rel: "self", href }]);
    }
    const dated = await write(fake, "POST", `${base}/groups`, {}, ACCEPT);
    assert.equal(await errorOf(dated), "415 UNSUPPORTED_MEDIA_TYPE");
  }
});

test("createFakeAtlas() has no resource at other paths", async () => {
  const fake = createFakeAtlas();
  const id = await firstProject(fake);
  const paths = [
    "/nowhere",
    "/groups/",
    `/groups/${id}:migrate`,
    `/groups/${id}/clusters/Cluster0:pinFeatureCompatibilityVersion`,
    "/groups/%zz",
    `/groups/${id}/clusters/h/logs/mongodb.gz/x`,
    "/api/atlas/v2x",
    "/api/atlas/v3/groups",
    "/api/private",
  ];
  for (const path of paths) {
    for (const method of ["GET", "POST"]) {
      assert.equal(await errorOf(await ask(fake, path, { method })), "404 RESOURCE_NOT_FOUND", path);
    }
  }
  assert.equal(challengeOf(await fake(`${ORIGIN}/anything`)).stale, "false");
});

test("createFakeAtlas() answers any host, with links to it and the url of the request", async () => {
  const fake = createFakeAtlas();
  const Authorization = authorization(signed(fake.credentials, { nonce: await newNonce(fake) }));
  const response = await fake("http://localhost:9/api/atlas/v2/#top", {
    headers: { Accept: ACCEPT, Authorization },
  });
  assert.equal(response.url, "http://localhost:9/api/atlas/v2/");
  const { links } = await jsonOf(response);
  assert.deepEqual(links, [{ rel: "self", href: "http://localhost:9/api/atlas/v2" }]);
  assert.equal((await fake(`${V2}/groups?a=b`)).url, `${V2}/groups?a=b`);
});

test("createFakeAtlas() answers HEAD as GET, without the body", async () => {
  const fake = createFakeAtlas();
  const response = await ask(fake, "/groups", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Content-Type"), `${ACCEPT};charset=utf-8`);
  assert.equal(response.url, `${V2}/groups`);
  assert.equal(await response.text(), "");
  assert.equal((await ask(fake, "/groups/x", { method: "HEAD" })).status, 404);
});

test("createFakeAtlas() shows the addresses of the control plane without a key", async () => {
  const fake = createFakeAtlas();
  const url = `${V2}/unauth/controlPlaneIPAddresses`;
  const response = await fake(url, { headers: { Accept: ACCEPT } });
  assert.equal(response.status, 200);
  assert.equal(response.url, url);
  assert.deepEqual(Object.keys(await jsonOf(response)), ["inbound", "outbound"]);
  assert.equal(await errorOf(await fake(url)), "406 INVALID_VERSION_DATE");
});

// The world ---------------------------------------------------------------------------------------

test("createFakeAtlas() lists in pages", async () => {
  const fake = createFakeAtlas({ projects: 501 });
  const list = async (query: string) => jsonOf(await ask(fake, `/groups${query}`));
  const names = (page: { results: { name: string }[] }) => page.results.map(({ name }) => name);

  const all = await list("");
  assert.equal(all.totalCount, 501);
  assert.equal(all.results.length, 100);
  assert.deepEqual(all.links, [
    { rel: "self", href: `${V2}/groups?pageNum=1&itemsPerPage=100` },
    { rel: "next", href: `${V2}/groups?pageNum=2&itemsPerPage=100` },
  ]);
  const middle = await list("?itemsPerPage=2&pageNum=2&name=a%26b");
  assert.deepEqual(names(middle), ["project-3", "project-4"]);
  assert.deepEqual(middle.links, [
    { rel: "self", href: `${V2}/groups?itemsPerPage=2&pageNum=2&name=a%26b` },
    { rel: "previous", href: `${V2}/groups?itemsPerPage=2&pageNum=1&name=a%26b` },
    { rel: "next", href: `${V2}/groups?itemsPerPage=2&pageNum=3&name=a%26b` },
  ]);
  const last = await list("?itemsPerPage=500&pageNum=2");
  assert.deepEqual(names(last), ["project-501"]);
  assert.deepEqual(last.links.map(({ rel }: { rel: string }) => rel), ["self", "previous"]);
  const exact = await list("?itemsPerPage=3&pageNum=167");
  assert.deepEqual(exact.links.map(({ rel }: { rel: string }) => rel), ["self", "previous"]);
  assert.deepEqual((await list("?pageNum=9")).results, []);
  assert.ok(!("totalCount" in await list("?includeCount=false")));
  assert.equal((await list("?includeCount=true")).totalCount, 501);

  for (const query of ["pageNum=0", "pageNum=x", "itemsPerPage=0", "itemsPerPage=501", "itemsPerPage=1.5"]) {
    const response = await ask(fake, `/groups?${query}`);
    const { badRequestDetail } = await jsonOf(response.clone());
    assert.equal(await errorOf(response), "400 VALIDATION_ERROR", query);
    assert.equal(badRequestDetail.fields[0].field, query.split("=")[0]);
  }
});

test("createFakeAtlas() holds as many projects as wanted", async () => {
  const count = async (fake: FakeAtlas) => (await jsonOf(await ask(fake, "/groups"))).totalCount;
  assert.equal(await count(createFakeAtlas({ projects: 0 })), 0);
  assert.equal(await count(createFakeAtlas({ projects: undefined })), 3);
});

test("createFakeAtlas() creates, changes and deletes projects", async () => {
  const fake = createFakeAtlas();
  const created = await write(fake, "POST", "/groups", { name: "Größe 1".replace(" ", "-"), orgId: ORG });
  assert.equal(created.status, 200);
  const project = await jsonOf(created);
  assert.match(project.id, /^[0-9a-f]{24}$/);
  assert.ok(Date.now() - Date.parse(project.created) < 60_000);
  assert.deepEqual(project, {
    name: "Größe-1",
    orgId: ORG,
    id: project.id,
    created: project.created,
    clusterCount: 0,
    links: [{ rel: "self", href: `${V2}/groups/${project.id}` }],
  });
  const path = `/groups/${project.id}`;
  assert.deepEqual(await jsonOf(await ask(fake, path)), project);
  assert.equal((await jsonOf(await ask(fake, "/groups"))).totalCount, 4);

  const tags = [{ key: "team", value: "x" }];
  const changes = { name: "other", tags, id: "x", orgId: "y", created: "z" };
  const changed = await jsonOf(await write(fake, "PATCH", path, changes, ACCEPT));
  assert.deepEqual(changed, { ...project, name: "other", tags });
  // Its own name is not taken.
  assert.equal((await write(fake, "PATCH", path, { name: "other" })).status, 200);
  assert.deepEqual(await jsonOf(await ask(fake, path)), changed);

  const deleted = await ask(fake, path, { method: "DELETE" });
  assert.equal(deleted.status, 204);
  assert.equal(await deleted.text(), "");
  const gone = await ask(fake, path);
  assert.deepEqual((await jsonOf(gone.clone())).parameters, [project.id]);
  assert.equal(await errorOf(gone), "404 GROUP_NOT_FOUND");
  assert.equal((await jsonOf(await ask(fake, "/groups"))).totalCount, 3);
});

test("createFakeAtlas() refuses projects that Atlas would", async () => {
  const fake = createFakeAtlas();
  const post = async (value: unknown) => errorOf(await write(fake, "POST", "/groups", value));
  assert.equal(await post({ orgId: ORG }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "", orgId: ORG }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "a/b", orgId: ORG }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: 1, orgId: ORG }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "a" }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "project-1", orgId: ORG }), "409 GROUP_ALREADY_EXISTS");
  const path = `/groups/${await firstProject(fake)}`;
  const patch = async (value: unknown) => errorOf(await write(fake, "PATCH", path, value));
  assert.equal(await patch({ name: "project-2" }), "409 GROUP_ALREADY_EXISTS");
  assert.equal(await patch({ name: "a/b" }), "400 VALIDATION_ERROR");
  assert.equal(
    await errorOf(await ask(fake, path, { method: "DELETE" })),
    "409 CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS",
  );
  assert.equal((await jsonOf(await ask(fake, "/groups"))).totalCount, 3);
});

test("createFakeAtlas() refuses writes that are not JSON", async () => {
  const fake = createFakeAtlas();
  const post = async (value: unknown, type?: string) => errorOf(await write(fake, "POST", "/groups", value, type));
  const good = { name: "good", orgId: ORG };
  assert.equal(await post(good, "text/plain;charset=UTF-8"), "415 UNSUPPORTED_MEDIA_TYPE");
  assert.equal(await post(good, "application/jsonp"), "415 UNSUPPORTED_MEDIA_TYPE");
  assert.equal(await post(good, ""), "415 UNSUPPORTED_MEDIA_TYPE");
  const bare = await ask(fake, "/groups", { method: "POST" });
  assert.equal(await errorOf(bare), "415 UNSUPPORTED_MEDIA_TYPE");
  for (const body of ["", "{", "null", "1", "[]", "[{}]"]) {
    assert.equal(await post(body), "400 MALFORMED_JSON", body);
  }
  const types = ["application/json; charset=utf-8", "Application/JSON", ACCEPT];
  for (const [index, type] of types.entries()) {
    const response = await write(fake, "POST", "/groups", { ...good, name: `good-${index}` }, type);
    assert.equal(response.status, 200, type);
  }
});

test("createFakeAtlas() allows each resource its methods only", async () => {
  const fake = createFakeAtlas();
  for (const [method, path] of [["PUT", "/groups"], ["DELETE", "/"], ["OPTIONS", "/groups"]] as const) {
    assert.equal(await errorOf(await ask(fake, path, { method })), "405 METHOD_NOT_ALLOWED");
  }
});

test("createFakeAtlas() takes its time to create, change and delete clusters", async () => {
  const fake = createFakeAtlas({ clusterDelay: 400 });
  const id = await firstProject(fake);
  const clusters = `/groups/${id}/clusters`;
  const state = async (name: string) => (await jsonOf(await ask(fake, `${clusters}/${name}`))).stateName;
  assert.equal(await state("Cluster0"), "IDLE");

  const created = await write(fake, "POST", clusters, { name: "new", clusterType: "SHARDED" });
  assert.equal(created.status, 201);
  const cluster = await jsonOf(created);
  assert.deepEqual(cluster, {
    clusterType: "SHARDED",
    paused: false,
    name: "new",
    id: cluster.id,
    groupId: id,
    createDate: cluster.createDate,
    stateName: "CREATING",
    links: [{ rel: "self", href: `${V2}${clusters}/new` }],
  });
  assert.equal(await state("new"), "CREATING");
  await sleep(450);
  assert.equal(await state("new"), "IDLE");

  const changed = await write(fake, "PATCH", `${clusters}/new`, { paused: true, name: "x" });
  assert.equal(changed.status, 200);
  assert.deepEqual(await jsonOf(changed), { ...cluster, paused: true, stateName: "UPDATING" });
  await sleep(450);
  const list = await jsonOf(await ask(fake, clusters));
  assert.equal(list.totalCount, 2);
  assert.deepEqual(list.results[1], { ...cluster, paused: true, stateName: "IDLE" });

  const deleted = await ask(fake, `${clusters}/new`, { method: "DELETE" });
  assert.equal(deleted.status, 202);
  assert.equal(deleted.headers.get("Content-Type"), `${ACCEPT};charset=utf-8`);
  assert.equal(await deleted.text(), "");
  assert.equal(await state("new"), "DELETING");
  for (
    const response of [
      await ask(fake, `${clusters}/new`, { method: "DELETE" }),
      await write(fake, "PATCH", `${clusters}/new`, { paused: false }),
    ]
  ) {
    assert.equal(await errorOf(response), "409 CLUSTER_ALREADY_REQUESTED_DELETION");
  }
  await sleep(450);
  const gone = await ask(fake, `${clusters}/new`);
  assert.deepEqual((await jsonOf(gone.clone())).parameters, ["new", id]);
  assert.equal(await errorOf(gone), "404 CLUSTER_NOT_FOUND");
  assert.equal((await jsonOf(await ask(fake, `/groups/${id}`))).clusterCount, 1);
});

test("createFakeAtlas() refuses clusters that Atlas would", async () => {
  const fake = createFakeAtlas({ clusterDelay: 0 });
  const clusters = `/groups/${await firstProject(fake)}/clusters`;
  const post = async (value: unknown) => errorOf(await write(fake, "POST", clusters, value));
  assert.equal(await post({}), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "-a" }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "Cluster0" }), "409 DUPLICATE_CLUSTER_NAME");
  const nowhere = await ask(fake, `/groups/${"0".repeat(24)}/clusters`);
  assert.equal(await errorOf(nowhere), "404 GROUP_NOT_FOUND");
});

test("createFakeAtlas() keeps an access list, its entries named by address or block", async () => {
  const fake = createFakeAtlas();
  const id = await firstProject(fake);
  const path = `/groups/${id}/accessList`;
  const seed = { cidrBlock: "203.0.113.0/24", comment: "Office", groupId: id };
  const link = (value: string) => [{ rel: "self", href: `${V2}${path}/${value}` }];

  const read = await ask(fake, `${path}/203.0.113.0%2F24`);
  assert.deepEqual(await jsonOf(read), { ...seed, links: link("203.0.113.0%2F24") });
  // The slash as it stands is another path.
  const slash = await ask(fake, `${path}/203.0.113.0/24`);
  assert.equal(await errorOf(slash), "404 RESOURCE_NOT_FOUND");

  const entries = [
    { ipAddress: "2001:db8::1" },
    { awsSecurityGroup: "sg-1" },
    { cidrBlock: "203.0.113.0/24", comment: "Home" },
  ];
  const added = await write(fake, "POST", path, entries);
  assert.equal(added.status, 200);
  const list = await jsonOf(added);
  assert.equal(list.totalCount, 3);
  assert.deepEqual(list.results[0], {
    ipAddress: "2001:db8::1",
    groupId: id,
    links: link("2001%3Adb8%3A%3A1"),
  });
  assert.equal(list.results[2].comment, "Home");
  assert.equal((await ask(fake, `${path}/2001:db8::1`)).status, 200);

  const deleted = await ask(fake, `${path}/203.0.113.0%2f24`, { method: "DELETE" });
  assert.equal(deleted.status, 204);
  const gone = await ask(fake, `${path}/203.0.113.0%2F24`);
  assert.equal(await errorOf(gone), "404 ATLAS_NETWORK_PERMISSION_ENTRY_NOT_FOUND");
  assert.equal((await jsonOf(await ask(fake, path))).totalCount, 2);

  for (
    const [body, code] of [
      [[{ comment: "no address" }], "400 VALIDATION_ERROR"],
      [[{ cidrBlock: 1 }], "400 VALIDATION_ERROR"],
      [{ ipAddress: "192.0.2.1" }, "400 MALFORMED_JSON"],
      [["192.0.2.1"], "400 MALFORMED_JSON"],
    ] as const
  ) {
    assert.equal(await errorOf(await write(fake, "POST", path, body)), code);
  }
});

test("createFakeAtlas() hands out a log in gzip", async () => {
  const fake = createFakeAtlas();
  const id = await firstProject(fake);
  const path = `/groups/${id}/clusters/cluster0-shard-00-00.abcde.mongodb.net/logs/mongodb.gz`;
  const Accept = "application/vnd.atlas.2025-03-12+gzip";
  const response = await ask(fake, path, { headers: { Accept } });
  assert.equal(response.headers.get("Content-Type"), Accept);
  assert.equal(response.headers.get("Content-Encoding"), null);
  const lines = gunzipSync(await response.arrayBuffer()).toString().trim().split("\n");
  assert.ok(lines.length > 0 && lines.every((line) => JSON.parse(line).t.$date));
  assert.equal(await errorOf(await ask(fake, path)), "406 INVALID_VERSION_DATE");
  const legacy = await ask(fake, path.replace("/groups", "/api/atlas/v1.0/groups"));
  assert.equal(legacy.headers.get("Content-Type"), "application/gzip");
});

// What tests want of it ---------------------------------------------------------------------------

test("createFakeAtlas() shows the requests that it got, each with its body", async () => {
  const fake = createFakeAtlas();
  await fake(`${V2}/groups?a=b`, { headers: { "X-Mine": "1" } });
  await write(fake, "POST", "/groups", { name: "a", orgId: ORG });
  await fake(new Request(`${V2}/x`, { method: "PUT", body: "as a Request" }));
  assert.deepEqual(fake.requests.map(({ method, url }) => `${method} ${url}`), [
    `GET ${V2}/groups?a=b`,
    `GET ${V2}/`,
    `POST ${V2}/groups`,
    `PUT ${V2}/x`,
  ]);
  assert.equal(fake.requests[0]?.headers.get("X-Mine"), "1");
  assert.deepEqual(JSON.parse(String(await fake.requests[2]?.text())), { name: "a", orgId: ORG });
  assert.equal(await fake.requests[3]?.text(), "as a Request");
});

test("createFakeAtlas() gives the forced answers, one each to requests that are let in", async () => {
  const limited = new Response("{}", { status: 429, headers: { "Retry-After": "1" } });
  const answers = [limited, limited, new Response("<h1>Down</h1>", { status: 503 })];
  const fake = createFakeAtlas({ answers });
  challengeOf(await fake(`${V2}/`));
  for (const method of ["POST", "GET"]) {
    const response = await ask(fake, "/groups", { method });
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("Retry-After"), "1");
    assert.equal(response.url, `${V2}/groups`);
    assert.equal(await response.text(), "{}");
  }
  assert.equal(await (await ask(fake, "/groups")).text(), "<h1>Down</h1>");
  assert.equal((await ask(fake, "/groups")).status, 200);
  answers.push(new Response(null, { status: 418 }));
  assert.equal((await ask(fake, "/groups")).status, 418);
  assert.equal((await ask(fake, "/groups")).status, 200);
  assert.equal(answers.length, 4);
});

test("createFakeAtlas() loses the connection where Response.error() is the answer", async () => {
  const fake = createFakeAtlas({ answers: [Response.error()] });
  await assert.rejects(ask(fake, "/groups"), TypeError);
  assert.equal((await ask(fake, "/groups")).status, 200);
});

test("createFakeAtlas() empties its token bucket and fills it again", async () => {
  const fake = createFakeAtlas({ rateLimit: { capacity: 2, refillPerMinute: 120 } });
  assert.equal((await ask(fake, "/groups")).headers.get("RateLimit-Remaining"), "1");
  const last = await ask(fake, "/groups?itemsPerPage=1");
  assert.equal(last.status, 200);
  assert.equal(last.headers.get("RateLimit-Remaining"), "0");
  const refused = await ask(fake, "/groups?itemsPerPage=1", { method: "POST" });
  assert.equal(refused.headers.get("Retry-After"), "1");
  assert.equal(refused.headers.get("RateLimit-Limit"), "2");
  assert.equal(refused.headers.get("RateLimit-Remaining"), "0");
  const { detail } = await jsonOf(refused.clone());
  assert.equal(
    detail,
    "Rate limit exceeded for api/atlas/v2/groups. Please retry after 1 seconds. Request capacity: 2. " +
      "Refill rate: 120 per 60 seconds.",
  );
  assert.equal(await errorOf(refused), "429 RATE_LIMITED_TOKEN_BUCKET");
  await sleep(1000);
  assert.equal((await ask(fake, "/groups")).status, 200);
});

test("createFakeAtlas() says in whole seconds when its bucket holds a token again", async () => {
  for (const [refillPerMinute, wait] of [[5, "12"], [7, "9"], [1e6, "1"], [0, "3600"]] as const) {
    const fake = createFakeAtlas({ rateLimit: { capacity: 0, refillPerMinute } });
    const response = await ask(fake, "/groups");
    assert.equal(response.headers.get("Retry-After"), wait);
  }
});

test("createFakeAtlas() refuses an address when a token is used, not when it is given", async () => {
  const serviceAccount = SERVICE_ACCOUNT;
  const fake = createFakeAtlas({ refusedAddress: "203.0.113.9", serviceAccount });
  const byToken = await bearer(fake, (await mint(fake)).access_token);
  for (const response of [byToken, await ask(fake, "/groups")]) {
    const { detail, parameters } = await jsonOf(response.clone());
    assert.equal(detail, "IP address 203.0.113.9 is not allowed to access this resource.");
    assert.deepEqual(parameters, ["203.0.113.9"]);
    assert.equal(await errorOf(response), "403 IP_ADDRESS_NOT_ON_ACCESS_LIST");
  }
});

// Service accounts --------------------------------------------------------------------------------

const FORM = "application/x-www-form-urlencoded";

function oauth(
  fake: Fetch,
  form: string,
  { path = "token", basic = `${SERVICE_ACCOUNT.clientId}:${SERVICE_ACCOUNT.clientSecret}`, type = FORM } = {},
): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": type };
  if (basic !== "") headers.Authorization = `Basic ${Buffer.from(basic).toString("base64")}`;
  return fake(`${ORIGIN}/api/oauth/${path}`, { method: "POST", headers, body: form });
}

async function mint(fake: Fetch) {
  const response = await oauth(fake, "grant_type=client_credentials");
  assert.equal(response.status, 200);
  return await jsonOf(response);
}

function bearer(fake: Fetch, token: string, path = "/"): Promise<Response> {
  return fake(V2 + path, { headers: { Accept: ACCEPT, Authorization: `Bearer ${token}` } });
}

test("createFakeAtlas() gives a service account tokens and lets them in", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  const answer = await mint(fake);
  assert.deepEqual(answer, {
    access_token: answer.access_token,
    expires_in: 3600,
    token_type: "Bearer",
  });
  const other = await mint(fake);
  assert.notEqual(other.access_token, answer.access_token);
  for (const { access_token } of [answer, other, answer]) {
    const response = await bearer(fake, access_token);
    assert.equal(response.status, 200);
    assert.equal((await jsonOf(response)).apiKey, null);
  }
  // The key is let in beside it.
  assert.equal((await ask(fake, "/groups")).status, 200);
});

test("createFakeAtlas() refuses tokens that are unknown, expired or revoked", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, tokenLifetime: 400 });
  const refused = async (token: string) => {
    const response = await bearer(fake, token);
    if (response.status === 200) return false;
    assert.equal(response.status, 401);
    assert.deepEqual([...response.headers.keys()], ["content-type"]);
    assert.equal((await jsonOf(response)).errorCode, "UNEXPECTED_ERROR");
    return true;
  };
  assert.equal(await refused("unknown"), true);
  const { access_token, expires_in } = await mint(fake);
  assert.equal(expires_in, 1);
  assert.equal(await refused(access_token), false);
  await sleep(450);
  assert.equal(await refused(access_token), true);

  const [revoked, kept] = [(await mint(fake)).access_token, (await mint(fake)).access_token];
  const form = `token=${revoked}&token_type_hint=access_token`;
  for (let i = 0; i < 2; i++) {
    const response = await oauth(fake, form, { path: "revoke" });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "");
  }
  assert.equal(await refused(revoked), true);
  assert.equal(await refused(kept), false);
});

test("createFakeAtlas() refuses mints in OAuth's shape", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  const error = async (response: Response) => {
    assert.equal(response.headers.get("X-Error-Code"), null);
    const { error, error_description, ...rest } = await jsonOf(response);
    assert.equal(typeof error_description, "string");
    assert.deepEqual(rest, {});
    return `${response.status} ${error}`;
  };
  const grant = "grant_type=client_credentials";
  for (const path of ["token", "revoke"]) {
    for (const basic of ["", "a:b", `${SERVICE_ACCOUNT.clientId}:`, "a"]) {
      assert.equal(await error(await oauth(fake, grant, { path, basic })), "401 invalid_client");
    }
    const encoded = SERVICE_ACCOUNT.clientSecret.replaceAll("_", "%5F");
    const basic = `${SERVICE_ACCOUNT.clientId}:${encoded}`;
    assert.equal(await error(await oauth(fake, grant, { path, basic })), "401 invalid_client");
    for (const [form, type] of [["", FORM], ["grant_type=password", FORM], [grant, "text/plain"], [grant, ""]]) {
      const response = await oauth(fake, String(form), { path, type: String(type) });
      assert.equal(await error(response), "400 invalid_request", `${path} ${form} ${type}`);
    }
    const basic64 = btoa(`${SERVICE_ACCOUNT.clientId}:${SERVICE_ACCOUNT.clientSecret}`);
    const headers = { Authorization: `basic ${basic64}` };
    const bare = await fake(`${ORIGIN}/api/oauth/${path}`, { method: "POST", headers });
    assert.equal(await error(bare), "400 invalid_request");
    const get = await fake(`${ORIGIN}/api/oauth/${path}`);
    assert.equal(await errorOf(get), "405 METHOD_NOT_ALLOWED");
  }
  const none = await oauth(createFakeAtlas(), grant);
  assert.deepEqual(await jsonOf(none.clone()), {
    error: "invalid_client",
    error_description: "Invalid credentials provided.",
  });
  assert.equal(await error(none), "401 invalid_client");
});

test("createFakeAtlas() compares the service account's secret as UTF-8", async () => {
  const serviceAccount = { ...SERVICE_ACCOUNT, clientSecret: "é€" };
  const basic = `${serviceAccount.clientId}:é€`;
  const response = await oauth(createFakeAtlas({ serviceAccount }), "grant_type=client_credentials", { basic });
  assert.equal(response.status, 200);
});

test("createFakeAtlas() gives so many tokens a minute", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  // What fails does not count.
  await oauth(fake, "");
  for (let i = 0; i < 50; i++) await mint(fake);
  const response = await oauth(fake, "grant_type=client_credentials");
  assert.match(response.headers.get("Retry-After") ?? "", /^(60|5\d)$/);
  assert.equal(await errorOf(response), "429 RATE_LIMITED");

  const none = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, mintsPerMinute: 0 });
  const refused = await oauth(none, "grant_type=client_credentials");
  assert.equal(refused.headers.get("Retry-After"), "60");
  assert.equal(await errorOf(refused), "429 RATE_LIMITED");
});

// As a fetch --------------------------------------------------------------------------------------

test("createFakeAtlas() rejects with the reason of an abort", async () => {
  const fake = createFakeAtlas();
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  await assert.rejects(fake(`${V2}/`, { signal: aborted }), reason);
  await assert.rejects(fake(new Request(`${V2}/`, { signal: aborted })), reason);
  assert.equal(fake.requests.length, 0);
  assert.equal((await fake(new Request(`${V2}/`, { signal: aborted }), { signal: null })).status, 401);

  const controller = new AbortController();
  const hanging = new ReadableStream({});
  const init = { method: "POST", body: hanging, duplex: "half" as const, signal: controller.signal };
  const call = fake(`${V2}/groups`, init);
  setTimeout(() => controller.abort(reason), 10);
  await assert.rejects(call, reason);
  assert.equal(fake.requests.length, 1);
});

test("createFakeAtlas() leaves no listener on a signal", async () => {
  const fake = createFakeAtlas();
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  assert.equal((await fake(`${V2}/`, { signal })).status, 401);
  await sleep(0);
  assert.equal(listeners, 0);
});

test("createFakeAtlas() rejects what fetch rejects", async () => {
  const fake = createFakeAtlas();
  await assert.rejects(fake("http://"), TypeError);
  const used = new Request(`${V2}/`, { method: "POST", body: "x" });
  await used.text();
  await assert.rejects(fake(used), TypeError);
});

// Over HTTP ---------------------------------------------------------------------------------------

const hasCurl = spawnSync("curl", ["--version"]).status === 0;
const withCurl = { skip: hasCurl ? false : "curl is not installed" };

/** Runs curl; gives the body, and the status of each answer on the way. */
async function curl(...args: string[]): Promise<{ body: string; statuses: string[] }> {
  const all = ["-sS", "-i", "--max-time", "10", "-H", `Accept: ${ACCEPT}`, ...args];
  const { stdout } = await promisify(execFile)("curl", all);
  const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => String(match[1]));
  return { body: stdout.slice(stdout.lastIndexOf("\r\n\r\n") + 4), statuses };
}

/** Sends bytes as they stand and gives all that comes back until the connection ends. */
function raw(url: string, text: string, { end = false } = {}): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
      if (end) socket.write(text, () => socket.destroy());
      else socket.write(text);
    });
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => received += chunk);
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

test("serveFakeAtlas() is served: curl --digest gets the root document", withCurl, async () => {
  const { url, credentials, requests, close } = await serveFakeAtlas();
  try {
    const user = `${credentials.publicKey}:${credentials.privateKey}`;
    const { body, statuses } = await curl("--digest", "-u", user, `${url}/api/atlas/v2/`);
    assert.deepEqual(statuses, ["401", "200"]);
    const { apiKey, links } = JSON.parse(body);
    assert.equal(apiKey.publicKey, credentials.publicKey);
    assert.deepEqual(links, [{ rel: "self", href: `${url}/api/atlas/v2` }]);
    assert.equal(requests.length, 2);

    const query = await curl("--digest", "-u", user, `${url}/api/atlas/v2/groups?itemsPerPage=1&x=%2C%22a+b`);
    assert.deepEqual(query.statuses, ["401", "200"]);
    assert.equal(JSON.parse(query.body).results.length, 1);
    const bare = await curl("--digest", "-u", user, `${url}/api/atlas/v2/groups?`);
    assert.deepEqual(bare.statuses, ["401", "200"]);
    const head = await curl("--digest", "-u", user, "-I", `${url}/api/atlas/v2/groups`);
    assert.deepEqual(head.statuses, ["401", "200"]);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() is served: curl --digest posts and sees what it posted", withCurl, async () => {
  const { url, credentials, close } = await serveFakeAtlas();
  try {
    const user = `${credentials.publicKey}:${credentials.privateKey}`;
    const posted = await curl(
      ...["--digest", "-u", user, "-H", "Content-Type: application/json"],
      ...["-d", JSON.stringify({ name: "by-curl", orgId: ORG }), `${url}/api/atlas/v2/groups`],
    );
    assert.deepEqual(posted.statuses, ["401", "200"]);
    const { id } = JSON.parse(posted.body);
    const read = await curl("--digest", "-u", user, `${url}/api/atlas/v2/groups/${id}`);
    assert.equal(JSON.parse(read.body).name, "by-curl");
  } finally {
    await close();
  }
});

test("serveFakeAtlas() is served: curl --digest with a wrong password is refused", withCurl, async () => {
  const { url, credentials, close } = await serveFakeAtlas();
  try {
    for (const user of [`${credentials.publicKey}:wrong`, `wrongkey:${credentials.privateKey}`]) {
      const { body, statuses } = await curl("--digest", "-u", user, `${url}/api/atlas/v2/`);
      assert.deepEqual(statuses, ["401", "401"]);
      assert.equal(JSON.parse(body).errorCode, "UNEXPECTED_ERROR");
    }
  } finally {
    await close();
  }
});

test("serveFakeAtlas() is served: curl -u gets a token and uses it", withCurl, async () => {
  const { url, close } = await serveFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  try {
    const user = `${SERVICE_ACCOUNT.clientId}:${SERVICE_ACCOUNT.clientSecret}`;
    const grant = ["-d", "grant_type=client_credentials", `${url}/api/oauth/token`];
    const { access_token } = JSON.parse((await curl("-u", user, ...grant)).body);
    const header = `Authorization: Bearer ${access_token}`;
    assert.deepEqual((await curl("-H", header, `${url}/api/atlas/v2/groups`)).statuses, ["200"]);
    assert.deepEqual((await curl("-u", `${user}x`, ...grant)).statuses, ["401"]);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() answers as Atlas does, without a Date", async () => {
  const { url, close } = await serveFakeAtlas();
  try {
    const response = await fetch(`${url}/api/atlas/v2/`);
    assert.equal(challengeOf(response).stale, "false");
    assert.equal(response.headers.get("Date"), null);
    assert.equal((await jsonOf(response)).error, 401);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() checks the target as it is on the wire", async () => {
  const { url, credentials, close } = await serveFakeAtlas();
  try {
    const send = async (target: string, uri: string) => {
      const { nonce } = challengeOf(await fetch(`${url}/api/atlas/v2/`));
      const Authorization = authorization(signed(credentials, { nonce, uri }));
      const head = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: ${ACCEPT}\r\n`;
      return (await raw(url, `${head}Authorization: ${Authorization}\r\n\r\n`)).slice(9, 12);
    };
    assert.equal(await send("/api/atlas/v2?", "/api/atlas/v2?"), "200");
    assert.equal(await send("/api/atlas/v2?", "/api/atlas/v2"), "401");
    assert.equal(await send("/api/./atlas/v2", "/api/./atlas/v2"), "200");
    assert.equal(await send("/api/./atlas/v2", "/api/atlas/v2"), "401");
  } finally {
    await close();
  }
});

test("serveFakeAtlas() passes over the body of a GET", async () => {
  const { url, requests, close } = await serveFakeAtlas();
  try {
    const head = "GET /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2";
    assert.equal((await raw(url, `${head}\r\n\r\n{}`)).slice(9, 12), "401");
    assert.equal(requests[0]?.method, "GET");
  } finally {
    await close();
  }
});

test("serveFakeAtlas() shows the requests that it got, each with its body", async () => {
  const { url, requests, close } = await serveFakeAtlas();
  try {
    await (await fetch(`${url}/api/atlas/v2/x?y`, { method: "PUT", body: "bytes" })).text();
    assert.deepEqual(requests.map((it) => `${it.method} ${it.url}`), [`PUT ${url}/api/atlas/v2/x?y`]);
    assert.equal(await requests[0]?.text(), "bytes");
  } finally {
    await close();
  }
});

test("serveFakeAtlas() loses the connection where Response.error() is the answer", async () => {
  const serviceAccount = SERVICE_ACCOUNT;
  const { url, close } = await serveFakeAtlas({ serviceAccount, answers: [Response.error()] });
  try {
    const served: Fetch = (input, init) => fetch(String(input).replace(ORIGIN, url), init);
    const { access_token } = await mint(served);
    const head = `GET /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access_token}`;
    assert.equal(await raw(url, `${head}\r\n\r\n`), "");
    assert.equal((await bearer(served, access_token)).status, 200);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() answers 500 when it fails", async () => {
  const broken = new ReadableStream({
    pull: (controller) => controller.error(new Error("broken")),
  });
  // A header that fetch's Headers hold and node:http refuses to send.
  const unsendable = new Response(null, { headers: { "X-Odd": "a\u0001b" } });
  const serviceAccount = SERVICE_ACCOUNT;
  const answers = [new Response(broken), unsendable];
  const { url, close } = await serveFakeAtlas({ serviceAccount, answers });
  try {
    const served: Fetch = (input, init) => fetch(String(input).replace(ORIGIN, url), init);
    const { access_token } = await mint(served);
    for (let i = 0; i < answers.length; i++) {
      assert.equal(await errorOf(await bearer(served, access_token)), "500 UNEXPECTED_ERROR");
    }
    assert.equal((await bearer(served, access_token)).status, 200);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() survives clients that go away in the middle", async () => {
  const { url, close } = await serveFakeAtlas();
  try {
    const post = "POST /api/atlas/v2/groups HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    await raw(url, post, { end: true });
    await raw(url, "GET /api/atlas/v2/groups HTTP/1.1\r\nHost: x\r\n\r\n", { end: true });
    await raw(url, "GET / HT", { end: true });
    await sleep(50);
    assert.equal((await fetch(`${url}/api/atlas/v2/`)).status, 401);
  } finally {
    await close();
  }
});

test("serveFakeAtlas() closes at once, whatever is open, and more than once", async () => {
  const { url, close } = await serveFakeAtlas();
  await (await fetch(`${url}/api/atlas/v2/`)).text();
  const idle = raw(url, "GET /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
  const half = raw(url, "POST /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
  await sleep(50);
  const start = Date.now();
  await close();
  await Promise.all([idle, half]);
  assert.ok(Date.now() - start < 1000, "it waited for its clients");
  await close();
  await assert.rejects(fetch(`${url}/api/atlas/v2/`));
});

test("serveFakeAtlas() listens on the port that it is given, or rejects", async () => {
  const first = await serveFakeAtlas();
  const port = Number(new URL(first.url).port);
  await assert.rejects(serveFakeAtlas({ port }), /EADDRINUSE|in use/);
  await first.close();
  const second = await serveFakeAtlas({ port });
  assert.equal(second.url, first.url);
  await second.close();
});
