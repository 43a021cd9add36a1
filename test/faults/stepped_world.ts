/**
 * A world that stands still: what a call waits for (an answer, a piece of a body, a token store) comes only when the
 * world is told to take a step. So a call can be stopped at each place where it waits, and looked at.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Fetch, TokenStore } from "../../mod.ts";

/** How to answer a request. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Each piece of the body is a step of its own. */
  body?: readonly string[];
  /** The connection is lost instead. */
  isLost?: boolean;
}

export interface SentRequest {
  method: string;
  url: string;
  authorization: string | null;
  body: string;
}

export interface World {
  fetch: Fetch;
  store: TokenStore;
  sent: SentRequest[];
  /** A body of a request that comes in pieces too. */
  stream(pieces: readonly string[]): ReadableStream<Uint8Array>;
  /** Lets the first thing come that is waited for; false if there is none. */
  step(): Promise<boolean>;
  /** Lets everything come to where it waits. */
  rest(): Promise<void>;
  /** Takes the steps that are left. */
  finish(): Promise<void>;
  /** The bodies, of requests and of answers, that are neither read to the end, nor cancelled, nor broken off. */
  openBodies(): number;
}

const ABORTED = new TypeError("terminated");
const TURNS = 6; // of the event loop, after which everything waits: reading a Blob takes some

/**
 * Its fetch fails in its own words when its signal is aborted, not with the signal's reason.
 *
 * @param answer To the first, second, ... request
 */
export function createSteppedWorld(answer: (request: SentRequest, number: number) => Answer): World {
  const awaited = new Set<() => void>();
  const sent: SentRequest[] = [];
  const stored = new Map<string, string>();
  let openBodies = 0;

  /** Waits for a step, or for the signal to be aborted. */
  async function step(signal?: AbortSignal | null, otherwise?: Error): Promise<void> {
    await new Promise<void>((resolve) => {
      const go = () => {
        awaited.delete(go);
        signal?.removeEventListener("abort", go);
        resolve();
      };
      awaited.add(go);
      signal?.addEventListener("abort", go);
    });
    if (signal?.aborted) throw otherwise ?? signal.reason;
  }

  function bodyOf(pieces: readonly string[], signal?: AbortSignal | null): ReadableStream<Uint8Array> {
    const rest = [...pieces];
    let close = () => {
      openBodies--;
      close = () => {};
    };
    openBodies++;
    const given = new AbortController(); // up, by whoever reads it
    const either = signal ? AbortSignal.any([signal, given.signal]) : given.signal;
    return new ReadableStream({
      async pull(controller) {
        try {
          await step(either);
          const piece = rest.shift();
          if (piece !== undefined) return controller.enqueue(new TextEncoder().encode(piece));
          close();
          controller.close();
        } catch (error) {
          close();
          controller.error(error);
        }
      },
      cancel() {
        close();
        given.abort();
      },
    }, { highWaterMark: 0 });
  }

  /** What is uploaded; a stream is given up when the signal is aborted, as fetch does. */
  async function take(body: RequestInit["body"], signal?: AbortSignal | null): Promise<string> {
    if (!(body instanceof ReadableStream)) return await new Response(body).text();
    const reader = body.getReader();
    const cancel = () => void reader.cancel(signal?.reason);
    signal?.addEventListener("abort", cancel);
    let text = "";
    for (let piece; !(piece = await reader.read()).done;) text += new TextDecoder().decode(piece.value);
    signal?.removeEventListener("abort", cancel);
    if (signal?.aborted) throw ABORTED;
    return text;
  }

  async function rest(): Promise<void> {
    for (let turns = 0; turns < TURNS; turns++) await turn();
  }

  return {
    sent,
    openBodies: () => openBodies,
    stream: bodyOf,
    async fetch(input, init = {}) {
      const { signal, body, ...others } = init;
      if (signal?.aborted) throw ABORTED;
      // Without body and signal: it would read the one and listen to the other.
      const { method, url, headers } = new Request(input, others);
      const request = { method, url, authorization: headers.get("authorization"), body: "" };
      const { status = 200, headers: fields = {}, body: pieces = [], isLost } = answer(request, sent.push(request));
      request.body = await take(body, signal);
      await step(signal, ABORTED);
      if (isLost) throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } });
      const response = new Response(pieces.length ? bodyOf(pieces, signal) : null, { status, headers: fields });
      return Object.defineProperty(response, "url", { value: url });
    },
    store: {
      async get(key) {
        await step();
        return stored.get(key);
      },
      async set(key, value) {
        await step();
        stored.set(key, value);
      },
    },
    rest,
    async step() {
      await rest();
      const [first] = awaited;
      if (!first) return false;
      first();
      await rest();
      return true;
    },
    async finish() {
      while (await this.step()) { /* on */ }
    },
  };
}
