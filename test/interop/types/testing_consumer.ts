/** Compiled, not run, by packaging_test.ts in projects that have installed the package. */

import { atlasFetch, type Fetch, type ServiceAccount } from "atlas-fetch";
import { createFakeAtlas, type FakeAtlasOptions, serveFakeAtlas } from "atlas-fetch/testing";

/** As `process.env.X` is, under exactOptionalPropertyTypes too. */
declare const never: undefined;

const account: ServiceAccount = { clientId: "a", clientSecret: "b" };
const options: FakeAtlasOptions = {
  credentials: never,
  serviceAccount: account,
  nonceLifetime: never,
  nonceUses: never,
  tokenLifetime: never,
  clusterDelay: never,
  answers: [new Response(null, { status: 503 })],
  respond: ({ url }) => url.endsWith("/orgs") ? new Response("{}") : undefined,
};

/** Each can stand where the other is wanted. */
export const fetches: Fetch[] = [createFakeAtlas(), atlasFetch];

export async function use(): Promise<unknown[]> {
  const fake = createFakeAtlas(options);
  const { url, credentials, close } = await serveFakeAtlas({ ...options, port: never });
  await close();
  return [fake.credentials, fake.requests.length, url, credentials];
}
