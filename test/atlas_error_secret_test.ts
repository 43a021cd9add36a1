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
    [
      'Digest username="pub1icKey", realm="MMS", nonce="n0nce", uri="/", nc=00000001, response="d1gestresp0nse"',
      /pub1icKey|n0nce|d1gest/,
    ],
    ['digest  algorithm=MD5,\n username="pub1icKey", response="d1gest"', /pub1icKey|d1gest/],
    ["Digest username*=UTF-8''pub1icKey, response=\"d1gest\"", /pub1icKey|d1gest/],
    ['Digest response = "d1gest"', /d1gest/],
    ["BEARER auth3nt1c-auth3nt1c", /auth3nt1c/],
    ["Authorization: Bearer token_pa55pa55pa55", /pa55/],
    ["\\nBearer token: pa55pa55pa55pa55", /pa55/],
    ["Bearer realm, or so, is wrong: pa55pa55pa55pa55", /pa55/],
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
      "Bearer token expired at 12:00",
      "Digest authentication required",
      "Basic auth, Bearer tokens, or Digest",
      "The basic authorization failed",
      "The Basic tier has no backups",
      "Digest of the uploaded file does not match",
      "16 non-blank characters before it-do-not-matter: Basic",
    ]
  ) {
    assert.equal(
      (await errorOf(atlasAnswer(401, "X", { detail }))).message,
      `401 X at /api/atlas/v2/groups: ${detail}`,
    );
  }
});

test("AtlasError masks nothing of the path and the hint, which are not the server's words", () => {
  const response = new Response(null, { status: 404 });
  const place = "/groups/65f1c0de0000000000000002/clusters/basic-prod-of-the-company/x page 2";
  const hint = "Digest wants username=ada";
  assert.equal(new AtlasError(response, { hint }, place).message, `404 at ${place}: ${hint}`);
  assert.equal(new AtlasError(response, {}, "/a\nb\u0000/").message, "404 at /a b /");
});
