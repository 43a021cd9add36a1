// Codes of Node and Bun, and words of Deno and workerd, which have no codes.
const NEVER_MADE_CODES = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;
const NEVER_MADE_WORDS = /client error \(Connect\)(?!: invalid peer certificate)/;
const LOST_CODES = /^(ECONN(RESET|ABORTED)|EPIPE|ETIMEDOUT|UND_ERR_(SOCKET|(HEADERS|BODY)_TIMEOUT)|ConnectionClosed)$/;
const LOST_WORDS =
  /connection (closed|reset|aborted|error)|network connection lost|body from connection|broken pipe|http2 error|was canceled/i;

/**
 * How a fetch failed, if its connection did: it was lost, and the request may have arrived, or it was never made.
 *
 * Known by what runtimes say then: a mistake of the caller's or an untrusted certificate is a `TypeError` too.
 */
export function connectionFailure(error: unknown): "lost" | "never made" | undefined {
  const told = tellingError(error);
  // Node tries each address of a host.
  const { code, message, syscall } = Array.isArray(told.errors) ? Object(told.errors[0]) : told;
  if (syscall === "connect" || NEVER_MADE_CODES.test(code) || NEVER_MADE_WORDS.test(message)) return "never made";
  return LOST_CODES.test(code) || LOST_WORDS.test(message) ? "lost" : undefined;
}

/** The one with the code or the words: Node and Deno have it in the cause. */
export function tellingError(error: unknown): Record<string, unknown> {
  const { message, cause } = Object(error);
  return Object(message === "fetch failed" || message === "terminated" ? cause : error);
}

/** Takes from undici's `HTTPParserError` what the peer sent, such as an echo of our Authorization header. */
export function hideExchange(error: unknown, maxDepth = 9): void {
  const { name, cause } = Object(error);
  if (name === "HTTPParserError") Reflect.deleteProperty(Object(error), "data");
  const mayGoDeeper = cause && maxDepth > 0; // an error may be its own cause
  if (mayGoDeeper) hideExchange(cause, maxDepth - 1);
}
