/** A token endpoint for tests, and a service account that it knows. */
import { type Answer, createRecorder } from "./recorder.ts";

export const clientId = "mdb_sa_id_0123456789abcdef01234567";
export const clientSecret = "mdb_sa_sk_under_score";
export const TOKEN_URL = "https://cloud.mongodb.com/api/oauth/token";
/** What the token is stored under. */
export const KEY = `${TOKEN_URL} ${clientId}`;

/** Mints t1, t2, ... for an hour, or answers the first, the second, ... request as it is told. */
export function createDesk(
  answer: (number: number) => ReturnType<Answer> = (number) => minted(`t${number}`),
): ReturnType<typeof createRecorder> {
  return createRecorder((_sent, number) => answer(number));
}

export function minted(token: unknown, rest: Record<string, unknown> = { expires_in: 3600 }): Response {
  return Response.json({ access_token: token, token_type: "Bearer", ...rest });
}
