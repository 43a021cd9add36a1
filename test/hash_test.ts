import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHeader, type HashName, hexDigest, toHeader, utf8ByteString } from "../lib/digest/hash.ts";

test("hexDigest() gives the known digests of nothing", () => {
  assert.equal(hexDigest("MD5", ""), "d41d8cd98f00b204e9800998ecf8427e");
  assert.equal(hexDigest("SHA-256", ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(hexDigest("SHA-512-256", ""), "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a");
});

test("hexDigest() takes a string as bytes, one a character", () => {
  assert.equal(hexDigest("MD5", "\u00e9\u0080"), hexDigest("MD5", new Uint8Array([0xe9, 0x80])));
  assert.equal(hexDigest("MD5", utf8ByteString("é")), hexDigest("MD5", new TextEncoder().encode("é")));
});

test("utf8ByteString() gives a character for each byte", () => {
  assert.equal(utf8ByteString("abc"), "abc");
  assert.equal(utf8ByteString("é名"), "\u00c3\u00a9\u00e5\u0090\u008d");
});

test("hexDigest() says so where the platform refuses a hash, and what to use instead", () => {
  const refused: HashName = JSON.parse('"SHA-0"'); // as OpenSSL refuses MD5 in FIPS mode
  assert.throws(() => hexDigest(refused, ""), (error: unknown) => {
    return error instanceof TypeError && /SHA-0.*FIPS.*service account/.test(error.message) &&
      error.cause !== undefined;
  });
});

test("toHeader() and fromHeader() leave byte strings alone where headers hold bytes", () => {
  for (const value of ["abc", "\u00c3\u00a9"]) {
    assert.equal(toHeader(value), value);
    assert.equal(fromHeader(value), value);
  }
});

test("toHeader() and fromHeader() convert where headers hold text, as workers_test.ts sees on workerd", () => {
  const original = globalThis.Headers;
  try {
    globalThis.Headers = class extends original {
      constructor() {
        super([["x", "takes all"]]);
      }
    };
    for (const [bytes, text] of [["abc", "abc"], ["\u00c3\u00a9\u00e5\u0090\u008d", "é名"]] as const) {
      assert.equal(toHeader(bytes), text);
      assert.equal(fromHeader(text), bytes);
    }
  } finally {
    globalThis.Headers = original;
  }
});
