import { hideExchange } from "./connection.ts";

/** A function with the shape of the global `fetch`, without Bun's `preconnect`. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

type Stream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** The arguments of a fetch as an init, with the runtime's extras such as `dispatcher`. */
export interface Call extends Omit<RequestInit, "body"> {
  url: URL;
  method: string;
  headers: Headers;
  body: string | Blob | Uint8Array<ArrayBuffer> | Stream | null;
  signal: AbortSignal | null;
  redirect: NonNullable<RequestInit["redirect"]>;
  duplex: "half";
  /** Whether fetch got it, not only a question before it. */
  isSent: boolean;
}

/** Sends a call: what each layer is to the one around it. */
export type Send = (call: Call) => Promise<Response>;

// As at import, since tests may replace them. Jest's jsdom has no setImmediate.
const runtimeFetch = globalThis.fetch;
const nextTurn = globalThis.setImmediate ?? globalThis.setTimeout;

/** The outermost layer: it reads the arguments, and throws the reason of an aborted signal. */
export function door(send: Send, resolve: (path: unknown) => string = String): Fetch {
  return async function fetch(input, init) {
    init ??= {}; // fetch takes null too
    const request = isRequest(input) ? input : undefined;
    const url = request?.url ?? Object(input).href ?? resolve(input); // a URL of any realm has href
    const call: Call = {
      ...init,
      url: parseUrl(url),
      method: sentMethod(init.method ?? request?.method ?? "GET"),
      headers: parseHeaders(init.headers ?? request?.headers),
      body: null,
      signal: (init.signal === undefined ? request?.signal : init.signal) ?? null,
      redirect: init.redirect ?? request?.redirect ?? "follow",
      duplex: "half",
      isSent: false,
    };
    const body = init.body ?? (request?.body ? request : null);
    if (body !== null && isGetOrHead(call.method)) { // Bun would send it
      throw new TypeError(`Cannot send a body with ${call.method}: use POST or the query`);
    }
    try {
      throwIfAborted(call.signal);
      if (body !== null) call.body = await readBody(body, call);
      return await send(call);
    } catch (error) {
      if (call.signal?.aborted) cancel(body);
      throwIfAborted(call.signal);
      hideExchange(error);
      throw error;
    }
  };
}

/** The innermost layer. */
export function wire(fetch: Fetch | undefined): Send {
  const isFetch = fetch === undefined || typeof fetch === "function";
  if (!isFetch) throw new TypeError("Cannot use the option fetch: it is no function");
  return function sendRequest(call) {
    const send = fetch ?? globalThis.fetch;
    call.isSent = true;
    // Another than the runtime's may keep or change what it gets.
    return send(call.url.href, send === runtimeFetch ? call : copy(call));
  };
}

export function copy(call: Call): Call {
  const { headers, body } = call;
  return { ...call, headers: new Headers(headers), body: body instanceof Uint8Array ? body.slice() : body };
}

export function dropHeaders({ headers }: Call, names: RegExp): void {
  for (const name of [...headers.keys()]) if (names.test(name)) headers.delete(name);
}

/** Throws for an `Authorization` header of the caller's. */
export function unsigned(call: Call): Call {
  if (!call.headers.has("authorization")) return call;
  throw new TypeError("Cannot send your own Authorization header. Remove it, or use plain fetch");
}

function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "url" in input;
}

/** A URL without fragment, and without a bare `?`, which Node 20 would not send. */
export function parseUrl(input: string, base?: URL): URL {
  let url: URL | undefined;
  try {
    url = new URL(input, base);
  } catch {
    // Node's error shows the input, which may hold a password.
  }
  const isHttp = url?.protocol === "https:" || url?.protocol === "http:";
  if (!url || !isHttp || url.username || url.password) {
    throw new TypeError("Cannot fetch: give an absolute HTTP URL without user name and password");
  }
  if (url.href.includes("#")) url.hash = "";
  const hasBareQuestionMark = url.href.endsWith("?") && !url.search;
  if (hasBareQuestionMark) url.search = "";
  return url;
}

/** A Request tells: Bun alone sends `patch` as PATCH. */
function sentMethod(method: string): string {
  const isStandard = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method);
  return isStandard ? method : new Request("http://localhost", { method }).method;
}

function parseHeaders(init: RequestInit["headers"]): Headers {
  try {
    return new Headers(init);
  } catch {
    // Its error shows the value, which may be a secret.
    throw new TypeError("Cannot send the headers: a name or a value in them is not valid");
  }
}

async function readBody(
  body: NonNullable<RequestInit["body"]> | Request,
  { headers, signal }: Call,
): Promise<Call["body"]> {
  if (isStream(body) && Object(body).locked) throw new TypeError("Cannot send the stream: it is locked or used");
  if (typeof body === "string" || body instanceof Blob || isStream(body)) return body;
  const prototype: unknown = Object.getPrototypeOf(body);
  const isPlainObject = !prototype || !Object.getPrototypeOf(prototype); // of any realm
  if (isPlainObject || Array.isArray(body)) {
    throw new TypeError("Cannot send an object as body: use JSON.stringify");
  }
  const serialised = isRequest(body) ? body : new Response(body); // once, since FormData gets another boundary each time
  const type = isRequest(body) ? null : serialised.headers.get("content-type"); // first, or Bun forgets it
  if (type && !headers.has("content-type")) headers.set("content-type", type);
  return new Uint8Array(await unlessAborted(serialised.arrayBuffer(), signal));
}

/** Can be sent once. */
export function isStream(body: unknown): body is Stream {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** As fetch does with a stream that will not be sent. */
export function cancel(body: unknown): void {
  if (isStream(body) && "cancel" in body && !body.locked) body.cancel().catch(() => {});
}

export function isGetOrHead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Reads to the end: Node reuses the connection one turn later, but closes it if the body is cancelled. */
export async function discard({ body }: Response, { signal }: Call): Promise<void> {
  await unlessAborted(drain(body).then(() => new Promise<void>((resolve) => void nextTurn(resolve))), signal);
}

async function drain(body: Response["body"]): Promise<void> {
  const MAX_LENGTH = 64 * 1024; // bytes
  const PATIENCE = 1000; // ms; a body may never end
  if (!body?.getReader || body.locked) return; // it is node-fetch's, or a caller's fetch has read it
  const reader = body.getReader();
  const read = async () => {
    // The first `for await` over a stream costs Node 5 ms.
    for (let left = MAX_LENGTH, chunk; left >= 0 && !(chunk = await reader.read()).done;) left -= chunk.value.length;
  };
  await unlessAborted(read(), AbortSignal.timeout(PATIENCE)).catch(() => {});
  reader.cancel().catch(() => {});
}

/** What a promise gives, if the signal is not aborted first. */
export async function unlessAborted<T>(promise: T | Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (!signal) return await promise;
  return await new Promise((resolve, reject) => {
    const abort = () => reject(reasonOf(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    Promise.resolve(promise).then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Polyfills have neither such a method nor a reason. */
export function throwIfAborted(signal?: AbortSignal | null): void {
  if (signal?.aborted) throw reasonOf(signal);
}

function reasonOf({ reason }: AbortSignal): unknown {
  return reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
}
