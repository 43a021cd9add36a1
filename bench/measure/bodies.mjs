/** What a body costs on the wire, and whether a stream arrives. Counts of bytes, not times. */
import { startWorker } from "../processes.mjs";

export const BODY_BYTES = 2 ** 20;

export async function measureBodies({ server, clients, credentials, say }) {
  const rows = [];
  for (const client of clients) {
    say(client.name);
    const worker = startWorker(client.command);
    const twin = client.id === "fetch" ? "open" : "digest";
    for (const task of ["post", "stream"]) {
      const listener = await server.listen({ twin, rule: "reusable" });
      await worker.ask({ task: "create", url: listener.url, ...credentials });
      for (const state of ["cold", "warm"]) {
        const { status } = await worker.ask({ task, bytes: BODY_BYTES });
        const { requests, bytesIn, answeredBodyBytes } = await listener
          .counts();
        rows.push({
          client: client.id,
          body: task,
          state,
          status,
          requests,
          wireBytes: bytesIn,
          answeredBodyBytes,
        });
      }
      await listener.close();
    }
    worker.end();
  }
  return rows;
}
