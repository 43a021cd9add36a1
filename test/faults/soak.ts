/** Many calls of every kind at once against a ledger, and what became of each. */
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { AtlasError, createAtlasFetch, ensureOk, paginate } from "../../mod.ts";
import type { ApiKey, AtlasFetch, AtlasRequestInit, ServiceAccount } from "../../mod.ts";
import { DOWNLOAD, PAGES, PER_PAGE } from "./ledger_server.ts";

export interface Outcome {
  call: string;
  kind: Kind;
  /** Lost: it brought what it should not, or ended in an error of no kind that is promised. */
  end: "succeeded" | "typed error" | "lost";
  /** The error with all that hangs on it, hidden or not. */
  error?: string;
}

export interface SoakOptions {
  url: string;
  key: ApiKey;
  account: ServiceAccount;
  accessToken: string;
  /** What every call is given that has no time limit of its own. */
  signal: AbortSignal;
  /** Of a call with a limit, in ms. */
  limit: number;
  /** What POSTs are given besides. */
  ofPosts: RequestInit;
}

/** As often as they stand here, in this order. */
const MIX = [
  "get",
  "post",
  "pages",
  "get",
  "large post",
  "download",
  "get",
  "post",
  "get",
  "stream",
  "post",
  "redirected post",
  "pages",
  "get",
  "post",
  "download",
  "redirected elsewhere",
  "get",
  "post",
] as const;
export type Kind = typeof MIX[number];

export const isPost = (kind: Kind): boolean => /post|stream/.test(kind);

/** Gives a function that makes the call of a number; it never rejects. */
export function createSoak(options: SoakOptions): (number: number) => Promise<Outcome> {
  const { url, key, account, accessToken, signal, limit, ofPosts } = options;
  const retry = { maxDelay: 100 };
  const clients = [{ credentials: key }, { credentials: account }, { credentials: { accessToken } }]
    .map((who) => createAtlasFetch({ ...who, baseUrl: url, retry }));

  return async (number) => {
    const kind = MIX[number % MIX.length] ?? "get";
    const client = clients[number % clients.length];
    if (!client) throw new Error("There is no client");
    const call = `c${number}`;
    const own = number % 2 ? new AbortController() : undefined;
    const timer = own && setTimeout(() => own.abort(new DOMException("The call took too long", "TimeoutError")), limit);
    try {
      const init = { ...(isPost(kind) && ofPosts), headers: { "x-call": call }, signal: own?.signal ?? signal };
      const isRight = await make(kind, client, call, init);
      return isRight
        ? { call, kind, end: "succeeded" }
        : { call, kind, end: "lost", error: "It brought something else" };
    } catch (error) {
      const isTyped = error instanceof AtlasError || error instanceof TypeError ||
        (error instanceof DOMException && error.name === "TimeoutError");
      return { call, kind, end: isTyped ? "typed error" : "lost", error: shown(error) };
    } finally {
      clearTimeout(timer);
    }
  };
}

function shown(error: unknown): string {
  return inspect(error, { showHidden: true, depth: 10, maxStringLength: null });
}

interface CallInit extends AtlasRequestInit {
  headers: Record<string, string>;
}

/** Makes a call, and says whether it brought what it should. */
async function make(kind: Kind, fetch: AtlasFetch, call: string, init: CallInit): Promise<boolean> {
  switch (kind) {
    case "get":
      return await named(fetch(`/echo/${call}`, init)) === call;
    case "post":
      return await named(fetch("/things", posted(init, JSON.stringify({ call })))) === call;
    case "large post":
      return await named(fetch("/things", posted(init, call.padEnd(40_000, ".")))) === call;
    case "redirected post":
      return await named(fetch("/moved", posted(init, JSON.stringify({ call })))) === call;
    case "stream": {
      const parts = [call, "-".repeat(1000), call];
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(part));
        },
      });
      return await named(fetch("/things", { ...posted(init, parts.join("")), body, duplex: "half" })) === call;
    }
    case "pages": {
      const numbers = [];
      for await (const item of paginate<{ number: number }>(fetch, "/list", init)) numbers.push(item.number);
      return numbers.length === PAGES * PER_PAGE && numbers.every((number, index) => number === index);
    }
    case "download":
      return await (await ensureOk(fetch(`/downloads/${call}.gz`, { ...init, format: "gzip" }))).text() === DOWNLOAD;
    case "redirected elsewhere":
      return await named(fetch(`/away/${call}`, init)) === call;
  }
}

/** With a hash of the body, by which the ledger knows half a body from a whole one. */
function posted(init: CallInit, body: string): CallInit {
  const hash = createHash("sha256").update(body).digest("hex");
  return { ...init, method: "POST", body, headers: { ...init.headers, "x-body-hash": hash } };
}

async function named(response: Promise<Response>): Promise<unknown> {
  const value: unknown = await (await ensureOk(response)).json();
  return typeof value === "object" && value !== null && "call" in value ? value.call : undefined;
}
