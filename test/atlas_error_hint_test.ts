import assert from "node:assert/strict";
import { test } from "node:test";
import { AtlasError } from "../lib/atlas_error.ts";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { answer, assertOneLine, atlasAnswer, CHALLENGE, errorOf, GROUPS } from "./atlas_answer.ts";

const ACCOUNT = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_x" };

const ADD = "Add your address to the access list of this API key or service account";

test("AtlasError says where to add the address that is not on the list, in one line to act on", async () => {
  const error = await errorOf(atlasAnswer(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", {
    detail: "IP address 203.0.113.9 is not allowed to access this resource.",
    reason: "Forbidden",
    parameters: ["203.0.113.9"],
  }));
  assert.equal(
    error.message,
    "403 IP_ADDRESS_NOT_ON_ACCESS_LIST at /api/atlas/v2/groups: IP address 203.0.113.9 is not allowed to access this " +
      `resource. ${ADD}`,
  );
  assert.equal(error.hint, ADD);
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
      /^Add your address to the access list of this API key or service account$/,
    ],
    [
      atlasAnswer(403, "RESOURCE_REQUIRES_ACCESS_LIST"),
      "RESOURCE_REQUIRES_ACCESS_LIST",
      /^Add your address to the access list of this API key or service account$/,
    ],
    [
      atlasAnswer(406, "INVALID_VERSION_DATE", { detail: "Invalid accept header or version date." }),
      "INVALID_VERSION_DATE",
      /^Set the option version to one such as "2025-03-12", or another format, and no Accept header$/,
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
      atlasAnswer(400, "INVITATIONS_RATE_LIMITED_IP", { detail: "Too many invitations." }),
      "INVITATIONS_RATE_LIMITED_IP",
      /^Call again in a minute$/,
    ],
    [
      answer('{"error":"access_denied","error_description":"Access Token limit reached."}', { status: 403 }),
      "access_denied",
      /^A service account has at most 100 live access tokens: share them by a tokenStore$/,
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
    "401 UNEXPECTED_ERROR at /api/atlas/v2/groups: You are not authorized for this resource. Check user name and password " +
      "(of Atlas the public and the private key, or the access token) and that they belong to cloud.mongodb.com: nobody " +
      "was signed in",
  );
  const { message } = await errorOf(wrongKey());
  assert.match(message, /^401 UNEXPECTED_ERROR: .*Check user name and password \(.*\): nobody was signed in$/);
});

test("AtlasError says what other challenges of a 401 mean", async () => {
  const hintOf = async (challenge: string | undefined, headers: Record<string, string> = {}) => {
    const all = challenge === undefined ? headers : { "WWW-Authenticate": challenge, ...headers };
    return (await errorOf(answer("", { status: 401, headers: all }))).hint;
  };
  const ended = "An access token may have ended: they live an hour";
  assert.equal(await hintOf(undefined), ended);
  assert.equal(await hintOf("Bearer"), ended);
  assert.equal(await hintOf('bearer realm="x", error="invalid_token"'), ended);
  const basic = "This server wants Basic, which plain fetch can send";
  assert.equal(await hintOf('Basic realm="x"'), basic);
  assert.equal(await hintOf('basic realm="x", Negotiate'), basic);
  assert.equal(await hintOf("Negotiate"), undefined);
  const stale = "Call again: the server has forgotten its nonce";
  for (const value of ["true", '"TRUE"']) {
    assert.equal(await hintOf(`Digest realm="x", nonce="n", stale=${value}`), stale);
  }
  assert.match(String(await hintOf('Digest realm="x", nonce="n", stale=false')), /^Check user name and password/);
  // Signed in, whatever else is wrong.
  assert.equal(await hintOf("Bearer", { "X-Error-Code": "ANYTHING" }), undefined);
});

test("AtlasError has the hint of what the fake Atlas answers", async () => {
  const limited = createFakeAtlas({ refusedAddress: "203.0.113.9" });
  const fetch = createAtlasFetch({ credentials: limited.credentials, fetch: limited });
  assert.equal(
    (await errorOf(fetch("/groups"))).message,
    "403 IP_ADDRESS_NOT_ON_ACCESS_LIST at /api/atlas/v2/groups: IP address 203.0.113.9 is not allowed to access this " +
      `resource. ${ADD}`,
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
