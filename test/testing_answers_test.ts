import assert from "node:assert/strict";
import { test } from "node:test";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import {
  ask,
  bearer,
  challengeOf,
  errorOf,
  jsonOf,
  mint,
  ORG,
  SERVICE_ACCOUNT,
  V2,
  withClock,
  write,
} from "./fake_client.ts";

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

test("createFakeAtlas() asks respond what is let in, and serves what that leaves", async () => {
  const asked: string[] = [];
  const respond = ({ method, url }: Request) => {
    asked.push(`${method} ${url.slice(V2.length)}`);
    if (url.endsWith("/orgs")) return Response.json({ orgs: 1 }, { status: 201, headers: { "X-Mine": "1" } });
    if (url.endsWith("/groups")) return Promise.resolve(new Response("not its own"));
    return url.endsWith("/later") ? Promise.resolve(undefined) : undefined;
  };
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, respond });
  const { access_token } = await mint(fake);
  challengeOf(await fake(`${V2}/orgs`));
  challengeOf(await ask(fake, "/orgs", { headers: { Authorization: "Digest username=x" } }));
  assert.equal((await bearer(fake, "unknown", "/orgs")).status, 401);
  assert.deepEqual(asked, []);

  for (const response of [await ask(fake, "/orgs"), await bearer(fake, access_token, "/orgs")]) {
    assert.equal(response.status, 201);
    assert.equal(response.url, `${V2}/orgs`);
    assert.equal(response.headers.get("X-Mine"), "1");
    assert.deepEqual(await jsonOf(response), { orgs: 1 });
  }
  assert.equal(await (await ask(fake, "/groups")).text(), "not its own");
  assert.equal((await jsonOf(await ask(fake, "/"))).appName, "MongoDB Atlas");
  assert.equal(await errorOf(await ask(fake, "/later", { method: "PUT" })), "404 RESOURCE_NOT_FOUND");
  assert.deepEqual(asked, ["GET /orgs", "GET /orgs", "GET /groups", "GET /", "PUT /later"]);
});

test("createFakeAtlas() gives respond a request of its own, with its body", async () => {
  const bodies: string[] = [];
  const respond = async (request: Request) => {
    bodies.push(await request.text());
    return undefined;
  };
  const fake = createFakeAtlas({ respond });
  const created = await write(fake, "POST", "/groups", { name: "a", orgId: ORG });
  assert.equal((await jsonOf(created)).name, "a");
  assert.deepEqual(bodies, [await fake.requests.at(-1)?.text()]);
  assert.deepEqual(JSON.parse(String(bodies[0])), { name: "a", orgId: ORG });
});

test("createFakeAtlas() takes one Response from respond again and again, without its body for HEAD", async () => {
  const constant = new Response("the same");
  const fake = createFakeAtlas({ respond: () => constant });
  for (let i = 0; i < 2; i++) assert.equal(await (await ask(fake, "/x")).text(), "the same");
  const head = await ask(fake, "/x", { method: "HEAD" });
  assert.equal(head.body, null);
  assert.equal(head.url, `${V2}/x`);
  assert.equal(head.headers.get("Content-Type"), constant.headers.get("Content-Type"));
  const moved = createFakeAtlas({ respond: () => Response.redirect(`${V2}/y`, 302) });
  assert.equal((await ask(moved, "/x")).headers.get("Location"), `${V2}/y`);
});

test("createFakeAtlas() rejects with what respond throws", async () => {
  const error = new Error("The script sent no tags");
  const fake = createFakeAtlas({
    respond: ({ url }) => {
      if (url.endsWith("/later")) return Promise.reject(error);
      throw error;
    },
  });
  await assert.rejects(ask(fake, "/x"), error);
  await assert.rejects(ask(fake, "/later"), error);
  assert.equal(fake.requests.length, 4);
  // Through all layers of the client, too.
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake });
  await assert.rejects(atlasFetch("/x"), error);
});

test("createFakeAtlas() loses the connection where respond gives Response.error()", async () => {
  const fake = createFakeAtlas({ respond: ({ url }) => url.endsWith("/x") ? Response.error() : undefined });
  await assert.rejects(ask(fake, "/x"), TypeError);
  assert.equal((await ask(fake, "/groups")).status, 200);
});

test("createFakeAtlas() asks respond after the answers and the limits", async () => {
  let asked = 0;
  const respond = () => {
    asked++;
    return new Response("mine");
  };
  const rateLimit = { capacity: 1, refillPerMinute: 0 };
  const fake = createFakeAtlas({ answers: [new Response("forced")], rateLimit, respond });
  assert.equal(await (await ask(fake, "/x")).text(), "forced");
  assert.equal(asked, 0);
  assert.equal(await (await ask(fake, "/x")).text(), "mine");
  assert.equal(await errorOf(await ask(fake, "/x")), "429 RATE_LIMITED_TOKEN_BUCKET");
  const refusing = createFakeAtlas({ refusedAddress: "203.0.113.9", respond });
  assert.equal(await errorOf(await ask(refusing, "/x")), "403 IP_ADDRESS_NOT_ON_ACCESS_LIST");
  assert.equal(asked, 1);
});

test("createFakeAtlas() waits for respond no longer than for an abort", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const respond = () => {
    controller.abort(reason);
    return new Promise<undefined>(() => {});
  };
  await assert.rejects(ask(createFakeAtlas({ respond }), "/x", { signal: controller.signal }), reason);
});

test("createFakeAtlas() empties its token bucket and fills it again", async () => {
  await withClock(async (forward) => {
    const fake = createFakeAtlas({ rateLimit: { capacity: 2, refillPerMinute: 120 } });
    assert.equal((await ask(fake, "/groups")).status, 200);
    assert.equal((await ask(fake, "/groups?itemsPerPage=1")).status, 200);
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
    forward(499);
    assert.equal((await ask(fake, "/groups")).status, 429);
    forward(1);
    assert.equal((await ask(fake, "/groups")).status, 200);
    assert.equal((await ask(fake, "/groups")).status, 429);
    forward(60_000); // no more than it can hold
    for (const status of [200, 200, 429]) assert.equal((await ask(fake, "/groups")).status, status);
  });
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
