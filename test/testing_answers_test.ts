import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeAtlas } from "../lib/testing.ts";
import { ask, bearer, challengeOf, errorOf, jsonOf, mint, SERVICE_ACCOUNT, V2, withClock } from "./fake_client.ts";

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
