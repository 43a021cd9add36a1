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
  try {
    const bytes = typeof data === "string" && !isAscii(data) ? bytesOf(data) : data;
    return hash(name.replace("-", "").toLowerCase(), bytes); // Deno takes sha512-256 only
  } catch (cause) {
    throw refusal(`Cannot use ${name}: this platform refuses it (FIPS?). Use a service account or SHA-256`, {
      cause,
    });
  }
}

/** The UTF-8 bytes of a text as a byte string: one character, U+0000 to U+00FF, a byte. */
export function utf8ByteString(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The text whose UTF-8 bytes a byte string holds. */
export function utf8Text(byteString: string): string {
  return new TextDecoder().decode(bytesOf(byteString));
}

/** A header value as the byte string that came over the wire. */
export function fromHeader(value: string): string {
  return isTextInHeaders(value) ? utf8ByteString(value) : value;
}

/** A byte string as the header value that sends these bytes. */
export function toHeader(byteString: string): string {
  return isTextInHeaders(byteString) ? utf8Text(byteString) : byteString;
}

/** Whether a header value is text in UTF-8, as on workerd, and not a character a byte, as everywhere else. */
function isTextInHeaders(value: string): boolean {
  if (isAscii(value)) return false; // the same either way
  try {
    return new Headers([["x", "\u0100"]]).has("x");
  } catch {
    return false;
  }
}

function bytesOf(byteString: string): Uint8Array {
  return Uint8Array.from(byteString, (byte) => byte.charCodeAt(0));
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
