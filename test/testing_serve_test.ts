import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { connect } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Fetch } from "../lib/digest/call.ts";
import { type ServedFakeAtlas, serveFakeAtlas, type ServeFakeAtlasOptions } from "../lib/testing.ts";
import {
  ACCEPT,
  authorization,
  bearer,
  challengeOf,
  errorOf,
  jsonOf,
  mint,
  ORG,
  ORIGIN,
  SERVICE_ACCOUNT,
  signed,
} from "./fake_client.ts";

/** Serves for as long as the work takes. */
async function withAtlas(
  options: ServeFakeAtlasOptions,
  work: (atlas: ServedFakeAtlas) => Promise<void>,
): Promise<void> {
  const atlas = await serveFakeAtlas(options);
  try {
    await work(atlas);
  } finally {
    await atlas.close();
  }
}

/** Asks it in the network's place. */
function fetchOf({ url }: ServedFakeAtlas): Fetch {
  return (input, init) => fetch(String(input).replace(ORIGIN, url), init);
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

// Judged by curl ----------------------------------------------------------------------------------

const hasCurl = spawnSync("curl", ["--version"]).status === 0;
const withCurl = { skip: hasCurl ? false : "curl is not installed" };

/** Runs curl; gives the body, and the status of each answer on the way. */
async function curl(...args: string[]): Promise<{ body: string; statuses: string[] }> {
  const all = ["-sS", "-i", "--max-time", "10", "-H", `Accept: ${ACCEPT}`, ...args];
  const { stdout } = await promisify(execFile)("curl", all);
  const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => String(match[1]));
  return { body: stdout.slice(stdout.lastIndexOf("\r\n\r\n") + 4), statuses };
}

function keyOf({ credentials }: ServedFakeAtlas): string[] {
  return ["--digest", "-u", `${credentials.publicKey}:${credentials.privateKey}`];
}

/** Mints a token by curl; gives the header that it goes in. */
async function tokenOf({ url }: ServedFakeAtlas): Promise<string[]> {
  const user = `${SERVICE_ACCOUNT.clientId}:${SERVICE_ACCOUNT.clientSecret}`;
  const grant = ["-d", "grant_type=client_credentials", `${url}/api/oauth/token`];
  const { access_token } = JSON.parse((await curl("-u", user, ...grant)).body);
  assert.deepEqual((await curl("-u", `${user}x`, ...grant)).statuses, ["401"]);
  return ["-H", `Authorization: Bearer ${access_token}`];
}

test("serveFakeAtlas() is served: curl --digest gets the root document", withCurl, async () => {
  await withAtlas({}, async (atlas) => {
    const { url, credentials, requests } = atlas;
    const { body, statuses } = await curl(...keyOf(atlas), `${url}/api/atlas/v2/`);
    assert.deepEqual(statuses, ["401", "200"]);
    const { apiKey, links } = JSON.parse(body);
    assert.equal(apiKey.publicKey, credentials.publicKey);
    assert.deepEqual(links, [{ rel: "self", href: `${url}/api/atlas/v2` }]);
    assert.equal(requests.length, 2);

    const query = await curl(...keyOf(atlas), `${url}/api/atlas/v2/groups?itemsPerPage=1&x=%2C%22a+b`);
    assert.deepEqual(query.statuses, ["401", "200"]);
    assert.equal(JSON.parse(query.body).results.length, 1);
    const bare = await curl(...keyOf(atlas), `${url}/api/atlas/v2/groups?`);
    assert.deepEqual(bare.statuses, ["401", "200"]);
    const head = await curl(...keyOf(atlas), "-I", `${url}/api/atlas/v2/groups`);
    assert.deepEqual(head.statuses, ["401", "200"]);
  });
});

test("serveFakeAtlas() is served: curl --digest posts and sees what it posted", withCurl, async () => {
  await withAtlas({}, async (atlas) => {
    const groups = `${atlas.url}/api/atlas/v2/groups`;
    const json = ["-H", "Content-Type: application/json", "-d", JSON.stringify({ name: "by-curl", orgId: ORG })];
    const posted = await curl(...keyOf(atlas), ...json, groups);
    assert.deepEqual(posted.statuses, ["401", "200"]);
    const read = await curl(...keyOf(atlas), `${groups}/${JSON.parse(posted.body).id}`);
    assert.equal(JSON.parse(read.body).name, "by-curl");
  });
});

test("serveFakeAtlas() is served: curl --digest with a wrong password is refused", withCurl, async () => {
  await withAtlas({}, async ({ url, credentials }) => {
    for (const user of [`${credentials.publicKey}:wrong`, `wrongkey:${credentials.privateKey}`]) {
      const { body, statuses } = await curl("--digest", "-u", user, `${url}/api/atlas/v2/`);
      assert.deepEqual(statuses, ["401", "401"]);
      assert.equal(JSON.parse(body).errorCode, "UNEXPECTED_ERROR");
    }
  });
});

test("serveFakeAtlas() is served: curl -u gets a token and uses it", withCurl, async () => {
  await withAtlas({ serviceAccount: SERVICE_ACCOUNT }, async (atlas) => {
    const token = await tokenOf(atlas);
    assert.deepEqual((await curl(...token, `${atlas.url}/api/atlas/v2/groups`)).statuses, ["200"]);
  });
});

test("serveFakeAtlas() is served: curl is answered by respond", withCurl, async () => {
  const respond = async (request: Request) => {
    if (!request.url.endsWith("/databaseUsers")) return undefined;
    return Response.json({ method: request.method, sent: await request.text() }, { status: 201 });
  };
  await withAtlas({ serviceAccount: SERVICE_ACCOUNT, respond }, async (atlas) => {
    const users = `${atlas.url}/api/atlas/v2/groups/1/databaseUsers`;
    assert.deepEqual((await curl(users)).statuses, ["401"]);
    for (const [sender, challenges] of [[keyOf(atlas), ["401"]], [await tokenOf(atlas), []]] as const) {
      const { body, statuses } = await curl(...sender, "-d", '{"a":"é"}', users);
      assert.deepEqual(statuses, [...challenges, "201"]);
      assert.deepEqual(JSON.parse(body), { method: "POST", sent: '{"a":"é"}' });
      assert.equal(await atlas.requests.at(-1)?.text(), '{"a":"é"}');
      const head = await curl(...sender, "-I", users);
      assert.deepEqual([head.statuses.at(-1), head.body], ["201", ""]);
      const own = await curl(...sender, `${atlas.url}/api/atlas/v2/groups`);
      assert.equal(JSON.parse(own.body).totalCount, 3);
    }
  });
});

// On the wire -------------------------------------------------------------------------------------

test("serveFakeAtlas() checks the target as it is on the wire", async () => {
  await withAtlas({}, async ({ url, credentials }) => {
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
  });
});

test("serveFakeAtlas() passes over the body of a GET", async () => {
  await withAtlas({}, async ({ url, requests }) => {
    const head = "GET /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2";
    assert.equal((await raw(url, `${head}\r\n\r\n{}`)).slice(9, 12), "401");
    assert.equal(requests[0]?.method, "GET");
  });
});

test("serveFakeAtlas() shows the requests that it got, each with its body", async () => {
  await withAtlas({}, async ({ url, requests }) => {
    const response = await fetch(`${url}/api/atlas/v2/x?y`, { method: "PUT", body: "bytes" });
    assert.equal((await jsonOf(response)).error, 401);
    assert.deepEqual(requests.map((it) => `${it.method} ${it.url}`), [`PUT ${url}/api/atlas/v2/x?y`]);
    assert.equal(await requests[0]?.text(), "bytes");
  });
});

test("serveFakeAtlas() loses the connection where Response.error() is the answer", async () => {
  const respond = ({ url }: Request) => url.endsWith("/x") ? Response.error() : undefined;
  await withAtlas({ serviceAccount: SERVICE_ACCOUNT, answers: [Response.error()], respond }, async (atlas) => {
    const { access_token } = await mint(fetchOf(atlas));
    for (const path of ["/", "/x"]) {
      const head = `GET /api/atlas/v2${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access_token}`;
      assert.equal(await raw(atlas.url, `${head}\r\n\r\n`), "");
    }
    assert.equal((await bearer(fetchOf(atlas), access_token)).status, 200);
  });
});

test("serveFakeAtlas() answers 500, and says why, when it fails", async () => {
  const broken = new ReadableStream({
    pull: (controller) => controller.error(new Error("broken")),
  });
  // A header that fetch's Headers hold and node:http refuses to send.
  const unsendable = new Response(null, { headers: { "X-Odd": "a\u0001b" } });
  const respond = ({ url }: Request) => {
    if (url.endsWith("/x")) throw new Error("The script sent no tags");
    return undefined;
  };
  const answers = [new Response(broken), unsendable];
  await withAtlas({ serviceAccount: SERVICE_ACCOUNT, answers, respond }, async (atlas) => {
    const { access_token } = await mint(fetchOf(atlas));
    for (let i = 0; i < answers.length; i++) {
      assert.equal(await errorOf(await bearer(fetchOf(atlas), access_token)), "500 UNEXPECTED_ERROR");
    }
    const thrown = await bearer(fetchOf(atlas), access_token, "/x");
    assert.match((await jsonOf(thrown.clone())).detail, /Error: The script sent no tags$/);
    assert.equal(await errorOf(thrown), "500 UNEXPECTED_ERROR");
    assert.equal((await bearer(fetchOf(atlas), access_token)).status, 200);
  });
});

test("serveFakeAtlas() survives clients that go away in the middle", async () => {
  await withAtlas({}, async ({ url }) => {
    const post = "POST /api/atlas/v2/groups HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    await raw(url, post, { end: true });
    await raw(url, "GET /api/atlas/v2/groups HTTP/1.1\r\nHost: x\r\n\r\n", { end: true });
    await raw(url, "GET / HT", { end: true });
    // Asked after them: the server has seen them come and go.
    for (let i = 0; i < 5; i++) assert.equal((await fetch(`${url}/api/atlas/v2/`)).status, 401);
  });
});

test("serveFakeAtlas() closes at once, whatever is open, and more than once", async () => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  const respond = () => {
    asked();
    return new Promise<undefined>(() => {});
  };
  const atlas = await serveFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, respond });
  const { access_token } = await mint(fetchOf(atlas));
  const unanswered = assert.rejects(bearer(fetchOf(atlas), access_token));
  const half = raw(atlas.url, "POST /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
  const idle = raw(atlas.url, "GET /api/atlas/v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
  await isAsked;
  // Each of these would wait for ever: the server's own limit for half a request is 5 minutes.
  await atlas.close();
  await Promise.all([unanswered, half, idle]);
  await atlas.close();
  await assert.rejects(fetch(`${atlas.url}/api/atlas/v2/`));
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
