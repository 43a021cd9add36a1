/**
 * One of the processes of redis_test.ts. A line `{atlas} {redis}` names where to ask and where to share the token: it
 * says `ready`. At the next line it makes 50 calls and says how many succeeded.
 */

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "redis";
import { createAtlasFetch } from "../../mod.ts";

const { CLIENT_ID: clientId = "", CLIENT_SECRET: clientSecret = "" } = process.env;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (;;) {
  const [atlasUrl = "", redisUrl = ""] = (await lines.next()).value?.split(" ") ?? [];
  if (redisUrl === "") break;
  const redis = createClient({ url: redisUrl });
  redis.on("error", () => {}); // the calls do without
  await redis.connect();
  const tokenStore = {
    get: async (key: string) => await redis.get(key) ?? undefined,
    set: (key: string, value: string, seconds: number) => redis.set(key, value, { EX: seconds }),
  };
  const atlasFetch = createAtlasFetch({
    baseUrl: atlasUrl,
    credentials: { clientId, clientSecret, tokenStore },
  });
  console.log("ready");

  await lines.next();
  let succeeded = 0;
  for (let call = 0; call < 50; call++) {
    try {
      const response = await atlasFetch("/groups");
      await response.text();
      if (response.ok) succeeded++;
      else console.error(response.status);
    } catch (error) {
      console.error(error);
    }
    await sleep(10);
  }
  console.log(`${succeeded} of 50`);
  redis.destroy();
}
