/** The Cloudflare Worker of workers_test.ts: calls Atlas as it is told to, and says what came of it. */

import { type AtlasFetchOptions, createAtlasFetch } from "../../../mod.ts";

export interface Order {
  options: AtlasFetchOptions;
  path: string;
  method: string;
  body: string | null;
  /** How many calls at once. */
  calls: number;
}

export interface Outcome {
  statuses: number[];
  texts: string[];
  error?: string;
}

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await carryOut(JSON.parse(await request.text())));
  },
};

async function carryOut({ options, path, method, body, calls }: Order): Promise<Outcome> {
  try {
    const atlasFetch = createAtlasFetch(options);
    const responses = await Promise.all(Array.from({ length: calls }, () => atlasFetch(path, { method, body })));
    const texts = await Promise.all(responses.map((response) => response.text()));
    return { statuses: responses.map(({ status }) => status), texts };
  } catch (error) {
    return { statuses: [], texts: [], error: String(error) };
  }
}
