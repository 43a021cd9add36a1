import { refusal } from "./refusal.ts";

/** A function with the shape of the global `fetch`. Never `typeof fetch`: Bun's demands `preconnect`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A body that can be sent again. */
type Replayable = string | Uint8Array<ArrayBuffer> | Blob;
/** A body that cannot: a `ReadableStream`, or what Node and Deno take for one. */
type Stream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * One request, normalised once at the outermost door: the caller's init with its runtime extras (`dispatcher`,
 * `client`, `proxy`), and what is known for certain. It is itself an init. A layer that is handed a call owns its
 * headers, and makes a `copy` of what it sends a second time.
 */
export interface Call extends Omit<RequestInit, "body"> {
  /** Without fragment and without a bare `?`, which Node 20 and 22 would not send. */
  url: URL;
  /** As it is sent. */
  method: string;
  headers: Headers;
  body: Replayable | Stream | null;
  signal: AbortSignal | null;
  redirect: NonNullable<RequestInit["redirect"]>;
  /** What a stream needs on Node; nothing else minds. */
  duplex: "half";
}

const nextTurn = globalThis.setImmediate; // not the one of a test's faked clock

type Send = (call: Call) => Promise<Response>;
const layers = new WeakMap<Fetch, Send>();

/**
 * Makes a fetch of what sends a call. Another layer hands it the call itself, so that nothing is read twice.
 *
 * @param signs Whether it sets `Authorization`, so that one of the caller's is refused
 */
export function layer(signs: boolean, send: Send): Fetch {
  const checked: Send = (call) => {
    if (!signs || !call.headers.has("authorization")) return send(call);
    throw refusal("Cannot send your own Authorization header. Remove it, or use plain fetch");
  };
  const fetch: Fetch = (input, init) => toCall(input, init).then(checked);
  layers.set(fetch, checked);
  return fetch;
}

/** The same call with headers of its own, and with changes. */
export function copy(call: Call, changes?: Partial<Call>): Call {
  return { ...call, headers: new Headers(call.headers), ...changes };
}

/**
 * Reads the arguments of a fetch. Nothing of the caller's is changed, but a Request's body is used up as by fetch.
 *
 * @throws {TypeError} as fetch does; on every runtime for a GET or HEAD with a body and for credentials in the URL,
 * which Bun would send; and for a plain object as body, of which fetch would send the name
 */
export async function toCall(input: string | URL | Request, init?: RequestInit): Promise<Call> {
  init ??= {}; // fetch takes null too
  const request = typeof input === "object" && "url" in input ? input : undefined;
  const url = parseUrl(request?.url ?? String(input));
  const method = sentMethod(init.method ?? request?.method ?? "GET");
  const headers = parseHeaders(init.headers ?? request?.headers);
  const signal = (init.signal === undefined ? request?.signal : init.signal) ?? null;
  const given = init.body ?? request?.body ?? null;
  if (given !== null && isSafe(method)) {
    throw refusal(`Cannot send a body with ${method}: use POST or the query`);
  }
  // Node would check that of a 401 or a redirect too.
  if (init.integrity || request?.integrity) throw refusal("Cannot check integrity: hash the body yourself");
  signal?.throwIfAborted();
  const call: Call = {
    ...init,
    url,
    method,
    headers,
    body: null,
    signal,
    redirect: init.redirect ?? request?.redirect ?? "follow",
    duplex: "half",
  };
  if (given !== null) {
    call.body = request && !init.body
      ? toReplay(await unlessAborted(request.arrayBuffer(), signal))
      : await replayable(given, headers);
  }
  return call;
}

function parseHeaders(init: RequestInit["headers"]): Headers {
  try {
    return new Headers(init);
  } catch {
    // Its error shows the value, which may be a secret.
    throw refusal("Cannot send the headers: a name or a value in them is not valid");
  }
}

/** A URL without what is not sent, for as long as it names no credentials. */
export function parseUrl(input: string, base?: URL): URL {
  let url: URL | undefined;
  try {
    url = new URL(input, base);
  } catch {
    // Node's error shows the input, which may hold a password.
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw refusal("Cannot fetch: it takes an absolute HTTP URL without user name and password");
  }
  // Setting costs as much as parsing.
  if (url.href.includes("#")) url.hash = "";
  if (url.href.endsWith("?")) url.search ||= "";
  return url;
}

/** Bun sends `patch` as PATCH where others send it as it is: a Request tells, and refuses CONNECT and the like. */
function sentMethod(method: string): string {
  const isStandard = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method);
  return isStandard ? method : new Request("http://localhost", { method }).method;
}

/** Bytes in place of what the caller could change, or what fetch would serialise with another boundary each time. */
async function replayable(body: NonNullable<RequestInit["body"]>, headers: Headers): Promise<Call["body"]> {
  if (body instanceof ReadableStream && body.locked) throw refusal("Cannot send the stream: it is locked or used");
  if (typeof body === "string" || body instanceof Blob || isStream(body)) return body;
  if (/^\[object (Object|Array)]$/.test({}.toString.call(body))) {
    throw refusal("Cannot send an object as body: use JSON.stringify");
  }
  const serialised = new Response(body);
  const type = serialised.headers.get("content-type"); // before the body is read, or Bun forgets it
  if (type && !headers.has("content-type")) headers.set("content-type", type);
  return toReplay(await serialised.arrayBuffer());
}

/** Node 20 and 22 cannot follow a 307 with an array, whose bytes they give away; Deno sends an empty Blob in chunks. */
function toReplay(bytes: ArrayBuffer): Replayable {
  return bytes.byteLength ? new Blob([bytes]) : new Uint8Array();
}

/** Whether a body can be sent once only. */
export function isStream(body: unknown): body is Stream {
  return Symbol.asyncIterator in Object(body);
}

/** Sends a call by a layer, or by a fetch that is not ours; if there is none, by the global one of this moment. */
export function transmit(send: Fetch = fetch, call: Call): Promise<Response> {
  return layers.get(send)?.(call) ?? send(call.url.href, { ...call }); // it may change its init
}

/**
 * Ends a response that nobody will see, so that its connection can be used again.
 *
 * Node gives the socket back one turn of the event loop after the body was read to its end; cancelling closes it.
 *
 * @throws the signal's reason if the call was aborted meanwhile
 */
export async function discard({ body }: Response, { signal }: Call): Promise<void> {
  await unlessAborted(drain(body), signal);
  await new Promise(nextTurn); // setTimeout takes a millisecond
  signal?.throwIfAborted();
}

async function drain(body: Response["body"]): Promise<void> {
  const LONGEST_DISCARD = 64 * 1024; // bytes
  const DISCARD_PATIENCE = 1000; // ms; a body may never end
  if (!body || body.locked) return; // a caller's fetch may have read it
  const reader = body.getReader();
  const read = async () => {
    let left = LONGEST_DISCARD;
    // The first `for await` over a stream costs Node 5 ms.
    for (let chunk; left >= 0 && !(chunk = await reader.read()).done;) left -= chunk.value.length;
  };
  // A body that breaks off was not wanted anyway.
  await unlessAborted(read(), AbortSignal.timeout(DISCARD_PATIENCE)).catch(() => {});
  reader.cancel().catch(() => {}); // nothing, at the end
}

/** The promise, or the signal's reason if that comes first; the promise goes on for others. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Whether a method changes nothing, and has no body (RFC 9110 section 9.2.1). */
export function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Whether a value is a token that a header can hold (RFC 6750 section 2.1). */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}
