import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, assertOneLine, atlasAnswer, errorOf } from "./atlas_answer.ts";
import { assertLinear } from "./growth.ts";
import { serving } from "./serving.ts";

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
  await serving((_request, response) => {
    response.writeHead(503, { "Content-Type": "text/html", "X-Error-Code": "LARGE" });
    function more() {
      while (written < 20e6) {
        written += CHUNK.length;
        if (!response.write(CHUNK)) return void response.once("drain", more);
      }
      response.end(() => finished = true);
    }
    more();
  }, async (url) => {
    const error = await errorOf(fetch(`${url}/groups`));
    assert.match(error.message, /^503 LARGE at \/groups: x{500}$/);
    // What the kernel's and the runtime's buffers took; never the whole.
    assert.ok(written < 15e6, `${written} bytes`);
    assert.equal(finished, false);
  });
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

test("AtlasError stays linear in hostile bodies", async () => {
  const repeated = [
    ...[
      "<title",
      "<",
      "<title>",
      "digest ",
      "basic ",
      "bearer ",
      "digest a ",
      "a",
      "f",
      ":",
      ".",
      " .",
      "\t",
      "\u200b",
    ],
    ...["basic auth ", "bearer;tokens;;", "digest-", "<title>  ", "1:", "a."],
  ];
  const surrounded: [before: string, part: string, after: string][] = [
    ["digest", " ", ""],
    ["digest ", "a", ""],
    ["digest a", " ", ""],
    ["basic", " ", ""],
    ["basic", "\\n%20", ""],
    ["bearer ", "=", ""],
    ["bearer token ", ";", ""],
    ["<title>", " ", "<"],
  ];
  for (const [before, part, after] of [...repeated.map((part) => ["", part, ""] as const), ...surrounded]) {
    await assertLinear(JSON.stringify(before + part), async (length) => {
      const text = before + part.repeat(length / part.length) + after;
      await errorOf(answer(text, { status: 500 }));
      for (const errorCode of ["IP_ADDRESS_NOT_ON_ACCESS_LIST", "X"]) {
        await errorOf(answer(JSON.stringify({ errorCode, parameters: [text] }), { status: 403 }));
        await errorOf(answer(JSON.stringify({ errorCode, detail: text }), { status: 403 }));
      }
    });
  }
});
