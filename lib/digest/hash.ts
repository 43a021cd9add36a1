import { hash } from "node:crypto";

/** The hashes of RFC 7616 section 6.1, by their names there. */
export type HashName = "MD5" | "SHA-256" | "SHA-512-256";

const CRYPTO_NAMES = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };

/**
 * The digest of bytes, or of a text's UTF-8 bytes, as lower-case hex.
 *
 * @throws {TypeError} if the platform does not offer the hash, as with MD5 in FIPS mode
 */
export function hexDigest(name: HashName, data: string | Uint8Array): string {
  try {
    return hash(CRYPTO_NAMES[name], data);
  } catch (cause) {
    throw new TypeError(`Cannot use ${name}: this platform does not offer it (FIPS mode?)`, { cause });
  }
}

/** The bytes of a byte string: one character, U+0000 to U+00FF, a byte. */
export function bytesOf(byteString: string): Uint8Array {
  return Uint8Array.from(byteString, (character) => character.charCodeAt(0));
}

/** The UTF-8 bytes of a text as a byte string. */
export function utf8ByteString(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
