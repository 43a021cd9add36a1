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
  status: number;
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
  constructor(response: Response, facts: AtlasErrorFacts, place: string = pathOf(response)) {
    super(messageOf(response, facts, place));
    this.status = response.status;
    for (const [name, value] of Object.entries(facts)) {
      if (value !== undefined) Object.assign(this, { [name]: value });
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
  const facts = factsOf(await readText(response), response.headers);
  return new AtlasError(response, { ...facts, hint: hintOf(response, facts) }, place);
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

function pathOf({ url }: Response): string {
  return url === "" ? "" : new URL(url).pathname;
}

function messageOf({ status, statusText }: Response, facts: AtlasErrorFacts, place: string): string {
  const fields = facts.fields?.map(({ field, description }) => `${field}: ${description}`)
    .filter((text) => text !== ": ").join("; ");
  const said = [facts.detail ?? facts.reason, fields, facts.hint]
    .flatMap((text) => text ? cut(text, LONGEST_DETAIL).replace(/\.\s*$/, "") : []);
  const head = [status, cut(facts.code ?? statusText, 100), place && `at ${place}`].filter(Boolean).join(" ");
  const message = said.length === 0 ? head : `${head}: ${said.join(". ")}`;
  return masked(message).replace(/[\s\p{Cc}\p{Cf}]+/gu, " ");
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** Servers and proxies may quote the Authorization header that they refuse. */
function masked(text: string): string {
  return text.replace(QUOTED_DIGEST, "$1 ***").replace(
    QUOTED_TOKEN,
    (all, scheme: string, words: string, token: string) => {
      // `Basic auth`, `Bearer token expired` are words, `Bearer token_1` and `Bearer token SECRET` are not.
      const isWord = words
        ? !/[A-Z\d=]/.test(token)
        : /^(auth|authentication|authorization|tokens?|realm)$/i.test(token);
      return isWord ? all : `${scheme} ***`;
    },
  );
}

// What may stand between a scheme and its credentials, escaped or quoted as it may be. Bounded, since Bun is slow at it.
const BETWEEN = String.raw`(?:[\s\p{Cc}\p{Cf}:="'<+]|\\[^]|%20|&\w{1,9};){1,999}`;
const QUOTED_TOKEN = new RegExp(
  String.raw`\b(basic|bearer)${BETWEEN}((?:(?:auth\w*|tokens?|realm)${BETWEEN})?)([\w.~+/=-]+)`,
  "giu",
);
const QUOTED_DIGEST = new RegExp(String.raw`\b(digest),?${BETWEEN}[\w*-]+\s*=[^]*`, "giu");

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
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function stringMember(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name);
  return typeof member === "string" && member !== "" ? member : undefined;
}

function factsOf(text: string, headers: Headers): AtlasErrorFacts {
  const body = parseJson(text, (_name, value) => typeof value === "string" ? masked(value) : value);
  const oauth = stringMember(body, "error"); // Atlas has the status there, a number
  const parameters = memberOf(body, "parameters");
  const fields = memberOf(memberOf(body, "badRequestDetail"), "fields");
  return {
    code: stringMember(body, "errorCode") ?? oauth ?? (masked(headers.get("x-error-code") ?? "") || undefined),
    detail: stringMember(body, "detail") ?? stringMember(body, "error_description") ?? plainText(text, body),
    reason: stringMember(body, "reason"),
    parameters: Array.isArray(parameters) ? parameters : undefined,
    fields: Array.isArray(fields)
      ? fields.map((item: unknown) => ({
        field: stringMember(item, "field") ?? "",
        description: stringMember(item, "description") ?? "",
      }))
      : undefined,
  };
}

/** What a body says that is not JSON: a proxy's text, or the title of a page. */
function plainText(text: string, body: unknown): string | undefined {
  if (body !== undefined && typeof body !== "string") return undefined;
  // Bounded, or a page of nothing but "<title" would take quadratic time.
  const title = /<title[^>]{0,99}>([^<]{1,499})/i.exec(text)?.[1];
  if (title === undefined && /^\s*</.test(text)) return undefined;
  return masked(title ?? body ?? text).trim().slice(0, LONGEST_DETAIL) || undefined;
}

const HINTS: Readonly<Record<string, string>> = {
  USER_UNAUTHORIZED: "The credentials are right, but a role is missing: grant it to this API key or service account",
  ORG_REQUIRES_ACCESS_LIST:
    "The organization requires an IP access list: add your address to the access list of this API key",
  RESOURCE_REQUIRES_ACCESS_LIST:
    "This resource requires an IP access list: add your address to the access list of this API key",
  INVALID_VERSION_DATE:
    'Ask for a version such as "2025-03-12" with the option version, and remove an Accept header of your own',
  VERSION_GONE: 'This version of the resource was removed: set the option version to a newer one, such as "2025-03-12"',
  invalid_client: "Check the client id and secret: the secret may have expired, or belong to another host",
};

// Bounded, or a text of nothing but `a` would take quadratic time.
const IP = /(\d{1,3}\.){3}\d{1,3}|([\da-f]{0,4}:){2,7}[\da-f]{0,4}(\.\d{1,3}){0,3}/i;

function hintOf(response: Response, { code = "", detail = "", parameters = [] }: AtlasErrorFacts): string | undefined {
  const { status, headers, url } = response;
  if (code === "IP_ADDRESS_NOT_ON_ACCESS_LIST") {
    const address = [...parameters, detail].map((text) => typeof text === "string" && IP.exec(text)?.[0]).find(Boolean);
    return `Add ${address || "your address"} to the access list of this API key`;
  }
  if (status === 429 || code.startsWith("RATE_LIMITED")) {
    const wait = headers.get("retry-after");
    const share = pathOf(response).includes("/oauth/") ? ", and share tokens between processes with a tokenStore" : "";
    return `Wait ${/^\d{1,9}$/.test(wait ?? "") ? `${wait} s` : "a minute"} before the next call${share}`;
  }
  if (status === 401 && code !== "USER_UNAUTHORIZED" && /digest/i.test(headers.get("www-authenticate") ?? "")) {
    const host = url && ` and that they belong to ${new URL(url).host}`;
    return `Check the public and the private key${host}: nobody was signed in`;
  }
  return Object.hasOwn(HINTS, code) ? HINTS[code] : undefined;
}
