// What README's snippets talk to: the fake Atlas in place of the network, with the credentials that they name.
import { createFakeAtlas } from "../lib/testing.ts";

const fake = createFakeAtlas({
  credentials: { publicKey: "your public key", privateKey: "your private key" },
  serviceAccount: {
    clientId: process.env.MONGODB_ATLAS_CLIENT_ID ?? "",
    clientSecret: process.env.MONGODB_ATLAS_CLIENT_SECRET ?? "",
  },
});
globalThis.fetch = Object.assign(fake, { preconnect: () => {} });

// So that nobody waits for the seconds between two looks at a cluster.
const { setTimeout } = globalThis;
Reflect.set(globalThis, "setTimeout", (callback: () => void, ms: number) => setTimeout(callback, Math.min(ms, 50)));
