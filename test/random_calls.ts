/**
 * Random calls by plain fetch and by the layers around it, on servers that want no authentication: the same must arrive,
 * and the same come back. The judge is the runtime's own fetch.
 */
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { buffer } from "node:stream/consumers";
import { createBearerFetch } from "../lib/bearer_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/mod.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { createRandom } from "./random.ts";
import { serving } from "./serving.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "get", "QUERY"];
const STATUSES = [200, 200, 204, 300, 404, 429, 500];
const HOPS = [0, 0, 1, 1, 2, 3, 20, 21];
const HOP_STATUSES = [301, 302, 303, 307, 308];
const OWN_PLACES = ["path", "relative", "fragment", "query", "question", "back"];
if (!("Deno" in globalThis)) OWN_PLACES.push("utf-8"); // which Deno reads as Latin-1, against the standard
/** Not in the longest chains: from another origin on, the runtime counts its 20 redirects anew. */
const PLACES = [...OWN_PLACES, "other"];
const ENDS = ["", "", "?", "#f", "?#f", "&q=why?"];

/** Made anew for each call, since a body can be used up. */
const BODIES: Record<string, () => RequestInit["body"]> = {
  none: () => null,
  empty: () => "",
  text: () => "hé",
  blob: () => new Blob(["b"], { type: "text/b" }),
  untyped: () => new Blob(["b"]),
  query: () => new URLSearchParams("a=ü"),
  form() {
    const form = new FormData();
    form.set("a", "b");
    form.set("file", new Blob(["zz"], { type: "x/y" }), "n.txt");
    return form;
  },
};
const HEADERS: Record<string, () => NonNullable<RequestInit["headers"]>> = {
  none: () => ({}),
  record: () => ({ "X-H": "1", "content-type": "a/b" }),
  pairs: () => [["x-h", "1"], ["X-H", "2"]],
  headers: () => new Headers({ cookie: "c=d", "x-h": "é" }),
  content: () => ({ "content-language": "de", cookie: "a=b", accept: "q/w" }),
  conditions: () => ({ range: "bytes=0-", "if-match": "e" }),
};
const REDIRECTS = ["follow", "follow", "follow", "manual", "error"] as const;
const INPUTS = ["text", "text", "URL", "Request", "Request and init"];

/** Answers as the query says: `hop=307+other` leads on, with the rest of the hops; then comes `status`. */
function createListener(hosts: { first: string; other: string }, seen: unknown[]): RequestListener {
  return async (request, response) => {
    const { connection: _1, authorization: _2, "accept-encoding": _3, "user-agent": _4, ...headers } = request.headers;
    let body = (await buffer(request)).toString("latin1");
    const [, boundary] = /^--(\S+)\r\n/.exec(body) ?? [];
    if (boundary !== undefined) {
      // Chosen at random; over a redirect undici makes another one, but leaves the Content-Type as it was.
      body = body.replaceAll(boundary, "boundary");
      headers["content-type"] = headers["content-type"]?.replace(/(?<=boundary=).*/, "boundary");
      delete headers["content-length"];
    }
    seen.push([request.method, request.url, headers, body]);
    const query = new URL(request.url ?? "", "http://any").searchParams;
    const [hop, ...hops] = query.getAll("hop");
    if (hop === undefined) {
      return void response.writeHead(parseInt(query.get("status") ?? ""), { "x-end": "1" }).end("end");
    }
    query.delete("hop");
    for (const next of hops) query.append("hop", next);
    const [status, place = ""] = hop.split(" ");
    const location = {
      path: `/p?${query}`,
      relative: `sub/../z?${query}`,
      fragment: `/q?${query}#fragment`,
      query: `?${query}`,
      question: `/r?${query}&why=?`,
      other: `${hosts.other}/o?${query}`,
      back: `${hosts.first.replace("http:", "")}/b?${query}`,
      "utf-8": `${Buffer.from("/ü").toString("latin1")}?${query}`,
    }[place];
    response.writeHead(Number(status), { location: String(location) }).end("moved");
  };
}

/** What a call brought, but for the words of an error. */
async function outcomeOf(call: Promise<Response>): Promise<unknown> {
  try {
    const response = await call;
    const { status, ok, redirected, url, headers, bodyUsed } = response;
    const named = ["x-end", "location", "content-type"].map((name) => headers.get(name));
    return [status, ok, redirected, url, named, bodyUsed, await response.text()];
  } catch (error) {
    return error instanceof Error ? error.name : error;
  }
}

/** Asserts that each layer does what fetch does, in so many calls; the same for the same seed. */
export async function assertSameAsFetch(calls: number, seed: number): Promise<void> {
  const random = createRandom(seed);
  function pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(random() * list.length)];
    assert.ok(item !== undefined);
    return item;
  }
  const layers: Record<string, Fetch> = {
    createDigestFetch: createDigestFetch({ username: "ada", password: "lovelace" }),
    createBearerFetch: createBearerFetch({ token: () => Promise.resolve("t0ken") }),
    createRetryFetch: createRetryFetch({ limit: 0 }),
  };
  const seen: unknown[] = [];
  const hosts = { first: "", other: "" };
  const listener = createListener(hosts, seen);
  await serving(listener, (other) =>
    serving(listener, async (first) => {
      Object.assign(hosts, { first, other });
      for (let index = 0; index < calls; index++) {
        const method = pick(METHODS);
        const body = pick(Object.keys(BODIES));
        const headers = pick(Object.keys(HEADERS));
        const redirect = pick(REDIRECTS);
        const input = pick(INPUTS);
        const length = pick(HOPS);
        const places = length > 3 ? OWN_PLACES : PLACES;
        const hops = Array.from({ length }, () => `hop=${pick(HOP_STATUSES)}+${pick(places)}`);
        const url = `${first}/x/y?${[...hops, `status=${pick(STATUSES)}`].join("&")}${pick(ENDS)}`;
        const ask = async (fetch: Fetch) => {
          seen.length = 0;
          const init: RequestInit = { method, body: BODIES[body]?.() ?? null, redirect };
          const own = HEADERS[headers]?.();
          if (own) init.headers = own;
          const call = async () => {
            if (input === "text") return await fetch(url, init);
            if (input === "URL") return await fetch(new URL(url), init);
            const request = new Request(url, init);
            return await (input === "Request" ? fetch(request) : fetch(request, { headers: { "x-over": "1" } }));
          };
          return { outcome: await outcomeOf(call()), seen: [...seen] };
        };
        const expected = await ask(fetch);
        for (const [name, layer] of Object.entries(layers)) {
          const what = `${name}: call ${index}, ${method} ${url}, ${body}, ${headers}, ${redirect}, ${input}`;
          assert.deepEqual(await ask(layer), expected, what);
        }
      }
    }));
}
