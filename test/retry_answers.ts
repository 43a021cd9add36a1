/** What calls are tried again for. */
export const PLACE = "https://cloud.mongodb.com/api/atlas/v2/groups";

export const answer = (status: number, retryAfter?: string) => (): Response =>
  new Response("answer", { status, headers: retryAfter === undefined ? {} : { "Retry-After": retryAfter } });

/** As Node's fetch rejects. */
export function connectionError(code: string, message: string = code): TypeError {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}

export const lost = (): Promise<never> => Promise.reject(connectionError("UND_ERR_SOCKET", "other side closed"));
