/** The client under test, before a recorder. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { type AtlasFetch, type AtlasFetchOptions, createAtlasFetch } from "../lib/atlas_fetch.ts";
import { type Answer, createRecorder, type Sent } from "./recorder.ts";

export const ORIGIN = "https://cloud.mongodb.com";
export const KEY = { publicKey: "abcdefgh", privateKey: "11111111-2222-3333-4444-555555555555" };
export const ACCOUNT = {
  clientId: "mdb_sa_id_0123456789abcdef01234567",
  clientSecret: "mdb_sa_sk_under_score",
};
export const VERSIONED = "application/vnd.atlas.2025-03-12+json";

/** An atlasFetch on a recorder. */
export function record(options: AtlasFetchOptions = {}, ...answers: Answer[]): { fetch: AtlasFetch; sent: Sent[] } {
  const { fetch, sent } = createRecorder(...answers);
  return { sent, fetch: createAtlasFetch({ credentials: KEY, fetch, ...options }) };
}

/** The error that a call rejects with; nothing may have been sent. */
export async function refusalOf(call: Promise<unknown>, sent: readonly unknown[] = []): Promise<TypeError> {
  const error = await call.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof TypeError, `not refused by a TypeError: ${inspect(error)}`);
  assert.equal(error.name, "TypeError");
  assert.deepEqual(sent, []);
  return error;
}
