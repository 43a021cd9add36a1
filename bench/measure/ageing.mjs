/** Whether a client grows dearer as it grows old: its 10,000th call beside its 100th. */
import { medianRatio } from "../statistics.mjs";
import { startWorker } from "../processes.mjs";

export async function measureAgeing({ server, clients, quick, credentials, say }) {
  const rows = [];
  for (const client of clients.filter(({ id, ours }) => ours || id === "fetch")) {
    say(client.name);
    const [node, ...args] = client.command;
    const worker = startWorker([node, "--expose-gc", ...args]);
    const twin = client.id === "fetch" ? "equal" : "digest";
    // A nonce that dies after 50 uses: 200 of them have come and gone by the 10,000th call.
    const listener = await server.listen({ twin, rule: "stale50" });
    await worker.ask({ task: "create", url: listener.url, ...credentials });
    const { young, grown, heapGrowth, heapCalls } = await worker.ask({
      task: "ageing",
      oldCalls: quick ? 1000 : 10_000,
      slices: quick ? 2 : 100,
      sliceCalls: 50,
    });
    worker.end();
    await listener.close();
    rows.push({
      client: client.id,
      time: medianRatio(grown, young),
      heapBytesPerCall: heapGrowth / heapCalls,
    });
  }
  return rows;
}
