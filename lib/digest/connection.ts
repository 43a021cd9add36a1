/** How a fetch failed: its connection was lost, or never made. */
export interface ConnectionFailure {
  /** Whether the request may have arrived. */
  isLost: boolean;
  /** In the runtime's words. */
  reason: string;
}

const NEVER_MADE_CODES =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|FailedToOpenSocket)$/;
const LOST_CODES =
  /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|UND_ERR_(SOCKET|HEADERS_TIMEOUT|BODY_TIMEOUT)|ConnectionClosed)$/;
// Deno and workerd have words only.
const NEVER_MADE_WORDS = /client error \(Connect\)(?!: invalid peer certificate)/;
const LOST_WORDS =
  /connection (closed|reset|aborted|timed out|error|lost)|broken pipe|http2 error|operation was canceled/i;

/**
 * What an error says of the connection, if it is about that: a mistake of the caller's or a certificate that is not
 * trusted is a `TypeError` too.
 */
export function connectionFailure(error: unknown): ConnectionFailure | undefined {
  const { message, cause } = Object(error);
  const isToldByCause = message === "fetch failed" || message === "terminated"; // Node and Deno
  const told = Object(isToldByCause ? cause : error);
  const attempts: unknown[] = Array.isArray(told.errors) ? told.errors : [told]; // one for each address
  const isLost = attempts.some(hasLost);
  return isLost || attempts.some(hasNeverMade) ? { isLost, reason: reasonOf(told) } : undefined;
}

function hasNeverMade(error: unknown): boolean {
  const { code, syscall, message } = Object(error);
  return syscall === "connect" || NEVER_MADE_CODES.test(code) || NEVER_MADE_WORDS.test(message);
}

function hasLost(error: unknown): boolean {
  const { code, message } = Object(error);
  return !hasNeverMade(error) && (LOST_CODES.test(code) || LOST_WORDS.test(message));
}

/** The first sentence, without the URL that Deno puts before it. */
function reasonOf({ message, code }: { message?: unknown; code?: unknown }): string {
  return /(?<=client error \(\w+\): ).+|^[^.]+/.exec(String(message))?.[0] ?? String(code);
}
