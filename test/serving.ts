/** What several tests need: a server for as long as some work takes, and the reason of a rejection. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";

/** Serves on 127.0.0.1 for as long as the work takes. */
export async function serving(
  listener: RequestListener,
  work: (url: string, connections: () => number) => Promise<void>,
): Promise<void> {
  let connections = 0;
  const server = createServer(listener);
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await work(`http://127.0.0.1:${address.port}`, () => connections);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The rejection of a promise. */
export async function reasonOf(promise: Promise<unknown>): Promise<Error> {
  const reason: unknown = await promise.then(() => assert.fail("It did not reject"), (error: unknown) => error);
  assert.ok(reason instanceof Error);
  return reason;
}
