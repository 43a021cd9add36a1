import { hash } from "node:crypto";
import { refusal } from "./refusal.ts";

/** The hashes of RFC 7616 section 6.1, by their names there. */
export type HashName = "MD5" | "SHA-256" | "SHA-512-256";

/**
 * The digest of a byte string (one character a byte) or of bytes, as lower-case hex.
 *
 * @throws {TypeError} if the platform refuses the hash, as OpenSSL does with MD5 in FIPS mode
 */
export function hexDigest(name: HashName, data: string | Uint8Array): string {
  const bytes = typeof data === "string" && !isAscii(data) ? Uint8Array.from(data, (byte) => byte.charCodeAt(0)) : data;
  try {
    // Deno takes these spellings only: md5, sha256, sha512-256.
    return hash(name.toLowerCase().replace("a-", "a"), bytes);
  } catch (cause) {
    throw refusal(`Cannot use ${name}: this platform refuses it (FIPS?). Use a service account or SHA-256`, {
      cause,
    });
  }
}

/** The UTF-8 bytes of a text as a byte string: one character, U+0000 to U+00FF, a byte. */
export function utf8ByteString(text: string): string {
  return isAscii(text) ? text : String.fromCharCode(...new TextEncoder().encode(text));
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
