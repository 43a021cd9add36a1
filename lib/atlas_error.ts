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

const LONGEST_BODY = 256 * 1024; // bytes
const LONGEST_DETAIL = 500; // characters

/**
 * A call that the server refused, with what it said and what to do about it.
 *
 * The message is one line: status, code, path, detail, fields, hint. What looks like credentials in the server's words
 * is masked. Properties that the server did not fill are absent.
 */
export class AtlasError extends Error {
  static {
    this.prototype.name = "AtlasError";
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
   * @param place Where it was asked for
   * @default {the path of the response's URL}
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
 * ```ts no-eval
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
  const text = await readText(response);
  const json = parseJson(text, (_name, value) => typeof value === "string" ? masked(value) : value);
  const said = json === undefined ? text : json;
  const body = typeof said === "string" ? { detail: plainText(said) } : said;
  const code = textOf(body, "errorCode") || textOf(body, "error") || masked(response.headers.get("x-error-code") ?? "");
  const detail = textOf(body, "detail") || textOf(body, "error_description");
  const parameters = listOf(body, "parameters");
  const facts = {
    code,
    detail,
    reason: textOf(body, "reason"),
    parameters,
    fields: listOf(memberOf(body, "badRequestDetail"), "fields")
      ?.map((item) => ({ field: textOf(item, "field"), description: textOf(item, "description") })),
    hint: hintOf(response, code, [...parameters ?? [], detail]),
  };
  return new AtlasError(response, facts, place);
}

/** Of a page its title, else what stands before the first tag. */
function plainText(text: string): string {
  const words = /(?:<title[^<>]*>|^)\s*([^\s<][^<]*)/i.exec(text)?.[1] ?? "";
  return masked(words).slice(0, LONGEST_DETAIL).trim();
}

/** At most 256 KiB of a body as text, or what came of it before it broke off. */
export async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let left = LONGEST_BODY;
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk.subarray(0, left), { stream: true });
      if ((left -= chunk.length) < 0) break; // which cancels
    }
  } catch {
    // What it says so far, and the headers, are better than an error about an error.
  }
  return text + decoder.decode();
}

function messageOf(
  { status, statusText }: Response,
  { code, detail, reason, fields, hint }: AtlasErrorFacts,
  place: string,
): string {
  // A cluster may be called `basic-1`: in a path only a blank or its like makes a scheme of the word.
  const path = place.replace(/[^/]+/g, (part) => /(basic|bearer|digest)[\s%]/i.test(part) ? masked(part) : part);
  const head = [status, sentence(code || statusText), path && `at ${path}`].filter(Boolean).join(" ");
  const wrong = fields?.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const said = [detail || reason, wrong, hint].map(sentence).filter(Boolean).join(". ");
  return (said ? `${head}: ${said}` : head).replace(/[\s\p{C}]+/gu, " ");
}

function sentence(text = ""): string {
  return masked(text).slice(0, LONGEST_DETAIL).replace(/\.?\s*$/, "");
}

const SCHEME = /(basic|bearer|digest)\W+\b/gi;
/** What may follow a scheme and be no credentials: `authentication is required`, `token expired`. */
const WORDS = /^([aA]uth(entication|orization)?|[tT]okens?|of|tier)(?!\S?\w|[^]{0,9}(\S{13}|\S*(\d|=|\w[A-Z])))/;

/**
 * Servers and proxies may quote the Authorization header that they refuse, escaped and spaced in any way: so all that
 * follows a scheme goes, unless it is words. Linear in time, however the text is made.
 */
function masked(text: string): string {
  text = text.replace(/\b(eyJ|mdb_sa_sk_)[\w.-]+/g, "***"); // a JWT, a client secret
  for (const { 0: { length }, 1: scheme, index } of text.matchAll(SCHEME)) {
    if (!WORDS.test(text.slice(index + length))) return `${text.slice(0, index)}${scheme} ***`;
  }
  return text;
}

/** The value of a text that may be JSON, undefined if it is not. */
export function parseJson(text: string | undefined, reviver?: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text ?? "", reviver);
  } catch {
    return undefined;
  }
}

/** A member of what may be an object. */
export function memberOf(value: unknown, name: string): unknown {
  return Object(value)[name];
}

/** A member that is a list. */
export function listOf(value: unknown, name: string): unknown[] | undefined {
  const member = memberOf(value, name);
  return Array.isArray(member) ? member : undefined;
}

/** A member that is text, else "". */
export function textOf(value: unknown, name: string): string {
  const member = memberOf(value, name);
  return typeof member === "string" ? member : "";
}

const ADDRESS = /(\d{1,3}\.){3}\d{1,3}|[\da-f]{0,4}:(:|([\da-f]{0,4}:){2})[\da-f:.]{0,40}(?<!\.)/i;

function hintOf({ status, url, headers }: Response, code: string, said: unknown[]): string | undefined {
  if (/(ON|REQUIRES)_ACCESS_LIST$/.test(code)) {
    const addresses = said.map((text) => typeof text === "string" && ADDRESS.exec(text)?.[0]);
    return `Add ${addresses.find(Boolean) || "your address"} to the access list of this API key`;
  }
  switch (code) {
    case "USER_UNAUTHORIZED":
      return "Signed in, but a role is missing: grant it to this API key or service account";
    case "INVALID_VERSION_DATE":
    case "VERSION_GONE":
      return 'Set the option version to one such as "2025-03-12", and no Accept header';
    case "invalid_client":
      return "Check client id and secret: they may have expired or belong to another host";
  }
  if (status === 429 || code.startsWith("RATE_LIMITED")) {
    const wait = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "");
    const share = url.includes("/oauth/") ? ", and share tokens by a tokenStore" : "";
    return `Call again in ${wait ? `${wait} s` : "a minute"}${share}`;
  }
  if (status === 401 && /digest/i.test(headers.get("www-authenticate") ?? "")) {
    const host = url && ` and that they belong to ${new URL(url).host}`;
    return `Check the public and the private key${host}: nobody was signed in`;
  }
  return undefined;
}
