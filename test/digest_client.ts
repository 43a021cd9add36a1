/** The client under test, with the credentials that the Digest server of the tests takes. */
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import type { DigestServer } from "./digest_server.ts";

/** For requests that no network sees. */
export const BASE = "http://digest.example";

export const ada = { username: "ada", password: "lovelace" };

export function client(server: { fetch: Fetch }, password: string = ada.password): Fetch {
  return createDigestFetch({ ...ada, password, fetch: server.fetch });
}

/** The counts that were signed with, undefined for what was not signed. */
export function countsOf({ seen }: DigestServer): (string | undefined)[] {
  return seen.map(({ credentials }) => credentials?.nc);
}
