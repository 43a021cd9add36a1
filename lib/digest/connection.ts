const NEVER_MADE_CODES = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;
const LOST_CODES =
  /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|UND_ERR_(SOCKET|(HEADERS|BODY)_TIMEOUT)|ConnectionClosed)$/;
// Deno and workerd have words only.
const NEVER_MADE_WORDS = /client error \(Connect\)(?!: invalid peer certificate)/;
const LOST_WORDS =
  /connection (closed|reset|aborted|error|lost)|body from connection|broken pipe|http2 error|was canceled/i;

/**
 * How a fetch failed, if its connection did: it was lost, and the request may have arrived, or it was never made.
 *
 * Known by what runtimes say then: a mistake of the caller's or an untrusted certificate is a `TypeError` too.
 */
export function connectionFailure(error: unknown): "lost" | "never made" | undefined {
  const told = tellingError(error);
  const attempts: unknown[] = Array.isArray(told.errors) ? told.errors : [told]; // one for each address
  if (attempts.some(isNeverMade)) return "never made";
  return attempts.some(isLost) ? "lost" : undefined;
}

/** Where the code is: Node and Deno have it in the cause. */
export function tellingError(error: unknown): { message?: unknown; code?: unknown; errors?: unknown } {
  const { message, cause } = Object(error);
  return Object(message === "fetch failed" || message === "terminated" ? cause : error);
}

function isNeverMade(error: unknown): boolean {
  const { code, syscall, message } = Object(error);
  return syscall === "connect" || NEVER_MADE_CODES.test(code) || NEVER_MADE_WORDS.test(message);
}

function isLost(error: unknown): boolean {
  const { code, message } = Object(error);
  return LOST_CODES.test(code) || LOST_WORDS.test(message);
}
