/** Peers that answer with the request that they got, as an echo port or a debugging proxy does. */

import test from "node:test";
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import {
  createAtlasFetch,
  createBearerFetch,
  createDigestFetch,
  createRetryFetch,
  createTokenSource,
  type Fetch,
  paginate,
} from "../../mod.ts";
import { reasonOf, serving } from "../serving.ts";
import { readParams } from "./front.ts";

const ann = { username: "ann", password: "open sesame" };
const token = "eyJhbGciOiJub25lIn0.tokenthatnobodymaysee.c2ln";
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_nobodymaysee" };
const challenge = 'WWW-Authenticate: Digest realm="echo", nonce="b2xkIG5vbmNl", qop="auth"';
const retry = { limit: 1, maxDelay: 1 };

/** How the request is put into the answer. */
const echoes: Record<string, (request: string) => string> = {
  "as it is": (request) => request,
  "in the status line": (request) => `HTTP/1.1 ${request}`,
  "as header fields, one broken": (request) => `HTTP/1.1 200 OK\r\nbroken field ${request}`,
  "as the length": (request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request}`,
  "as chunks": (request) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${request}`,
  "as chunks of a 500": (request) => `HTTP/1.1 500 Bad\r\nTransfer-Encoding: chunked\r\n\r\n${request}`,
  "as a body": (request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request.length}\r\n\r\n${request}`,
  "as the body of a 502": (request) => `HTTP/1.1 502 Bad\r\nContent-Length: ${request.length}\r\n\r\n${request}`,
  "as the body of a 401": (request) => `HTTP/1.1 401 No\r\nContent-Length: ${request.length}\r\n\r\n${request}`,
};

/** Calls that send a secret. Where the caller reads the body, the runtime throws to the caller; paginate() reads it here. */
const calls: Record<string, (baseUrl: string) => Promise<unknown>> = {
  "createDigestFetch()": (baseUrl) => read(createDigestFetch(ann), baseUrl),
  "createBearerFetch()": (baseUrl) => read(createBearerFetch({ token: () => Promise.resolve(token) }), baseUrl),
  "createRetryFetch()": (baseUrl) => read(createRetryFetch({ ...retry, fetch: createDigestFetch(ann) }), baseUrl),
  "createTokenSource()": (baseUrl) =>
    createTokenSource({ ...serviceAccount, tokenUrl: `${baseUrl}/api/oauth/token` })(),
  "createAtlasFetch()": (baseUrl) => {
    const credentials = { publicKey: ann.username, privateKey: ann.password };
    return read(createAtlasFetch({ credentials, baseUrl, retry }), baseUrl);
  },
  "createAtlasFetch() with a service account": (baseUrl) =>
    read(createAtlasFetch({ credentials: serviceAccount, baseUrl, retry }), baseUrl),
};

function read(fetch: Fetch, baseUrl: string): Promise<unknown> {
  return paginate(fetch, `${baseUrl}/api/atlas/v2/groups`).next();
}

/** Challenges a request without Authorization, and echoes any other. */
function createEchoPeer(echo: (request: string) => string, authorizations: string[]): Server {
  return createServer((socket: Socket) => {
    socket.on("error", () => {}).on("data", (bytes) => {
      const request = bytes.toString("latin1");
      const [, authorization] = /\r\nauthorization: *(.*)\r\n/i.exec(request) ?? [];
      if (!/^(GET|POST) /.test(request)) return; // a body that came by itself
      if (authorization === undefined) {
        return void socket.write(`HTTP/1.1 401 Who\r\n${challenge}\r\nContent-Length: 0\r\n\r\n`);
      }
      authorizations.push(authorization);
      socket.end(echo(request), "latin1");
    });
  });
}

/** All that an error and what hangs on it hold as text, bytes too, enumerable or not. */
function textsIn(value: unknown, seen: Set<unknown> = new Set()): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (typeof value === "function" || Object(value) !== value) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  const members = Reflect.ownKeys(Object(value)).map((name) => {
    return `${String(name)}: ${textsIn(Object.getOwnPropertyDescriptor(value, name)?.value, seen)}`;
  });
  return members.join("\n");
}

for (const [how, echo] of Object.entries(echoes)) {
  for (const [name, call] of Object.entries(calls)) {
    test(`${name} reveals nothing of what it sent to a peer that echoes it ${how}`, { timeout: 60_000 }, async () => {
      const authorizations: string[] = [];
      await serving(createEchoPeer(echo, authorizations), async (url) => {
        const error = await reasonOf(call(url));
        assert.ok(authorizations.length > 0);
        const secrets = authorizations.flatMap((value) => {
          const { response, cnonce } = readParams(value);
          return [value, value.slice(value.indexOf(" ") + 1), response, cnonce].filter((secret) =>
            secret !== undefined
          );
        });
        const revealed = `${textsIn(error)}\n${inspect(error, { showHidden: true, depth: 20 })}`;
        for (const secret of [...secrets, ...Object.values(serviceAccount), token, ann.password]) {
          assert.ok(!revealed.includes(secret), `${secret} in ${revealed}`);
        }
      });
    });
  }
}
