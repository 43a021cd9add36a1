// Node and Bun have codes, Deno and workerd words only.
const NEVER_MADE_CODES = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;
const NEVER_MADE_WORDS = /client error \(Connect\)(?!: invalid peer certificate)/;
const LOST_CODES = /^(ECONN(RESET|ABORTED)|EPIPE|ETIMEDOUT|UND_ERR_(SOCKET|(HEADERS|BODY)_TIMEOUT)|ConnectionClosed)$/;
const LOST_WORDS =
  /connection (closed|reset|aborted|error)|network connection lost|body from connection|broken pipe|http2 error|was canceled/i;

/**
 * Whether a fetch's connection was lost, so that the request may have arrived, or never made. By what runtimes say: a
 * caller's mistake and an untrusted certificate are a `TypeError` too.
 */
export function connectionFailure(error: unknown): "lost" | "never made" | undefined {
  const { code, message, syscall } = Object(tellingError(error));
  if (syscall === "connect" || NEVER_MADE_CODES.test(code) || NEVER_MADE_WORDS.test(message)) return "never made";
  return LOST_CODES.test(code) || LOST_WORDS.test(message) ? "lost" : undefined;
}

/** The error with the code or the words: of Node and Deno the cause. */
export function tellingError(error: unknown): Record<string, unknown> {
  const { message, cause } = Object(error);
  const told = Object(message === "fetch failed" || message === "terminated" ? cause : error);
  return Object(told.errors?.[0] ?? told); // Node tries each address of a host
}

/** Takes from undici's error what the peer sent, which may echo our Authorization header. */
export function hideExchange(error: unknown, maxDepth = 9): void {
  const { name, cause } = Object(error);
  if (name === "HTTPParserError") Reflect.deleteProperty(Object(error), "data");
  const mayGoDeeper = cause && maxDepth > 0; // an error may be its own cause
  if (mayGoDeeper) hideExchange(cause, maxDepth - 1);
}
