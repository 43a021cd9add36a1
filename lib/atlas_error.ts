import { listOf, memberOf, parseJson, readText, textOf } from "./json.ts";

/** Properties of an `AtlasError`. */
export type AtlasErrorFacts = {
  [Name in "code" | "detail" | "reason" | "parameters" | "fields" | "hint"]?: AtlasError[Name] | undefined;
};

const MAX_DETAIL = 500; // characters

/** A refusal: its message says in one line why, and what to do about it. Credentials are masked. */
export class AtlasError extends Error {
  /** Of the response. */
  declare status: number;
  /** Atlas's `errorCode`, OAuth's `error` or the header `X-Error-Code`: `IP_ADDRESS_NOT_ON_ACCESS_LIST`. */
  declare code?: string;
  /** In the server's words. */
  declare detail?: string;
  /** The status in words. */
  declare reason?: string;
  /** What the detail was made from. */
  declare parameters?: unknown[];
  /** What is wrong with the body that was sent. */
  declare fields?: { field: string; description: string }[];
  /** What to do about it. */
  declare hint?: string;
  /** Not enumerable, and read. */
  declare response: Response;

  /** Made by `ensureOk` and `paginate`. */
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
    Object.defineProperties(this, { name: { value: "AtlasError" }, response: { value: response } });
  }
}

/**
 * The response if its status is 200 to 299.
 *
 * @param response Of a fetch, awaited or not
 * @throws {AtlasError} for any other, with what the first 256 KiB of the body say
 */
export async function ensureOk(response: Response | Promise<Response>): Promise<Response> {
  const answer = await response;
  if (answer.ok) return answer;
  throw await atlasError(answer);
}

/** Reads the body. */
export async function atlasError(response: Response, place?: string): Promise<AtlasError> {
  const { text } = await readText(response);
  const json = parseJson(text, (_name, value) => typeof value === "string" ? masked(value) : value);
  const said = json === undefined ? text : json;
  const body = typeof said === "string" ? { detail: plainText(said) } : said;
  const code = textOf(body, "errorCode") || textOf(body, "error") || masked(response.headers.get("x-error-code") ?? "");
  return new AtlasError(response, {
    code,
    detail: textOf(body, "detail") || textOf(body, "error_description"),
    reason: textOf(body, "reason"),
    parameters: listOf(body, "parameters"),
    fields: listOf(memberOf(body, "badRequestDetail"), "fields")
      ?.map((item) => ({ field: textOf(item, "field"), description: textOf(item, "description") })),
    hint: hintOf(response, code),
  }, place);
}

/** A page's title, else what stands before the first tag. */
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

function sentence(words = ""): string {
  return inOneLine(masked(words)).slice(0, MAX_DETAIL).replace(/\.?\s*$/, "");
}

export function inOneLine(text: string): string {
  return text.replace(/[\s\p{C}]+/gu, " ").trim();
}

/** Servers may quote what they refuse: after a scheme all goes if it may hold credentials. */
function masked(text: string): string {
  const known = text.replace(/(eyJ|mdb_sa_sk_)[\w.-]+/g, "***");
  const [words = "", scheme] = /^[^]*?(basic|bearer|digest)/i.exec(known) ?? [];
  const mayBeCredentials = scheme !== undefined && /\S{16}|=/.test(known.slice(words.length));
  return mayBeCredentials ? `${words} ***` : known;
}

function hintOf({ status, url, headers }: Response, code: string): string | undefined {
  if (code.endsWith("_ACCESS_LIST")) return "Add your address to the access list of this API key or service account";
  switch (code) {
    case "USER_UNAUTHORIZED":
      return "Signed in, but a role is missing: grant it to this API key or service account";
    case "INVALID_VERSION_DATE":
    case "VERSION_GONE":
      return 'Set the option version to one such as "2025-03-12", or another format, and no Accept header';
    case "invalid_client":
      return "Check client id and secret: they may have expired or belong to another host";
    case "access_denied":
      return "A service account has at most 100 live access tokens: share them by a tokenStore";
  }
  if (status === 429 || code.includes("RATE_LIMITED")) {
    const seconds = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "");
    const share = url.includes("/oauth/") ? ", and share tokens by a tokenStore" : "";
    return `Call again in ${seconds ? `${seconds} s` : "a minute"}${share}`;
  }
  const isSignedIn = status !== 401 || headers.has("x-error-code");
  return isSignedIn ? undefined : signInHint(headers.get("www-authenticate") ?? "", url);
}

function signInHint(challenge: string, url: string): string | undefined {
  if (/\bstale *= *"?true/i.test(challenge)) return "Call again: the server has forgotten its nonce";
  if (/\bdigest\b/i.test(challenge)) {
    const host = url && ` and that they belong to ${new URL(url).host}`;
    return `Check user name and password (of Atlas the public and the private key, or the access token)${host}: ` +
      "nobody was signed in";
  }
  const isOfToken = challenge === "" || /^bearer\b/i.test(challenge); // Atlas sends none then
  if (isOfToken) return "An access token may have ended: they live an hour";
  return /\bbasic\b/i.test(challenge) ? "This server wants Basic, which plain fetch can send" : undefined;
}
