/** Answers such as Atlas gives, and the errors that are made of them. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { AtlasError, ensureOk } from "../lib/atlas_error.ts";

export const GROUPS = "https://cloud.mongodb.com/api/atlas/v2/groups";

export const CHALLENGE =
  'Digest realm="MMS Public API", domain="", nonce="bm9uY2U=", algorithm=MD5, qop="auth", stale=false';

type Body = ConstructorParameters<typeof Response>[0];

/** A response with the URL of the projects: a constructed one has none. */
export function answer(body: Body, init: ResponseInit = {}): Response {
  return Object.defineProperty(new Response(body, init), "url", { value: GROUPS });
}

/** An error in Atlas's shape. */
export function atlasAnswer(
  status: number,
  errorCode: string,
  rest: object = {},
  headers: Record<string, string> = {},
): Response {
  return answer(JSON.stringify({ error: status, errorCode, ...rest }), {
    status,
    headers: { "Content-Type": "application/json", "X-Error-Code": errorCode, ...headers },
  });
}

export async function errorOf(response: Response | Promise<Response>): Promise<AtlasError> {
  const error = await ensureOk(response).then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof AtlasError, inspect(error));
  return error;
}

export function assertOneLine(message: string): void {
  // deno-lint-ignore no-control-regex -- these are what must not be in it
  assert.doesNotMatch(message, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Cf}|\p{Cc}/u);
}
