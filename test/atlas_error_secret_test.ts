import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError } from "../lib/atlas_error.ts";
import { answer, assertOneLine, atlasAnswer, errorOf } from "./atlas_answer.ts";

/** All that a user or a log could see of an error. */
function shown(error: AtlasError): string {
  const copy = Object.assign({}, error);
  return [
    error.message,
    error.stack,
    String(error),
    inspect(error, { depth: Infinity }),
    JSON.stringify(error),
    JSON.stringify(copy),
  ].join("\n");
}

test("AtlasError has no control characters, line breaks and bidi marks in its message", async () => {
  const nasty = "a\r\nb\u0000c\u001b[31md\u0085e\u2028f\u2029g\u202eh\u2066i\u200bj\ufeffk\u007fl\tm";
  const responses = [
    atlasAnswer(400, "X", { detail: nasty }),
    atlasAnswer(400, "X", { reason: nasty }),
    answer(JSON.stringify({ errorCode: nasty }), { status: 400 }),
    atlasAnswer(400, "X", { badRequestDetail: { fields: [{ field: nasty, description: nasty }] } }),
    atlasAnswer(400, "IP_ADDRESS_NOT_ON_ACCESS_LIST", { parameters: [nasty] }),
    answer(JSON.stringify({ error: nasty, error_description: nasty }), { status: 400 }),
    answer(nasty, { status: 400 }),
    answer(`<title>${nasty}</title>`, { status: 400 }),
  ];
  for (const response of responses) {
    const { message } = await errorOf(response);
    assertOneLine(message);
    assert.match(message, /a b c \[31md e f g h i j k l m|your address/);
  }
});

test("AtlasError masks credentials that a server quotes, in every member", async () => {
  const secrets: [header: string, secret: RegExp][] = [
    ["Basic dXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["basic   dXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["Basic\tdXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["Basic\u0000dXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["Basic\u200bdXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["Basic%20dXNlcjpwYTU1d29yZA==", /dXNlcjpw|29yZA/],
    ["Basic YXV0aA+/YXV0aA==", /YXV0a/],
    ["Bearer eyJhbGciOi.eyJzdWIi-_~+/.c2ln==", /eyJ|c2ln/],
    ["BEARER auth3nt1c-pa55", /pa55/],
    ["Bearer token_pa55", /pa55/],
    ["Bearer realm-pa55", /pa55/],
    ["Authorization: Bearer pa55", /pa55/],
    [
      'Digest username="pub1icKey", realm="MMS", nonce="n0nce", uri="/", nc=00000001, response="d1gestresp0nse"',
      /pub1icKey|n0nce|d1gest/,
    ],
    ['digest  algorithm=MD5,\n username="pub1icKey", response="d1gest"', /pub1icKey|d1gest/],
    ["Digest username*=UTF-8''pub1icKey, response=\"d1gest\"", /pub1icKey|d1gest/],
    ['Digest response = "d1gest"', /d1gest/],
  ];
  for (const [header, secret] of secrets) {
    const text = `You sent ${header} to us`;
    const nested = [text, { deep: [text] }];
    const responses = [
      atlasAnswer(401, "X", { detail: text }),
      atlasAnswer(401, "X", { reason: text }),
      answer(JSON.stringify({ errorCode: text }), { status: 401 }),
      atlasAnswer(401, "X", { parameters: nested }),
      atlasAnswer(401, "IP_ADDRESS_NOT_ON_ACCESS_LIST", { parameters: nested }),
      atlasAnswer(401, "X", { badRequestDetail: { fields: [{ field: text, description: text }] } }),
      answer(JSON.stringify({ error: text, error_description: text }), { status: 401 }),
      answer(JSON.stringify(text), { status: 401 }),
      answer(text, { status: 401 }),
      answer(`<html><title>${text}</title>`, { status: 401 }),
      // Truncated JSON is text
      answer(JSON.stringify({ detail: text }).slice(0, -1), { status: 401 }),
      answer(JSON.stringify({ detail: `${"x".repeat(485)} ${text}` }), { status: 401 }),
      answer(`${"x".repeat(485)} ${text}`, { status: 401 }),
    ];
    if (/^[\t\x20-\x7e]*$/.test(text)) {
      responses.push(answer("{}", { status: 401, headers: { "X-Error-Code": text } }));
      responses.push(answer("{}", { status: 401, statusText: text }));
    }
    for (const response of responses) {
      const error = await errorOf(response);
      assert.doesNotMatch(shown(error), secret, header);
      assertOneLine(error.message);
    }
    assert.match((await errorOf(atlasAnswer(401, "X", { detail: text }))).message, /You sent .*\*\*\*/);
  }
});

test("AtlasError masks a token and a client secret wherever a server quotes them", async () => {
  for (
    const [detail, shown] of [
      ["Bearer token is invalid: eyJhbGciOiJSUzI1NiJ9.SECRET-x_y", "Bearer token is invalid: ***"],
      ["Jwt eyJhbGciOiJSUzI1NiJ9.SECRET is expired", "Jwt *** is expired"],
      ["no client mdb_sa_id_1 with mdb_sa_sk_SECRET", "no client mdb_sa_id_1 with ***"],
    ]
  ) {
    const error = await errorOf(atlasAnswer(401, "X", { detail, parameters: [detail] }));
    assert.equal(error.message, `401 X at /api/atlas/v2/groups: ${shown}`);
    assert.deepEqual(error.parameters, [shown]);
  }
});

test("AtlasError leaves words that are no credentials", async () => {
  for (
    const detail of [
      "Basic authentication is not supported",
      "Bearer token expired",
      "Digest authentication required",
      "Basic auth, Bearer tokens, or Digest",
      "The basic authorization failed",
      "Basic authentication is required",
      "Basic Auth failed. Check the key",
      "The Basic tier has no backups",
      "Digest of the uploaded file does not match",
      "Bearer token expired at 12:00",
    ]
  ) {
    assert.equal(
      (await errorOf(atlasAnswer(401, "X", { detail }))).message,
      `401 X at /api/atlas/v2/groups: ${detail}`,
    );
  }
});

test("AtlasError masks credentials in a path too, and leaves its words", () => {
  const response = new Response(null, { status: 404 });
  const message = (place: string) => new AtlasError(response, {}, place).message;
  assert.equal(message("/a\nb Bearer SECRETeyJ1/c"), "404 at /a b Bearer ***/c");
  assert.equal(message("/x%20Basic%20SECRETdXNlcg%3D%3D"), "404 at /x%20Basic ***");
  assert.equal(message("/groups/1/clusters/basic/processArgs"), "404 at /groups/1/clusters/basic/processArgs");
  assert.equal(message("/clusters/basic-prod/x page 2"), "404 at /clusters/basic-prod/x page 2");
  assert.equal(message("/clusters/basic-1 page 2"), "404 at /clusters/basic-1 page 2");
});

test("AtlasError masks credentials in the spellings that servers quote them in", async () => {
  const quotes = [
    "Bearer token SECRETeyJ1",
    'Bearer "SECRETeyJ1"',
    "Bearer <SECRETeyJ1>",
    "Bearer: SECRETeyJ1",
    "Bearer &quot;SECRETeyJ1&quot;",
    "Bearer+SECRETeyJ1",
    "Basic auth SECRETdXNlcg==",
    'Digest, username="SECRET", response="SECRET"',
    'Digest username="SECRET"',
    'Digest realm="x", nonce="y", username="SECRET"',
    "Digest%20username%3D%22SECRET%22",
    "Digest&#32;username=&quot;SECRET&quot;",
    "Authorization%3A%20Basic%20SECRETdXNlcg",
    "Authorization:%20Bearer%20token%20SECRETeyJ1",
    "Bearer &lt; SECRETeyJ1 &gt;",
    "Bearer:\\r\\n SECRETeyJ1",
    "\\nBearer SECRET",
    "Bearer token: SECRETeyJ1",
    "Bearer token is SECRETeyJhbGciOi",
    "Bearer token-SECRET",
    "Bad Bearer token: SECRETKEY",
    "Invalid Basic auth SECRETpc",
    "Bearer authSECRET",
    "Bearer SECRET",
    'Basic "auth" \\"SECRETdXNlcg==\\"',
    "Basic authentication failed; Bearer SECRET",
  ];
  for (const detail of quotes) {
    for (const body of [JSON.stringify({ error: 401, errorCode: "X", detail }), detail]) {
      assert.doesNotMatch(shown(await errorOf(answer(body, { status: 401 }))), /SECRET/, body);
    }
  }
});
