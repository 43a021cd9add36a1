/** A server for as long as some work takes, and the reason of a rejection. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { Server, Socket } from "node:net";

/** Serves on a free port of 127.0.0.1: HTTP with a listener, or whatever the server that is given speaks. */
export async function serving(
  listener: RequestListener | Server,
  work: (url: string, connections: () => number) => Promise<void>,
): Promise<void> {
  const server = typeof listener === "function" ? createServer(listener) : listener;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await work(`http://127.0.0.1:${address.port}`, () => sockets.size);
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy(); // clients keep theirs open for the next request
  }
}

/** The rejection of a promise. */
export async function reasonOf(promise: Promise<unknown>): Promise<Error> {
  const reason: unknown = await promise.then(() => assert.fail("It did not reject"), (error: unknown) => error);
  assert.ok(reason instanceof Error);
  return reason;
}
