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
