import { hash } from "node:crypto";

/** A hash of RFC 7616 section 6.1. */
export type HashName = "MD5" | "SHA-256" | "SHA-512-256";

const CRYPTO_NAMES = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };

/** The digest of bytes, or of a text as UTF-8, in hex. */
export function hexDigest(name: HashName, data: string | Uint8Array): string {
  try {
    return hash(CRYPTO_NAMES[name], data);
  } catch (cause) {
    throw new TypeError(`Cannot use ${name}: this platform does not offer it (FIPS mode?)`, { cause });
  }
}

/** A byte for each character, U+0000 to U+00FF. */
export function bytesOf(byteString: string): Uint8Array {
  return Uint8Array.from(byteString, (character) => character.charCodeAt(0));
}

/** The UTF-8 bytes of a text as a byte string. */
export function utf8ByteString(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
