/** What calls are tried again for. */
export const PLACE = "https://cloud.mongodb.com/api/atlas/v2/groups";

export const answer = (status: number, retryAfter?: string) => (): Response =>
  new Response("answer", { status, headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter } });

export const lost = (): Promise<never> =>
  Promise.reject(new TypeError("fetch failed", { cause: new Error("socket hang up") }));
