/** Makes the one call that restricted_test.ts asks for in its argument, and prints what came of it. */

import { type AtlasFetchOptions, createAtlasFetch, createDigestFetch } from "../../../mod.ts";

export interface Order {
  atlas?: AtlasFetchOptions;
  digest?: { username: string; password: string };
  url: string;
}

export interface Outcome {
  status?: number;
  error?: string;
  /** The code of the cause, or of its cause. */
  code?: string;
}

async function carryOut({ atlas, digest, url }: Order): Promise<Outcome> {
  try {
    const fetch = digest ? createDigestFetch(digest) : createAtlasFetch(atlas);
    const response = await fetch(url);
    await response.text();
    return { status: response.status };
  } catch (error) {
    let code = "";
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if ("code" in cause) code = String(cause.code);
    }
    return { error: String(error), code };
  }
}

console.log(JSON.stringify(await carryOut(JSON.parse(process.argv[2] ?? ""))));
