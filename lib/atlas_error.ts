import { listOf, memberOf, parseJson, readText, textOf } from "./json.ts";

/** What a response says of its failure. */
export interface AtlasErrorFacts {
  /** Atlas's or OAuth's code. */
  code?: string | undefined;
  /** What went wrong. */
  detail?: string | undefined;
  /** The status in words. */
  reason?: string | undefined;
  /** What the detail was made from. */
  parameters?: unknown[] | undefined;
  /** What is wrong with the body that was sent. */
  fields?: { field: string; description: string }[] | undefined;
  /** What to do about it. */
  hint?: string | undefined;
}

const MAX_DETAIL = 500; // characters

/**
 * A call that the server refused, with what it said and what to do about it.
 *
 * The message is one line: status, code, path, detail, fields, hint. What looks like credentials in the server's words
 * is masked. Properties that the server did not fill are absent.
 */
export class AtlasError extends Error {
  override get name(): string {
    return "AtlasError";
  }

  /** Of the response: 403. */
  declare status: number;
  /** `errorCode` of Atlas, `error` of OAuth, else the header `X-Error-Code`: `IP_ADDRESS_NOT_ON_ACCESS_LIST`. */
  declare code?: string;
  /** What went wrong, in the server's words. */
  declare detail?: string;
  /** The status in words. */
  declare reason?: string;
  /** What the detail was made from. */
  declare parameters?: unknown[];
  /** What is wrong with the body that was sent, field by field. */
  declare fields?: { field: string; description: string }[];
  /** What to do about it, in a sentence. */
  declare hint?: string;
  /** Not enumerable; its body has been read. */
  declare response: Response;

  /**
   * Made by `ensureOk` and `paginate`; for your own, such as in a test, give what it is to say.
   *
   * @param response The refusal
   * @param facts What it says
   * @param place Where it was asked for; by default the path of the response's URL
   */
  constructor(
    response: Response,
    facts: AtlasErrorFacts,
    place: string = response.url && new URL(response.url).pathname,
  ) {
    super(messageOf(response, facts, place));
    this.status = response.status;
    for (const [name, value] of Object.entries(facts)) {
      if (value) Object.assign(this, { [name]: value });
    }
    Object.defineProperty(this, "response", { value: response });
  }
}

/**
 * The response if its status is 200 to 299, else an `AtlasError` with what its body says.
 *
 * @param response What a fetch gave, awaited or not
 * @throws {AtlasError} for any other status. At most 256 KiB of the body are read
 *
 * @example
 * ```ts
 * import { atlasFetch, ensureOk } from "atlas-fetch";
 *
 * const response = await ensureOk(atlasFetch("/groups"));
 * console.log(await response.json());
 * ```
 */
export async function ensureOk(response: Response | Promise<Response>): Promise<Response> {
  const answer = await response;
  if (answer.ok) return answer;
  throw await atlasError(answer);
}

/** The error that a response stands for. Reads its body. */
export async function atlasError(response: Response, place?: string): Promise<AtlasError> {
  const { text } = await readText(response);
  const json = parseJson(text, (_name, value) => typeof value === "string" ? masked(value) : value);
  const said = json === undefined ? text : json;
  const body = typeof said === "string" ? { detail: plainText(said) } : said;
  const code = textOf(body, "errorCode") || textOf(body, "error") || masked(response.headers.get("x-error-code") ?? "");
  const facts = {
    code,
    detail: textOf(body, "detail") || textOf(body, "error_description"),
    reason: textOf(body, "reason"),
    parameters: listOf(body, "parameters"),
    fields: listOf(memberOf(body, "badRequestDetail"), "fields")
      ?.map((item) => ({ field: textOf(item, "field"), description: textOf(item, "description") })),
    hint: hintOf(response, code),
  };
  return new AtlasError(response, facts, place);
}

/** Of a page its title, else what stands before the first tag. */
function plainText(text: string): string {
  const words = /(?:<title[^<>]*>|^)\s*([^\s<][^<]*)/i.exec(text)?.[1] ?? "";
  return masked(words).slice(0, MAX_DETAIL).trim();
}

function messageOf(
  { status, statusText }: Response,
  { code, detail, reason, fields, hint }: AtlasErrorFacts,
  place: string,
): string {
  const name = sentence(code || statusText);
  const head = [status, name, place && `at ${inOneLine(place)}`].filter(Boolean).join(" ");
  const words = sentence(detail || reason);
  const isSaidAlready = words === name || words === `${status} ${name}`;
  const wrong = sentence(fields?.map(({ field, description }) => `${field}: ${description}`).join("; "));
  const said = [isSaidAlready ? "" : words, wrong, hint].filter(Boolean).join(". ");
  return said ? `${head}: ${said}` : head;
}

/** Some of the server's words, without the period at their end. */
function sentence(words = ""): string {
  return inOneLine(masked(words)).slice(0, MAX_DETAIL).replace(/\.?\s*$/, "");
}

function inOneLine(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, " ").trim();
}

/**
 * Servers and proxies may quote the Authorization header that they refuse, escaped in any way: so all that follows a
 * scheme goes if credentials may be in it. A JWT and a client secret go wherever they are.
 */
function masked(text: string): string {
  const known = text.replace(/(eyJ|mdb_sa_sk_)[\w.-]+/g, "***");
  const [words = "", scheme] = /^[^]*?(basic|bearer|digest)/i.exec(known) ?? [];
  const mayBeCredentials = scheme !== undefined && /\S{16}|=/.test(known.slice(words.length));
  return mayBeCredentials ? `${words} ***` : known;
}

function hintOf({ status, url, headers }: Response, code: string): string | undefined {
  if (/(ON|REQUIRES)_ACCESS_LIST$/.test(code)) {
    return "Add your address to the access list of this API key or service account";
  }
  switch (code) {
    case "USER_UNAUTHORIZED":
      return "Signed in, but a role is missing: grant it to this API key or service account";
    case "INVALID_VERSION_DATE":
    case "VERSION_GONE":
      return 'Set the option version to one such as "2025-03-12", or format to "csv" or "gzip"; set no Accept header';
    case "invalid_client":
      return "Check client id and secret: they may have expired or belong to another host";
    case "access_denied":
      return "A service account has 100 live access tokens at most: share them by a tokenStore";
  }
  if (status === 429 || code.includes("RATE_LIMITED")) {
    const seconds = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "");
    const share = url.includes("/oauth/") ? ", and share tokens by a tokenStore" : "";
    return `Call again in ${seconds ? `${seconds} s` : "a minute"}${share}`;
  }
  return status === 401 && !headers.has("x-error-code")
    ? hintOfChallenge(headers.get("www-authenticate"), url)
    : undefined;
}

function hintOfChallenge(challenge: string | null, url: string): string | undefined {
  if (challenge === null || /^bearer\b/i.test(challenge)) {
    return "If you sent an access token, it may have ended: they live an hour";
  }
  if (/\bdigest\b/i.test(challenge)) {
    if (/\bstale *= *"?true/i.test(challenge)) {
      return "Call again: the server refused its own nonces, not the credentials";
    }
    const host = url && ` and that they belong to ${new URL(url).host}`;
    return `Check the credentials (user name and password; of Atlas the keys or the access token)${host}: nobody was signed in`;
  }
  return /\bbasic\b/i.test(challenge)
    ? "This server takes Basic authentication only: use plain fetch with an Authorization header"
    : undefined;
}
