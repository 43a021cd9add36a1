import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError } from "../lib/atlas_error.ts";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { answer, assertOneLine, atlasAnswer, CHALLENGE, errorOf, GROUPS } from "./atlas_answer.ts";

const ACCOUNT = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_x" };

test("AtlasError says which address to add to the access list, in one line to act on", async () => {
  const error = await errorOf(atlasAnswer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", {
    detail: "IP address 203.0.113.9 is not allowed to access this resource.",
    reason: "Forbidden",
    parameters: ["203.0.113.9"],
  }));
  assert.equal(
    error.message,
    "403 IP_ADDRESS_NOT_ON_ACCESS_LIST at /api/atlas/v2/groups: IP address 203.0.113.9 is not allowed to access this " +
      "resource. Add 203.0.113.9 to the access list of this API key",
  );
  assert.equal(error.hint, "Add 203.0.113.9 to the access list of this API key");
});

test("AtlasError finds the address wherever it is, of any kind", async () => {
  async function hintFor(detail: unknown, parameters: unknown): Promise<string | undefined> {
    return (await errorOf(atlasAnswer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", { detail, parameters }))).hint;
  }
  const add = (address: string) => `Add ${address} to the access list of this API key`;
  const sentence = (address: string) => `IP address ${address} is not allowed to access this resource.`;
  for (
    const ip of ["203.0.113.9", "2001:db8::1", "::1", "fe80::", "::ffff:203.0.113.9", "2001:DB8:0:0:8:800:200C:417A"]
  ) {
    assert.equal(await hintFor(sentence(ip), [ip]), add(ip));
    assert.equal(await hintFor(sentence(ip), undefined), add(ip));
    assert.equal(await hintFor(undefined, [ip]), add(ip));
    assert.equal(await hintFor(sentence(ip), [null]), add(ip));
    assert.equal(await hintFor(sentence(ip), ["65f1c0de0000000000000000"]), add(ip));
    assert.equal(await hintFor(`At 12:34:56 on 2026-11-26T12:34:56Z, by a.b.c: ${sentence(ip)}`, undefined), add(ip));
  }
  for (
    const parameters of [undefined, [], [null], [{}], [{ toString: 1, valueOf: 1 }], [["a"]], "x", { 0: "a" }, [7]]
  ) {
    assert.equal(await hintFor("Not allowed.", parameters), add("your address"), inspect(parameters));
    assert.equal(await hintFor(undefined, parameters), add("your address"), inspect(parameters));
  }
});

test("AtlasError says what to do about each refusal of Atlas", async () => {
  const cases: [Response, code: string, hint: RegExp][] = [
    [
      atlasAnswer(401, "USER_UNAUTHORIZED", {
        detail: "Current user is not authorized to perform this action.",
        reason: "Unauthorized",
      }),
      "USER_UNAUTHORIZED",
      /^Signed in, but a role is missing: grant it to this API key or service account$/,
    ],
    [
      atlasAnswer(401, "USER_UNAUTHORIZED", {}, { "WWW-Authenticate": CHALLENGE }),
      "USER_UNAUTHORIZED",
      /role is missing/,
    ],
    [
      atlasAnswer(403, "ORG_REQUIRES_ACCESS_LIST"),
      "ORG_REQUIRES_ACCESS_LIST",
      /^Add your address to the access list of this API key$/,
    ],
    [
      atlasAnswer(403, "RESOURCE_REQUIRES_ACCESS_LIST"),
      "RESOURCE_REQUIRES_ACCESS_LIST",
      /^Add your address to the access list of this API key$/,
    ],
    [
      atlasAnswer(406, "INVALID_VERSION_DATE", { detail: "Invalid accept header or version date." }),
      "INVALID_VERSION_DATE",
      /^Set the option version to one such as "2025-03-12", and no Accept header$/,
    ],
    [atlasAnswer(410, "VERSION_GONE"), "VERSION_GONE", /^Set the option version to one such as "2025-03-12"/],
    [
      atlasAnswer(429, "RATE_LIMITED_TOKEN_BUCKET", {
        detail: "Rate limit exceeded for api/atlas/v2/orgs. Please retry after 55 seconds. Request capacity: 10. " +
          "Refill rate: 5 per 60 seconds.",
      }, { "Retry-After": "55" }),
      "RATE_LIMITED_TOKEN_BUCKET",
      /^Call again in 55 s$/,
    ],
    [atlasAnswer(429, "RATE_LIMITED"), "RATE_LIMITED", /^Call again in a minute$/],
    [
      atlasAnswer(429, "RATE_LIMITED", {}, { "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT" }),
      "RATE_LIMITED",
      /^Call again in a minute$/,
    ],
    [
      answer('{"error":"invalid_client","error_description":"Invalid credentials provided."}', { status: 401 }),
      "invalid_client",
      /^Check client id and secret: they may have expired or belong to another host$/,
    ],
  ];
  for (const [response, code, hint] of cases) {
    const error = await errorOf(response);
    assert.equal(error.code, code);
    assert.match(String(error.hint), hint);
    assert.ok(error.message.endsWith(`${error.hint}`), error.message);
    assertOneLine(error.message);
  }
});

test("AtlasError tells a wrong key from a missing role, and names the host", async () => {
  // As Atlas sends it: a challenge, no X-Error-Code
  const body = '{ "error" : 401, "reason" : "Unauthorized", "detail" : "You are not authorized for this resource.", ' +
    '"errorCode" : "UNEXPECTED_ERROR" }';
  const wrongKey = () => new Response(body, { status: 401, headers: { "WWW-Authenticate": CHALLENGE } });
  const error = await errorOf(Object.defineProperty(wrongKey(), "url", { value: GROUPS }));
  assert.equal(
    error.message,
    "401 UNEXPECTED_ERROR at /api/atlas/v2/groups: You are not authorized for this resource. Check the public and the " +
      "private key and that they belong to cloud.mongodb.com: nobody was signed in",
  );
  const { message } = await errorOf(wrongKey());
  assert.match(message, /^401 UNEXPECTED_ERROR: .*Check the public and the private key: nobody was signed in$/);
  const bearer = answer(body, { status: 401, headers: { "WWW-Authenticate": "Bearer" } });
  assert.equal((await errorOf(bearer)).hint, undefined);
  assert.equal((await errorOf(answer(body, { status: 401 }))).hint, undefined);
});

test("AtlasError has the hint of what the fake Atlas answers", async () => {
  const limited = createFakeAtlas({ refusedAddress: "203.0.113.9" });
  const fetch = createAtlasFetch({ credentials: limited.credentials, fetch: limited });
  assert.equal(
    (await errorOf(fetch("/groups"))).message,
    "403 IP_ADDRESS_NOT_ON_ACCESS_LIST at /api/atlas/v2/groups: IP address 203.0.113.9 is not allowed to access this " +
      "resource. Add 203.0.113.9 to the access list of this API key",
  );

  const credentials = { publicKey: "abcdefgh", privateKey: "wr0ng" };
  const wrong = await errorOf(createAtlasFetch({ credentials, fetch: createFakeAtlas() })("/"));
  assert.match(wrong.message, /^401 UNEXPECTED_ERROR at \/api\/atlas\/v2\/: .* belong to cloud\.mongodb\.com/);

  const atlas = createFakeAtlas({ serviceAccount: ACCOUNT, mintsPerMinute: 0 });
  const broke = createAtlasFetch({ credentials: ACCOUNT, fetch: atlas, retry: false })("/groups");
  const error = await broke.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof AtlasError);
  assert.match(
    error.message,
    /^429 RATE_LIMITED at \/api\/oauth\/token: .* Call again in 60 s, and share tokens by a tokenStore/,
  );

  const plain = createAtlasFetch({ credentials: atlas.credentials, fetch: atlas });
  const old = await errorOf(plain("/groups", { headers: { accept: "application/json" } }));
  assert.match(
    old.message,
    /^406 INVALID_VERSION_DATE at .*: Invalid accept header or version date\. Set the option version/,
  );
});
