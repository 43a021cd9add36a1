import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError, ensureOk } from "../lib/atlas_error.ts";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas } from "../lib/testing.ts";

const GROUPS = "https://cloud.mongodb.com/api/atlas/v2/groups";
const ACCOUNT = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_x" };
const CHALLENGE = 'Digest realm="MMS Public API", domain="", nonce="bm9uY2U=", algorithm=MD5, qop="auth", stale=false';

/** A response of Atlas: a constructed one has no URL. */
function answer(body: BodyInit | null, init: ResponseInit = {}, url: string = GROUPS): Response {
  return Object.defineProperty(new Response(body, init), "url", { value: url });
}

type BodyInit = ConstructorParameters<typeof Response>[0];

/** Atlas's error shape (facts: `{ error, errorCode, detail?, reason?, parameters?, badRequestDetail? }`). */
function atlasAnswer(status: number, errorCode: string, rest: object = {}, headers: Record<string, string> = {}) {
  return answer(JSON.stringify({ error: status, errorCode, ...rest }), {
    status,
    headers: { "Content-Type": "application/json", "X-Error-Code": errorCode, ...headers },
  });
}

async function errorOf(response: Response | Promise<Response>): Promise<AtlasError> {
  const error = await ensureOk(response).then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof AtlasError, inspect(error));
  return error;
}

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

function assertOneLine(message: string): void {
  // deno-lint-ignore no-control-regex -- these are what must not be in it
  assert.doesNotMatch(message, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Cf}|\p{Cc}/u);
}

test("ensureOk() passes a good response on as it is, unread", async () => {
  for (const status of [200, 201, 204, 299]) {
    const response = answer(status === 204 ? null : "{}", { status });
    assert.equal(await ensureOk(response), response);
    assert.equal(await ensureOk(Promise.resolve(response)), response);
    assert.equal(response.bodyUsed, false);
  }
});

test("ensureOk() makes an AtlasError of every other status", async () => {
  for (const status of [300, 302, 304, 400, 401, 404, 409, 500, 503, 599]) {
    const error = await errorOf(answer(null, { status }));
    assert.equal(error.status, status);
    assert.equal(error.message, `${status} at /api/atlas/v2/groups`);
  }
  const lost = new TypeError("fetch failed");
  await assert.rejects(ensureOk(Promise.reject(lost)), lost);
});

test("AtlasError is an Error with a name, a stack and a response that is not enumerable", async () => {
  const response = atlasAnswer(404, "CLUSTER_NOT_FOUND", {
    detail: "No cluster named X exists in group 1.",
    reason: "Not Found",
    parameters: ["X", "1"],
  });
  const error = await errorOf(response);
  assert.ok(error instanceof Error);
  assert.equal(error.name, "AtlasError");
  assert.equal(Object.prototype.toString.call(error), "[object Error]");
  assert.match(String(error.stack), /^AtlasError: 404 CLUSTER_NOT_FOUND at \/api\/atlas\/v2\/groups: No cluster/);
  assert.equal(error.response, response);
  assert.equal(response.bodyUsed, true);
  assert.deepEqual({ ...error }, {
    status: 404,
    code: "CLUSTER_NOT_FOUND",
    detail: "No cluster named X exists in group 1.",
    reason: "Not Found",
    parameters: ["X", "1"],
  });
  assert.ok(!Object.keys(error).includes("response"));
  assert.equal(
    error.message,
    "404 CLUSTER_NOT_FOUND at /api/atlas/v2/groups: No cluster named X exists in group 1",
  );
});

// Hints ------------------------------------------------------------------------------------------------

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

test("AtlasError shows which fields of the body are wrong", async () => {
  const error = await errorOf(atlasAnswer(400, "VALIDATION_ERROR", {
    detail: "Validation Error.",
    badRequestDetail: {
      fields: [{ field: "name", description: "must not be blank." }, { field: "orgId", description: "is missing" }],
    },
  }));
  assert.deepEqual(error.fields, [
    { field: "name", description: "must not be blank." },
    { field: "orgId", description: "is missing" },
  ]);
  assert.equal(
    error.message,
    "400 VALIDATION_ERROR at /api/atlas/v2/groups: Validation Error. name: must not be blank.; orgId: is missing",
  );
});

// Bodies -----------------------------------------------------------------------------------------------

test("AtlasError reads HTML, text, OAuth's shape and nothing", async () => {
  const html =
    "<!DOCTYPE html>\n<html><head>\n<TITLE class='x'>\n 503 Service\n Unavailable </TITLE></head><body>Hi</body>";
  const cases: [body: string | null, headers: Record<string, string>, message: string][] = [
    [html, {}, ": 503 Service Unavailable"],
    ["<html><body>no title</body></html>", {}, ""],
    ["<title></title>", {}, ""],
    ["  upstream connect error\r\nor disconnect\t ", {}, ": upstream connect error or disconnect"],
    ["", {}, ""],
    [null, {}, ""],
    [" \n ", {}, ""],
    [null, { "X-Error-Code": "FROM_HEADER" }, " FROM_HEADER"],
    ["<html>", { "X-Error-Code": "FROM_HEADER" }, " FROM_HEADER"],
    ['"just a string"', {}, ": just a string"],
    ["null", {}, ""],
    ["[]", {}, ""],
    ["42", {}, ""],
    ["{}", {}, ""],
    ['{"reason":"Busy"}', {}, ": Busy"],
    ['{"error":"invalid_request","error_description":"The form is wrong."}', {}, " invalid_request: The form is wrong"],
    ['{"error":"server_error"}', {}, " server_error"],
    ['{"errorCode":"IN_BODY"}', { "X-Error-Code": "FROM_HEADER" }, " IN_BODY"],
    ['\ufeff{"detail":"Behind a BOM"}', {}, ": Behind a BOM"],
  ];
  for (const [body, headers, message] of cases) {
    const error = await errorOf(answer(body, { status: 503, headers }));
    assert.equal(
      error.message.replace(/^503/, "503"),
      message.startsWith(" ")
        ? `503${message.split(":")[0]} at /api/atlas/v2/groups${message.slice(message.split(":")[0]?.length)}`
        : `503 at /api/atlas/v2/groups${message}`,
      JSON.stringify(body),
    );
    assertOneLine(error.message);
  }
  const named = await errorOf(answer(null, { status: 503, statusText: "Service Unavailable" }));
  assert.equal(named.message, "503 Service Unavailable at /api/atlas/v2/groups");
  assert.equal((await errorOf(new Response(null, { status: 500 }))).message, "500");
});

test("AtlasError takes what it can of truncated JSON", async () => {
  const whole = JSON.stringify({
    error: 404,
    errorCode: "CLUSTER_NOT_FOUND",
    detail: "No cluster ✓",
    parameters: ["X"],
  });
  const bytes = new TextEncoder().encode(whole);
  for (let end = 1; end < bytes.length; end++) {
    const headers = { "X-Error-Code": "CLUSTER_NOT_FOUND" };
    const error = await errorOf(answer(bytes.slice(0, end), { status: 404, headers }));
    assert.match(error.message, /^404 CLUSTER_NOT_FOUND at \/api\/atlas\/v2\/groups: \{/);
    assert.equal(error.parameters, undefined);
    assertOneLine(error.message);
  }
});

test("AtlasError takes members of the wrong type for absent", async () => {
  const wrong = [null, 7, true, [], {}, [[]], { a: { toString: 1, valueOf: null } }, ""];
  for (const value of wrong) {
    const body = { error: value, errorCode: value, detail: value, error_description: value, reason: value };
    const rest = { parameters: value, badRequestDetail: value };
    const error = await errorOf(answer(JSON.stringify({ ...body, ...rest }), { status: 400 }));
    assert.equal(error.message, "400 at /api/atlas/v2/groups");
    const { code, detail, reason, fields, hint } = error;
    assert.deepEqual([code, detail, reason, fields, hint], [undefined, undefined, undefined, undefined, undefined]);
    assert.deepEqual(error.parameters, Array.isArray(value) ? value : undefined);

    for (const fields of [value, [value], [{ field: value, description: value }], [{ field: "name" }, value]]) {
      const error = await errorOf(answer(JSON.stringify({ badRequestDetail: { fields } }), { status: 400 }));
      assert.equal(error.fields === undefined, !Array.isArray(fields));
      for (const entry of error.fields ?? []) {
        assert.equal(typeof entry.field, "string");
        assert.equal(typeof entry.description, "string");
      }
    }
  }
  for (const code of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.equal((await errorOf(atlasAnswer(400, code))).hint, undefined);
  }
  const { message, status } = await errorOf(
    answer('{"__proto__":{"status":1},"status":2,"message":"x","response":3,"detail":"d"}', { status: 418 }),
  );
  assert.deepEqual([message, status], ["418 at /api/atlas/v2/groups: d", 418]);
});

test("AtlasError does not mind numbers beyond 2^53 and deep nesting", async () => {
  const huge = '{"error":400,"errorCode":"X","detail":"d","parameters":[9007199254740993,1e400,-12345678901234567890]}';
  const error = await errorOf(answer(huge, { status: 400 }));
  assert.equal(error.message, "400 X at /api/atlas/v2/groups: d");
  assert.equal(error.parameters?.length, 3);
  const deep = `{"errorCode":"X","parameters":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const headers = { "X-Error-Code": "DEEP" };
  assert.match((await errorOf(answer(deep, { status: 400, headers }))).message, /^400 (DEEP|X) at/);
});

test("AtlasError cuts a detail at 500 characters, and keeps the hint", async () => {
  const detail = "d".repeat(501);
  const error = await errorOf(atlasAnswer(410, "VERSION_GONE", { detail }));
  assert.ok(error.message.startsWith(`410 VERSION_GONE at /api/atlas/v2/groups: ${"d".repeat(500)}. Set the option`));
  assert.equal(error.detail, detail);
  const whole = await errorOf(atlasAnswer(410, "X", { detail: "d".repeat(500) }));
  assert.equal(whole.message, `410 X at /api/atlas/v2/groups: ${"d".repeat(500)}`);
  const text = await errorOf(answer("t".repeat(100_000), { status: 500 }));
  assert.match(text.message, /^500 at \/api\/atlas\/v2\/groups: t{500}$/);
  const fields = Array.from({ length: 1000 }, (_, index) => ({ field: `f${index}`, description: "x" }));
  const many = await errorOf(atlasAnswer(400, "C".repeat(10_000), { badRequestDetail: { fields } }));
  assert.ok(many.message.length < 1100, `${many.message.length}`);
});

test("AtlasError reads at most 256 KiB of a body", async () => {
  const CHUNK = 64 * 1024;
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(CHUNK).fill(120));
      if (pulled === 320) controller.close();
    },
    cancel() {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const error = await errorOf(answer(body, { status: 500, headers: { "X-Error-Code": "LARGE" } }));
  assert.match(error.message, /^500 LARGE at \/api\/atlas\/v2\/groups: x{500}$/);
  assert.ok(pulled <= 5, `${pulled} chunks of ${CHUNK} bytes`);
  assert.ok(cancelled);

  // JSON that ends behind the limit is not JSON; just below it still is.
  const padded = (length: number) => JSON.stringify({ errorCode: "C", detail: "d", pad: "p".repeat(length - 39) });
  assert.equal(padded(1000).length, 1000);
  assert.equal((await errorOf(answer(padded(256 * 1024), { status: 500 }))).code, "C");
  assert.equal((await errorOf(answer(padded(256 * 1024 + 1), { status: 500 }))).code, undefined);
});

test("AtlasError leaves a body of 20 MB with the server that sends it", async () => {
  const CHUNK = new Uint8Array(64 * 1024).fill(120);
  let written = 0;
  let finished = false;
  const server = createServer((_request, response) => {
    response.writeHead(503, { "Content-Type": "text/html", "X-Error-Code": "LARGE" });
    function more() {
      while (written < 20e6) {
        written += CHUNK.length;
        if (!response.write(CHUNK)) return void response.once("drain", more);
      }
      response.end(() => finished = true);
    }
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const error = await errorOf(fetch(`http://127.0.0.1:${port}/groups`));
    assert.match(error.message, /^503 LARGE at \/groups: x{500}$/);
    // What the kernel's and the runtime's buffers took; never the whole.
    assert.ok(written < 15e6, `${written} bytes`);
    assert.equal(finished, false);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("AtlasError keeps what was read before the body failed", async () => {
  function broken(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
    let started = false;
    return new ReadableStream({
      pull(controller) {
        if (started) return controller.error(new TypeError("terminated"));
        started = true;
        controller.enqueue(new TextEncoder().encode(text));
      },
    });
  }
  const headers = { "X-Error-Code": "FROM_HEADER" };
  const cut = await errorOf(answer(broken('{"detail":"Half a sent'), { status: 502, headers }));
  assert.equal(cut.message, '502 FROM_HEADER at /api/atlas/v2/groups: {"detail":"Half a sent');
  const whole = await errorOf(answer(broken('{"detail":"Whole"}'), { status: 502, headers }));
  assert.equal(whole.message, "502 FROM_HEADER at /api/atlas/v2/groups: Whole");

  const used = answer('{"detail":"used"}', { status: 502, headers });
  await used.text();
  assert.equal((await errorOf(used)).message, "502 FROM_HEADER at /api/atlas/v2/groups");
  const locked = answer('{"detail":"locked"}', { status: 502, headers });
  locked.body?.getReader();
  assert.equal((await errorOf(locked)).message, "502 FROM_HEADER at /api/atlas/v2/groups");
});

test("AtlasError survives a body of bytes that are no text", async () => {
  const bytes = Uint8Array.from({ length: 2000 }, (_, index) => (index * 7919) % 256);
  assertOneLine((await errorOf(answer(bytes, { status: 500 }))).message);
  const cut = new TextEncoder().encode("✓✓").slice(0, 5);
  assert.equal((await errorOf(answer(cut, { status: 500 }))).message, "500 at /api/atlas/v2/groups: ✓\ufffd");
});

test("AtlasError stays fast on hostile bodies", async () => {
  const size = 250_000;
  const bodies = [
    ...["<title", "<", "<title>", "digest ", "basic ", "bearer ", "digest a ", "a", "f", ":", ".", " .", "\t", "\u200b"]
      .map((part) => part.repeat(size / part.length)),
    `digest${" ".repeat(size)}`,
    `digest ${"a".repeat(size)}`,
    `digest a${" ".repeat(size)}`,
    `basic${" ".repeat(size)}`,
    `basic${"\\n%20".repeat(size / 5)}`,
    `bearer ${"=".repeat(size)}`,
    ..."basic auth ,bearer;tokens;;,digest-,<title>  ,1:,a.".split(",").map((part) => part.repeat(size / part.length)),
    `bearer token ${";".repeat(size)}`,
    `<title>${" ".repeat(size)}<`,
  ];
  for (const text of bodies) {
    const start = performance.now();
    await errorOf(answer(text, { status: 500 }));
    for (const errorCode of ["IP_ADDRESS_NOT_ON_ACCESS_LIST", "X"]) {
      await errorOf(answer(JSON.stringify({ errorCode, parameters: [text] }), { status: 403 }));
      await errorOf(answer(JSON.stringify({ errorCode, detail: text }), { status: 403 }));
    }
    const took = performance.now() - start;
    assert.ok(took < 2000, `${Math.round(took)} ms for ${JSON.stringify(text.slice(0, 10))}`);
  }
});

// Secrets ----------------------------------------------------------------------------------------------

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
