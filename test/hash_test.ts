import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, type HashName, hexDigest, utf8ByteString } from "../lib/digest/hash.ts";

test("hexDigest() gives the known digests of nothing", () => {
  assert.equal(hexDigest("MD5", ""), "d41d8cd98f00b204e9800998ecf8427e");
  assert.equal(hexDigest("SHA-256", ""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(hexDigest("SHA-512-256", ""), "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a");
});

test("hexDigest() takes a text as UTF-8", () => {
  assert.equal(hexDigest("MD5", "é名"), hexDigest("MD5", new TextEncoder().encode("é名")));
});

test("utf8ByteString() gives a character for each byte, and bytesOf() a byte for each character", () => {
  assert.equal(utf8ByteString("abc"), "abc");
  assert.equal(utf8ByteString("é名"), "\u00c3\u00a9\u00e5\u0090\u008d");
  assert.deepEqual(bytesOf("\u00c3\u00a9\u0000a"), new Uint8Array([0xc3, 0xa9, 0, 0x61]));
});

test("hexDigest() says so if the platform does not offer a hash", () => {
  const unknown: HashName = JSON.parse('"SHA-0"'); // as MD5 is to OpenSSL in FIPS mode
  assert.throws(() => hexDigest(unknown, ""), (error: unknown) => {
    return error instanceof TypeError && /SHA-0.*FIPS/.test(error.message) && error.cause !== undefined;
  });
});
