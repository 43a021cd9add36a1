/** The way of a request: authentication, forced answers, limits, and at last what it asks for. */
import { randomBytes, randomUUID } from "node:crypto";
import type { ApiKey } from "../atlas_fetch.ts";
import type { FakeAtlasOptions } from "./options.ts";
import { createDigestGuard } from "./digest.ts";
import { createRateLimiter } from "./rate_limiter.ts";
import { atlasError } from "./refusals.ts";
import { createAuthorizationServer } from "./tokens.ts";
import { createWorld } from "./world.ts";

export interface Atlas {
  credentials: ApiKey;
  requests: Request[];
  /** Answers a request; the target is that of its request line. */
  answer(request: Request, target: string): Promise<Response>;
}

export function createAtlas(options: FakeAtlasOptions): Atlas {
  const credentials = options.credentials ?? {
    publicKey: String.fromCharCode(...randomBytes(8).map((byte) => 97 + byte % 26)),
    privateKey: randomUUID(),
  };
  const requests: Request[] = [];
  const { answers = [], respond, refusedAddress } = options;
  let answered = 0;

  const checkDigest = createDigestGuard(credentials, options);
  const oauth = createAuthorizationServer(options);
  const limitRate = createRateLimiter(options);
  const world = createWorld(options);

  async function route(request: Request, target: string, body: string): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/oauth/token") return oauth.mint(request, body);
    if (pathname === "/api/oauth/revoke") return oauth.revoke(request, body);

    const token = /^Bearer +(.*)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
    const refusal = token === undefined ? checkDigest(request, target) : oauth.check(token);
    if (refusal !== undefined) return refusal;

    const forced = answers[answered];
    if (forced !== undefined) {
      answered++;
      return forced.clone();
    }
    const tooMany = limitRate(pathname);
    if (tooMany !== undefined) return tooMany;
    if (refusedAddress !== undefined) return addressRefused(refusedAddress);

    const own = await respond?.(request.clone());
    return own?.clone() ?? world(request, body, token === undefined ? credentials.publicKey : undefined);
  }

  return {
    credentials,
    requests,
    async answer(request, target) {
      const body = await request.clone().text();
      requests.push(request);
      const response = await route(request, target, body);
      if (response.type === "error") return response;
      const answer = request.method === "HEAD" ? new Response(null, response) : response;
      // A Response that was constructed has no URL of its own.
      return Object.defineProperty(answer, "url", { value: request.url.replace(/#.*/, "") });
    },
  };
}

function addressRefused(address: string): Response {
  const detail = `IP address ${address} is not allowed to access this resource.`;
  return atlasError(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail, { parameters: [address] });
}
