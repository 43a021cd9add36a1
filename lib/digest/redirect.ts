import { type Call, discard, dropHeaders, isGetOrHead, isStream, parseUrl, type Send } from "./call.ts";
import { connectionFailure } from "./connection.ts";
import { bytesOf } from "./hash.ts";

const REDIRECTS = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 20;

/** Sends each request of a chain by itself; `sendUnsigned` from another origin on, even if that leads back. */
export function followRedirects(send: Send, sendUnsigned: Send): Send {
  return async function sendFollowing(first) {
    if (first.redirect !== "follow") return await send(first);
    let call: Call = { ...first, redirect: "manual" };
    let response = await send(call);
    let sendNext = send;
    for (let redirects = 1;; redirects++) {
      const location = REDIRECTS.includes(response.status) ? response.headers.get("location") : null;
      if (location === null) return response;
      if (redirects > MAX_REDIRECTS) throw new TypeError(`Cannot follow more than ${MAX_REDIRECTS} redirects`);
      const next = redirected(call, response.status, parseUrl(new TextDecoder().decode(bytesOf(location)), call.url));
      await discard(response, call);
      call = next;
      if (call.url.origin !== first.url.origin) sendNext = sendUnsigned;
      response = await sendNext(call).catch((error) => {
        throw afterRedirect(first, error);
      });
      Reflect.defineProperty(response, "redirected", { value: true }); // it may be frozen
    }
  };
}

/** The fetch standard's HTTP-redirect fetch. */
function redirected(call: Call, status: number, url: URL): Call {
  const { method, body } = call;
  if (status !== 303 && isStream(body)) {
    throw new TypeError(`Cannot follow the ${status} with a used stream. Send it to ${url.origin}${url.pathname}`);
  }
  const isCrossOrigin = url.origin !== call.url.origin;
  if (isCrossOrigin) dropHeaders(call, /^(authorization|cookie|host|proxy-authorization)$/);
  const becomesGet = status === 303 ? !isGetOrHead(method) : status < 303 && method === "POST";
  if (!becomesGet) return { ...call, url };
  dropHeaders(call, /^content-/);
  return { ...call, url, method: "GET", body: null };
}

/** What led to a connection never made was answered, and must not be sent again. */
function afterRedirect({ method, url }: Call, error: unknown): unknown {
  if (isGetOrHead(method) || connectionFailure(error) !== "never made") return error;
  const target = `${method} ${url.origin}${url.pathname}`;
  return new TypeError(`Cannot follow the redirect of ${target}, which may have been executed`, { cause: error });
}
