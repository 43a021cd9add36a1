/** Servers that mean no good, in memory, and what may be sent to them whatever they answer. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { Fetch } from "../../mod.ts";
import { readAuthorization } from "./strict_authorization.ts";

/** One request that the server got. */
export interface Sent {
  method: string;
  url: string;
  authorization: string | null;
  headers: Headers;
  body: string;
  /** What it was answered. */
  status: number;
}

const MAX_REQUESTS = 500; // of all tests here; whoever sends more would never end

export interface HostileServer {
  fetch: Fetch;
  sent: Sent[];
}

/** A `fetch` that gives what the server answers to its first, its second, ... request, and keeps a record. */
export function createHostileServer(
  answer: (sent: Sent, number: number) => Response | Promise<Response>,
): HostileServer {
  const sent: Sent[] = [];
  return {
    sent,
    async fetch(input, init) {
      const { signal, ...rest } = init ?? {};
      signal?.throwIfAborted();
      const request = new Request(input, rest);
      const { method, url, headers } = request;
      const authorization = headers.get("authorization");
      const one = { method, url, headers, authorization, body: "", status: 0 };
      const number = sent.push(one);
      if (number > MAX_REQUESTS) throw new Error(`It has sent ${number} requests`);
      one.body = await request.text();
      const response = await answer(one, number);
      one.status = response.status;
      return Object.defineProperty(response, "url", { value: url });
    },
  };
}

export function challenge(params: Readonly<Record<string, string>>, body: ReadableStream | null = null): Response {
  const list = Object.entries({ realm: "Hostile", nonce: "n", qop: "auth", ...params });
  const value = `Digest ${list.map(([name, value]) => `${name}="${value}"`).join(", ")}`;
  return new Response(body, { status: 401, headers: { "www-authenticate": value } });
}

export function redirect(location: string, status = 302): Response {
  return new Response(null, { status, headers: { location } });
}

/**
 * What holds for one call to any server: at most twenty redirects, six requests for one URL and hop, no count twice, no
 * secret in the clear, and at another origin no Authorization at all.
 */
export function assertHarmless(sent: readonly Sent[], origin: string, secrets: readonly string[]): void {
  const counts = new Set<string>();
  let redirects = 0;
  let ofHop = 0;
  for (const { method, url, authorization, headers, body, status } of sent) {
    ofHop++;
    assert.ok(ofHop <= 6, `${ofHop} requests for ${url}`);
    if (status >= 300 && status < 400) {
      ofHop = 0;
      redirects++;
    }
    const fields = [...headers].filter(([name]) => name !== "authorization").map((field) => field.join(": "));
    const shown = [method, url, ...fields, body].join("\n");
    for (const secret of secrets) assert.ok(!shown.includes(secret), `A secret in ${method} ${url}`);
    if (new URL(url).origin !== origin) assert.equal(authorization, null, `Authorization was sent to ${url}`);
    if (!authorization?.startsWith("Digest ")) continue;
    for (const secret of secrets) assert.ok(!authorization.includes(secret), `A secret in ${authorization}`);
    const { nonce, opaque, nc } = readAuthorization(authorization);
    const count = JSON.stringify([nonce, opaque, nc]);
    assert.ok(nc === undefined || !counts.has(count), `The count ${nc} was used twice`);
    counts.add(count);
  }
  assert.ok(redirects <= 21, `${redirects} redirects`); // the last of them is not followed
}

/** A body that never ends, and how much of it was taken. */
export function endlessBody(length = 4096): { body: ReadableStream; taken(): number; isCancelled(): boolean } {
  let taken = 0;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // Now and then a turn of the event loop, as on a network; else no timer could stop its reader.
      if (taken % (16 * length) === 0) await turn();
      taken += length;
      controller.enqueue(new Uint8Array(length).fill(0x61));
    },
    cancel() {
      isCancelled = true;
    },
  }, { highWaterMark: 0 });
  return { body, taken: () => taken, isCancelled: () => isCancelled };
}
