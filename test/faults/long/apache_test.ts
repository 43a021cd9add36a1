// Apache behind a network that breaks: a real server's nonces, and its own way to close connections.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { createDigestFetch } from "../../../lib/digest/mod.ts";
import { whereInstalled } from "../../interop/programs.ts";
import { ann, startApache } from "../../interop/servers.ts";
import { ENDS, meet, withFaultyPath } from "../fault_meeting.ts";
import { FAULTS } from "../fault_proxy.ts";
import { assertShowsNone } from "../secrets.ts";

await whereInstalled("createDigestFetch() comes through or fails by the book on Apache", ["apache2"], async () => {
  const { port, stop } = await startApache();
  after(stop);

  for (const place of ["protected", "once"]) {
    for (const fault of FAULTS) {
      const nonces = place === "once" ? ", with one-time nonces" : "";
      test(`createDigestFetch() comes through or fails by the book on Apache${nonces}: ${fault}`, () =>
        withFaultyPath(port, async (path) => {
          const { exchanges, url } = path.proxy;
          const fetch = createDigestFetch(ann);
          const ask = (init: RequestInit) => fetch(`${url}/${place}/echo`, init);
          const isLost = (error: Error) => {
            assertShowsNone(error, [ann.password, 'response="'], "An error");
            return /ECONNRESET|other side closed/.test(inspect(error));
          };
          const warm = async () => {
            const response = await ask({ method: "POST", body: "warm" });
            assert.equal(await response.text(), "warm");
            await sleep(5);
          };
          const { get, post, executed } = ENDS[fault];
          await warm();
          const reading = await meet(fault, path, (signal) => ask({ signal }), isLost);
          // The echo of nothing is sometimes a body without a chunk, sometimes none.
          const isEmpty = reading === "meets no fault" && get === "breaks in the body";
          assert.equal(isEmpty ? get : reading, get, "GET");

          await warm();
          const before = exchanges.length;
          const writing = (signal: AbortSignal) => ask({ method: "POST", body: "written once", signal });
          assert.equal(await meet(fault, path, writing, isLost), post, "POST");
          const done = exchanges.slice(before).filter(({ status }) => status === 200);
          assert.equal(done.length, executed, "How often the POST was executed");
          await warm();
        }));
    }
  }
});
