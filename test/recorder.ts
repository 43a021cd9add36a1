/** A fetch for tests: it keeps what it is asked for, and answers as it was told. */
import type { Fetch } from "../lib/digest/call.ts";

/** A request, as the fetch was given it. */
export interface Sent {
  url: string;
  method: string;
  /** As they were at that moment. */
  headers: Headers;
  /** The very object that was given. */
  init: RequestInit;
}

/** Answers a request; the first one has the number 1. */
export type Answer = (sent: Sent, number: number) => Response | Promise<Response>;

/** Gives the answers in order, the last one for ever, and 200 if there is none. */
export function createRecorder(...answers: Answer[]): { fetch: Fetch; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: Fetch = async (input, init = {}) => {
    const request = { url: String(input), method: init.method ?? "GET", headers: new Headers(init.headers), init };
    const number = sent.push(request);
    const answer = answers[number - 1] ?? answers.at(-1);
    const response = await answer?.(request, number) ?? new Response("ok");
    // As every response of a server has; a constructed one has none.
    return Object.defineProperty(response, "url", { value: new URL(request.url, "https://cloud.mongodb.com").href });
  };
  return { fetch, sent };
}

/** A 401 with a Digest challenge. */
export function challenged(challenge: string = 'Digest realm="r", nonce="n", qop="auth"'): Response {
  return new Response("who are you?", { status: 401, headers: { "www-authenticate": challenge } });
}

/** Asks for Digest unless a request is signed, in whatever way. */
export const askForDigest: Answer = ({ headers }) => headers.has("authorization") ? new Response("ok") : challenged();

/** What was sent as body; a stream is used up. */
export async function bodyOf({ init }: Sent): Promise<string> {
  return await new Response(init.body ?? null).text();
}
