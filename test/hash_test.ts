import assert from "node:assert/strict";
import { test } from "node:test";
import { type HashName, hexDigest, utf8ByteString } from "../lib/digest/hash.ts";

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
