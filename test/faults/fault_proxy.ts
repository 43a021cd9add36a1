/** A proxy on 127.0.0.1 that passes HTTP/1.1 on and breaks it where it is told to, at the level of TCP. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { listen } from "../interop/front.ts";

/** What can be done to one request and its answer. A listener that is not there is `refuse` of the proxy. */
export const FAULTS = [
  "reset before the request is passed on",
  "reset in the request body",
  "reset after the request, its answer withheld",
  "reset in the response head",
  "stall in the response head",
  "reset in the response body",
  "stall in the response body",
  "cut the response body short",
  "one byte at a time",
  "delay",
  "garbage for an answer",
  "close the kept-alive connection at its reuse",
] as const;
export type Fault = typeof FAULTS[number];

/** One request as the proxy sees it. */
export interface Exchange {
  /** The number of its connection, from 0, and its own number on that connection. */
  connection: number;
  index: number;
  /** What the client sent: the head, and the body as far as it has come. */
  request: string;
  /** The status that the server answered, also if the client never got it; 0 until then. */
  status: number;
  /** What was to be done to it, and whether it was: a fault of the body does nothing where there is none. */
  fault: Fault | undefined;
  isBroken: boolean;
}

export interface FaultProxy {
  url: string;
  /** Every request that came, in order. */
  exchanges: Exchange[];
  connections(): number;
  /** Stops listening, so that new connections are refused; those that are open stay. */
  refuse(): void;
  /** Listens again on the same port. */
  accept(): Promise<void>;
  close(): void;
}

const DELAY = 30; // ms
const STALL = 6000; // ms; then the connection is reset, as by a router that forgets it
const GARBAGE = "220 mail.example ESMTP\r\n\0\xff\xfe\r\n\r\n";

/**
 * Puts a proxy before the server at a port.
 *
 * @param choose What is to be done to an exchange; asked once, when its head has come
 */
export async function startFaultProxy(
  port: number,
  choose: (exchange: Exchange) => Fault | undefined,
): Promise<FaultProxy> {
  const exchanges: Exchange[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  function serve(client: Socket): void {
    const upstream = connect(port, "127.0.0.1");
    const connection = connections++;
    let index = 0;
    let exchange: Exchange | undefined;
    let answer = Buffer.alloc(0); // as long as it is held back
    let passing = Promise.resolve(); // of bytes that go one at a time, or late
    let isCut = false;
    join(client, upstream);
    join(upstream, client);

    client.on("data", (bytes: Uint8Array) => {
      if (isCut) return;
      const text = Buffer.from(bytes).toString("latin1");
      if (!exchange || exchange.status) {
        exchange = { connection, index: index++, request: "", status: 0, fault: undefined, isBroken: false };
        answer = Buffer.alloc(0);
      }
      const hadHead = exchange.request.includes("\r\n\r\n");
      exchange.request += text;
      const bodyStart = exchange.request.indexOf("\r\n\r\n") + 4;
      if (!hadHead && bodyStart >= 4) {
        exchanges.push(exchange);
        exchange.fault = choose(exchange);
      }
      const isInBody = bodyStart >= 4 && exchange.request.length > bodyStart;
      switch (exchange.fault) {
        case "reset before the request is passed on":
          return breakOff(exchange, reset);
        case "close the kept-alive connection at its reuse":
          if (exchange.index > 0) return breakOff(exchange, () => client.destroy());
          break;
        case "reset in the request body":
          if (!isInBody) break;
          upstream.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
          return breakOff(exchange, reset);
      }
      upstream.write(bytes);
    });

    upstream.on("data", (bytes: Uint8Array) => {
      if (isCut || !exchange) return;
      const isFirst = exchange.status === 0;
      if (isFirst) exchange.status = Number(Buffer.from(bytes).toString("latin1").split(" ", 2)[1]);
      const { fault } = exchange;
      switch (fault) {
        case "reset after the request, its answer withheld":
          return breakOff(exchange, reset);
        case "garbage for an answer":
          return breakOff(exchange, () => client.end(GARBAGE, "latin1"));
        case "reset in the response head":
        case "stall in the response head":
          client.write(bytes.subarray(0, 12));
          return breakOff(exchange, fault.startsWith("reset") ? soonReset : stall);
        case "reset in the response body":
        case "stall in the response body":
        case "cut the response body short": {
          answer = Buffer.concat([answer, bytes]);
          const start = answer.indexOf("\r\n\r\n") + 4;
          if (start < 4 || answer.length < start + 2) return hasBody(exchange, answer) ? undefined : pass(answer);
          client.write(answer.subarray(0, start + Math.floor((answer.length - start) / 2)));
          return breakOff(exchange, fault.startsWith("reset") ? soonReset : fault.startsWith("cut") ? end : stall);
        }
        case "delay":
          exchange.isBroken = true;
          passing = passing.then(() => new Promise((resolve) => setTimeout(resolve, DELAY))).then(() => pass(bytes));
          return;
        case "one byte at a time":
          exchange.isBroken = true;
          passing = passing.then(() => trickle(bytes, client));
          return;
      }
      pass(bytes);
    });

    const pass = (bytes: Uint8Array) => void client.write(bytes);
    const reset = () => void client.resetAndDestroy();
    const soonReset = () => void setTimeout(reset, 5); // a reset would overtake what was written
    const end = () => void client.end();
    const stall = () => void setTimeout(reset, STALL).unref();

    /** From here on nothing passes any more. */
    function breakOff(exchange: Exchange, how: () => void): void {
      exchange.isBroken = isCut = true;
      upstream.destroy();
      how();
    }

    /** What ends on one side ends on the other, once what is under way has passed. */
    function join(from: Socket, to: Socket): void {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        if (!isCut) passing.then(() => to.destroySoon());
      });
    }
  }

  let server = createServer(serve);
  let isClosed = false;
  const own = await listen(server);
  return {
    url: `http://127.0.0.1:${own}`,
    exchanges,
    connections: () => connections,
    refuse: () => void server.close(),
    async accept() {
      if (isClosed) return;
      server = createServer(serve);
      server.listen(own, "127.0.0.1");
      await once(server, "listening");
    },
    close() {
      isClosed = true;
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function hasBody({ request }: Exchange, answer: Uint8Array): boolean {
  const isEmpty = /^HTTP\/1\.1 204 |\r\ncontent-length: 0\r\n/i.test(Buffer.from(answer).toString("latin1"));
  return !isEmpty && !request.startsWith("HEAD ");
}

async function trickle(bytes: Uint8Array, to: Socket): Promise<void> {
  for (const byte of bytes) {
    if (!to.writable) return;
    await new Promise((resolve) => to.write(Buffer.of(byte), resolve));
  }
}
