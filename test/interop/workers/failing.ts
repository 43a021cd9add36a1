/** The Cloudflare Worker of failed_workers_test.ts: makes a call that fails, and says how. */

import { createAtlasFetch, createRetryFetch } from "../../../mod.ts";
import { observeFetch } from "../observed_fetch.ts";

export interface Order {
  by: "createRetryFetch()" | "createAtlasFetch()";
  origin: string;
  method: string;
}

export interface Outcome {
  /** Of what was thrown. */
  message: string;
  cause: string | undefined;
  /** What workerd's fetch has thrown, one a try. */
  thrown: string[];
  /** What was thrown is the last of these. */
  isOfFetch: boolean;
}

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await carryOut(JSON.parse(await request.text())));
  },
};

async function carryOut({ by, origin, method }: Order): Promise<Outcome> {
  const { fetch, thrown } = observeFetch();
  const retry = { limit: 2, maxDelay: 2 };
  const credentials = { publicKey: "abcdefgh", privateKey: "secret" };
  const call = by === "createRetryFetch()"
    ? createRetryFetch({ ...retry, fetch })
    : createAtlasFetch({ credentials, baseUrl: origin, retry, fetch });
  const error = await call(`${origin}/path`, { method }).then(({ status }) => new Error(`${status}`), (error) => error);
  const cause = error.cause === undefined ? undefined : String(error.cause);
  return { message: String(error), cause, thrown: thrown.map(String), isOfFetch: error === thrown.at(-1) };
}
