/**
 * Compiled, not run: by packaging_test.ts in projects that have installed the package, by vendor_test.ts beside the
 * vendored file.
 */

import {
  type AccessToken,
  type ApiKey,
  AtlasError,
  type AtlasErrorFacts,
  type AtlasFetch,
  atlasFetch,
  type AtlasFetchOptions,
  type AtlasRequestInit,
  type BearerFetchOptions,
  createAtlasFetch,
  createBearerFetch,
  createDigestFetch,
  createRetryFetch,
  createTokenSource,
  type DigestFetchOptions,
  ensureOk,
  type Fetch,
  paginate,
  type RetryFetchOptions,
  type RetryOptions,
  type ServiceAccount,
  type TokenRequest,
  type TokenSource,
  type TokenSourceOptions,
  type TokenStore,
} from "atlas-fetch";
import {
  type Challenge,
  createDigestFetch as createDigestFetchAlone,
  digestAuthorization,
  type DigestChallenge,
  type DigestRequest,
  findDigestChallenge,
  type HashName,
  parseChallenges,
} from "atlas-fetch/digest";

/** As `process.env.X` is, under exactOptionalPropertyTypes too. */
declare const unset: string | undefined;
declare const never: undefined;

const key: ApiKey = { publicKey: "a", privateKey: "b" };
const store: TokenStore = new Map<string, string>();
const account: ServiceAccount = { clientId: "a", clientSecret: "b", tokenStore: store };
const minted: AccessToken = { accessToken: "a" };
const mint: TokenSourceOptions = { ...account, tokenUrl: unset, store: never, fetch: never };
const token: TokenSource = createTokenSource(mint);
const ask: TokenRequest = { refused: unset, signal: never };
const person: DigestFetchOptions = { username: "a", password: "b", fetch: never };
const bearer: BearerFetchOptions = { token, fetch: never };
const retry: RetryOptions = { limit: 1, maxDelay: 2 };
const retries: RetryFetchOptions = { limit: never, maxDelay: never, fetch: never };

/** Every wrapper is a Fetch, and so is the global one. */
const wrappers: Fetch[] = [
  fetch,
  atlasFetch,
  createAtlasFetch(),
  createDigestFetch(person),
  createDigestFetchAlone({ username: "a", password: "b", fetch: createRetryFetch() }),
  createBearerFetch(bearer),
  createRetryFetch(retries),
];
/** And whatever takes the global one's arguments takes ours. */
const asGlobal: (...args: Parameters<typeof fetch>) => Promise<Response> = atlasFetch;

const options: AtlasFetchOptions = {
  baseUrl: unset,
  version: unset,
  credentials: never,
  retry: never,
  fetch: never,
};
const fetches: AtlasFetch[] = [
  createAtlasFetch(options),
  createAtlasFetch({ credentials: key, baseUrl: new URL("https://cloud.mongodb.com"), retry }),
  createAtlasFetch({ credentials: account, retry: false, fetch: wrappers[0] }),
  createAtlasFetch({ credentials: minted }),
];
const init: AtlasRequestInit = { method: "POST", body: "{}", version: unset, format: never, signal: null };

export async function use(): Promise<unknown> {
  const response: Response = await ensureOk(atlasFetch("/groups", init));
  for await (const project of paginate<{ name: string }>(atlasFetch, "/groups", { version: "2023-01-01" })) {
    const name: string = project.name;
    if (name) break;
  }
  for await (const item of paginate(asGlobal, new URL("https://cloud.mongodb.com/api/atlas/v2/groups"))) {
    const unknown: unknown = item;
    if (unknown) break;
  }
  try {
    return await ensureOk(response);
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    const status: number = error.status;
    const words: (string | undefined)[] = [error.code, error.detail, error.reason, error.hint, error.message];
    const parameters: unknown[] = error.parameters ?? [];
    const fields: { field: string; description: string }[] = error.fields ?? [];
    const facts: AtlasErrorFacts = error;
    const refused: Response = error.response;
    return [status, words, parameters, fields, facts, refused, fetches, await token(ask)];
  }
}

export function sign(header: string, request: DigestRequest): string | undefined {
  const challenges: Challenge[] = parseChallenges(header);
  const challenge: DigestChallenge | undefined = findDigestChallenge(challenges);
  const hash: HashName | undefined = challenge?.hash;
  return challenge && hash && digestAuthorization(challenge, { ...request, body: never });
}

// What must not compile. ------------------------------------------------------------------------

// @ts-expect-error: a half is no key
export const half: ApiKey = { publicKey: "a" };
export const neither: AtlasFetchOptions = {
  // @ts-expect-error: neither a key nor a service account
  credentials: { publicKey: "a", clientSecret: "b" },
};
export const misspelt: AtlasFetchOptions = {
  // @ts-expect-error: misspelt
  baseURL: "https://cloud.mongodb.com",
};
// @ts-expect-error: no such format
export const format: AtlasRequestInit = { format: "xml" };
// @ts-expect-error: true is no set of options
export const always: AtlasFetchOptions = { retry: true };
// @ts-expect-error: a password is needed
export const passwordless: Fetch = createDigestFetch({ username: "a" });
// @ts-expect-error: a fetch is needed
export const list: AsyncGenerator<unknown, void> = paginate("/groups");
