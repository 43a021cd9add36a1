/** The clients of MongoDB's tutorial on Node, Python and Ruby as judges of the fake Atlas. */

import test from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { run, whereInstalled } from "./programs.ts";

/** What the runtime that runs this needs to run TypeScript: Node 20 has none of its own. */
const runtime = "Deno" in globalThis
  ? ["run", "-A", "--no-check"]
  : "typescript" in process.features
  ? []
  : ["--import", "tsx"];

/** What is read of the root document, or of the refusal in its place. */
interface Root {
  appName?: string;
  apiKey?: { publicKey: string };
  error?: number;
}

const clients: {
  title: string;
  program: string;
  file: string;
  args?: string[];
  needs?: string[];
}[] = [
  {
    title: "serveFakeAtlas() answers requests of Python",
    program: "/usr/bin/python3", // Debian's, which has python3-requests
    file: "python_requests.py",
    needs: ["/usr/share/doc/python3-requests"],
  },
  {
    title: "serveFakeAtlas() answers HTTParty of Ruby",
    program: "ruby",
    file: "httparty.rb",
    needs: ["/usr/share/doc/ruby-httparty"],
  },
  {
    title: "serveFakeAtlas() answers urllib of Node",
    program: "node",
    file: "urllib.mjs",
    needs: [fileURLToPath(new URL("node_modules/urllib", import.meta.url))],
  },
  {
    title: "atlasFetch() reads the variables of MongoDB's tutorial",
    program: process.execPath,
    file: "atlas_fetch.ts",
    args: runtime,
  },
];

for (const { title, program, file, args = [], needs = [] } of clients) {
  await whereInstalled(title, [program, ...needs], () => {
    const script = fileURLToPath(new URL(`tutorial/${file}`, import.meta.url));

    test(title, async () => {
      const atlas = await serveFakeAtlas();
      const { publicKey, privateKey } = atlas.credentials;
      async function getRoot(key: string): Promise<Root> {
        const env = { ATLAS_USER: publicKey, ATLAS_USER_KEY: key, MONGODB_ATLAS_BASE_URL: atlas.url };
        return JSON.parse(await run(program, [...args, script], env));
      }
      try {
        const root = await getRoot(privateKey);
        assert.equal(root.appName, "MongoDB Atlas");
        assert.equal(root.apiKey?.publicKey, publicKey);
        const refusal = await getRoot("wrong");
        assert.equal(refusal.error, 401);
      } finally {
        await atlas.close();
      }
    });
  });
}
