/** A proxy on 127.0.0.1 that passes HTTP/1.1 on byte for byte and keeps a record of what it saw. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** One request on the wire, and the head of its answer. */
export interface Exchange {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
  /** 0 until the answer is there. */
  status: number;
  /** The answer's fields named WWW-Authenticate, in order. */
  challenges: readonly string[];
}

export interface Front {
  readonly url: string;
  readonly exchanges: readonly Exchange[];
  readonly connections: number;
  /** Everything clients sent: heads, bodies and their chunking. */
  readonly bytesUp: number;
  /** Makes the nonces handed out so far, or all that ever are, look 700 s old to lighttpd: it keeps them for 600. */
  ageNonces(which: "past" | "all"): void;
  close(): Promise<void>;
}

/** Puts a proxy before the server at `port`. */
export async function startFront(port: number): Promise<Front> {
  const exchanges: Exchange[] = [];
  const sockets = new Set<Socket>();
  const seen = new Set<string>();
  const aged = new Set<string>();
  let allAged = false;
  let connections = 0;
  let bytesUp = 0;

  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const waiting: Exchange[] = [];
    connections++;

    const requests = createSplitter((text) => {
      const { start, values } = readHead(text);
      const [method = "", target = ""] = start.split(" ");
      const [authorization] = values("authorization");
      const exchange: Exchange = { method, target, authorization, status: 0, challenges: [] };
      exchanges.push(exchange);
      waiting.push(exchange);
      return { text: ageNonce(text, (nonce) => allAged || aged.has(nonce)), body: bodyOf(values) ?? 0 };
    }, (bytes) => upstream.write(bytes));

    const answers = createSplitter((text) => {
      const { start, values } = readHead(text);
      const status = Number(start.split(" ")[1]);
      if (status < 200) return { text, body: 0 };
      const exchange = waiting.shift();
      if (exchange === undefined) {
        throw new Error("An answer without a request");
      }
      exchange.status = status;
      exchange.challenges = values("www-authenticate");
      for (const challenge of exchange.challenges) {
        const nonce = readParams(challenge).nonce;
        if (nonce !== undefined) seen.add(nonce);
      }
      const bodyless = exchange.method === "HEAD" || status === 204 ||
        status === 304;
      return { text, body: bodyless ? 0 : bodyOf(values) ?? Infinity };
    }, (bytes) => client.write(bytes));

    client.on("data", (bytes: Uint8Array) => {
      bytesUp += bytes.length;
      requests(bytes);
    });
    upstream.on("data", (bytes: Uint8Array) => answers(bytes));
    join(client, upstream, sockets);
    join(upstream, client, sockets);
  });

  const front = await listen(server);
  return {
    url: `http://127.0.0.1:${front}`,
    exchanges,
    get connections() {
      return connections;
    },
    get bytesUp() {
      return bytesUp;
    },
    ageNonces(which) {
      allAged ||= which === "all";
      for (const nonce of seen) aged.add(nonce);
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Makes a server listen on a free port of 127.0.0.1 and gives the port. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return address.port;
}

/** The parameters of a Digest challenge or Authorization value, quoted strings unescaped. */
export function readParams(value: string): Readonly<Record<string, string>> {
  const params: Record<string, string> = {};
  for (const match of value.matchAll(/([\w*]+)=(?:"((?:\\.|[^"\\])*)"|([^",\s]+))/g)) {
    const [, name = "", quoted, token = ""] = match;
    params[name.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, "$1") ?? token;
  }
  return params;
}

function join(from: Socket, to: Socket, sockets: Set<Socket>): void {
  sockets.add(from);
  from.setNoDelay(true);
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => {
    sockets.delete(from);
    to.end();
  });
}

/** Replaces the time that stands before the colon of lighttpd's nonces, if it is aged. */
function ageNonce(text: string, isAged: (nonce: string) => boolean): string {
  return text.replace(/(?<=[ ,]nonce=")([0-9a-f]+)(:[^"]*)/i, (nonce, time: string, rest: string) => {
    if (!isAged(nonce)) return nonce;
    return (parseInt(time, 16) - 700).toString(16).padStart(time.length, "0") + rest;
  });
}

interface Head {
  readonly start: string;
  readonly values: (name: string) => string[];
}

function readHead(text: string): Head {
  const [start = "", ...fields] = text.trimEnd().split("\r\n");
  return {
    start,
    values: (name) =>
      fields.filter((field) => field.toLowerCase().startsWith(`${name}:`))
        .map((field) => field.slice(name.length + 1).trim()),
  };
}

/** A body's length in bytes, or how else its end is found. */
type Body = number | "chunked";

function bodyOf(values: Head["values"]): Body | undefined {
  if (values("transfer-encoding").some((value) => /chunked/i.test(value))) {
    return "chunked";
  }
  const [length] = values("content-length");
  return length === undefined ? undefined : Number(length);
}

/**
 * Finds the heads in one direction of a connection. Each is given to `onHead`, which says what to
 * send instead and what body follows; all bytes go to `write`, those of bodies untouched.
 */
function createSplitter(
  onHead: (text: string) => { text: string; body: Body },
  write: (bytes: Uint8Array) => void,
): (bytes: Uint8Array) => void {
  let kept = Buffer.alloc(0);
  let state: "head" | "size" | "trailer" = "head";
  let left = 0; // of a body or chunk, to be passed on before the state counts

  function take(end: number): Buffer {
    const taken = kept.subarray(0, end);
    kept = kept.subarray(end);
    return taken;
  }

  return (bytes) => {
    kept = Buffer.concat([kept, bytes]);
    while (kept.length > 0) {
      if (left > 0) {
        const taken = take(Math.min(left, kept.length));
        left -= taken.length;
        write(taken);
        continue;
      }
      const mark = state === "head" ? "\r\n\r\n" : "\r\n";
      const end = kept.indexOf(mark);
      if (end === -1) return;
      const text = take(end + mark.length).toString("latin1");
      if (state === "head") {
        const head = onHead(text);
        write(Buffer.from(head.text, "latin1"));
        if (head.body === "chunked") state = "size";
        else left = head.body;
        continue;
      }
      write(Buffer.from(text, "latin1"));
      if (state === "trailer") {
        if (text === mark) state = "head";
      } else if (parseInt(text, 16) === 0) {
        state = "trailer";
      } else {
        left = parseInt(text, 16) + mark.length;
      }
    }
  };
}
