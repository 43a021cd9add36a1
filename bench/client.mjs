/**
 * The clients, each used as its own README says, in a process of its own: `client.mjs NAME` carries out the tasks that
 * it reads from stdin, a line of JSON each; `client.mjs NAME URL USERNAME PASSWORD CALLS` makes its calls and ends, as
 * a script does.
 */
import { hash, randomUUID } from "node:crypto";
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** By name: from { url, username, password } a client of { get, post, stream }, each of which gives the status. */
const CREATE = {
  // The limit: what fetch costs with nothing around it. It can only be asked of a server without authentication.
  fetch: ({ url }) => likeFetch(fetch, url),

  floor: ({ url, ...credentials }) => likeFetch(createFloor(credentials), url),

  async digest({ url, username, password }) {
    const { createDigestFetch } = await import("atlas-fetch/digest");
    return likeFetch(createDigestFetch({ username, password }), url);
  },

  async atlas({ url, username, password }) {
    const { createAtlasFetch } = await import("atlas-fetch");
    const credentials = { publicKey: username, privateKey: password };
    return likeFetch(createAtlasFetch({ baseUrl: new URL(url).origin, credentials }), "/groups");
  },

  async "digest-fetch"({ url, username, password }) {
    const { default: DigestClient } = await import("digest-fetch");
    const client = new DigestClient(username, password);
    // It opens a stream anew for each try, by a factory. What a caller pipes through cannot be opened twice.
    return likeFetch((url, init) => client.fetch(url, init?.duplex ? { factory: () => init } : init), url);
  },

  async urllib({ url, username, password }) {
    const { request } = await import("urllib");
    async function send(options) {
      const { res } = await request(url, { digestAuth: `${username}:${password}`, dataType: "json", ...options });
      return res.status;
    }
    const headers = { "Content-Type": "application/json" };
    return {
      get: () => send(),
      post: (content) => send({ method: "POST", headers, content }),
      stream: async (body) => send({ method: "POST", headers, stream: await nodeStream(body) }),
    };
  },

  async "mongodb-atlas-api-client"({ url, username, password }) {
    const { default: getClient } = await import("mongodb-atlas-api-client");
    const baseUrl = url.slice(0, url.lastIndexOf("/"));
    const { project } = getClient({ publicKey: username, privateKey: password, baseUrl, projectId: "32b6e34b3d91" });
    // It gives the parsed body alone, whatever the status: Atlas's errors carry theirs as `error`.
    const status = (data) => Array.isArray(data?.results) ? 200 : data?.error ?? 0;
    return {
      get: async () => status(await project.getAll({ itemsPerPage: 100 })),
      post: async (body) => status(await project.create(JSON.parse(body))),
      stream: () => Promise.resolve("takes none"),
    };
  },

  async "axios-digest-auth"({ url, username, password }) {
    const { default: { default: AxiosDigestAuth } } = await import("@mhoc/axios-digest-auth");
    const digestAuth = new AxiosDigestAuth({ username, password });
    async function request(method, data) {
      const headers = { Accept: "application/json", "Content-Type": "application/json" };
      return (await digestAuth.request({ headers, method, url, data })).status;
    }
    return {
      get: () => request("GET"),
      post: (body) => request("POST", body),
      stream: async (body) => request("POST", await nodeStream(body)),
    };
  },

  async curl({ url, username, password }) {
    const { spawn } = await import("node:child_process");
    const user = `${username}:${password}`;
    async function curl(body, ...options) {
      const child = spawn("curl", ["-sgw", "%{stderr}%{http_code}", "--digest", "-u", user, ...options, url]);
      child.stdin.on("error", () => {}); // it may end before it has read a body
      child.stdin.end(body);
      child.stdout.resume();
      let status = "";
      for await (const chunk of child.stderr) status += chunk;
      return Number(status);
    }
    return {
      get: () => curl(""),
      post: (body) => curl(body, "-H", "Content-Type: application/json", "--data-binary", "@-"),
      stream: async (body) => curl(await new Response(body).text(), "-T", "-"),
    };
  },
};

function likeFetch(fetch, url) {
  async function send(init) {
    const response = await fetch(url, init);
    await response.json();
    return response.status;
  }
  const headers = { "Content-Type": "application/json" };
  return {
    get: () => send(),
    post: (body) => send({ method: "POST", headers, body }),
    stream: (body) => send({ method: "POST", headers, body, duplex: "half" }),
  };
}

/**
 * The least that Digest can do, with no thought for what may go wrong: for each later call a URL, a Headers, two hashes
 * and fetch. What a client costs over this is its own.
 */
export function createFloor({ username, password }) {
  let challenged;
  let count = 0;

  async function askForChallenge(url) {
    const refused = await fetch(url);
    const challenge = refused.headers.get("www-authenticate");
    await refused.text();
    await new Promise((resolve) => setImmediate(resolve)); // else Node opens a second connection
    const [, realm] = /realm="([^"]*)"/.exec(challenge);
    const [, nonce] = /nonce="([^"]*)"/.exec(challenge);
    const cnonce = randomUUID();
    const constant = `Digest username="${username}", realm="${realm}", nonce="${nonce}", cnonce="${cnonce}", qop=auth`;
    return { nonce, cnonce, constant, ha1: hash("md5", `${username}:${realm}:${password}`) };
  }

  return async (input) => {
    challenged ??= await askForChallenge(input);
    const { nonce, cnonce, constant, ha1 } = challenged;
    const { href, pathname, search } = new URL(input);
    const uri = pathname + search;
    const nc = (++count).toString(16).padStart(8, "0");
    const answer = hash("md5", `${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash("md5", `GET:${uri}`)}`);
    const headers = new Headers();
    headers.set("authorization", `${constant}, nc=${nc}, uri="${uri}", response="${answer}"`);
    return await fetch(href, { method: "GET", headers, redirect: "manual" });
  };
}

async function nodeStream(body) {
  const { Readable } = await import("node:stream");
  return Readable.fromWeb(body);
}

/** The status of a call or, of one that throws, the error's name: it failed, as one with a 401 did. */
function outcome(call) {
  return call().catch((error) => `throws ${error.name}`);
}

async function timed(work) {
  let failed = 0;
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  await work(async () => {
    if (await outcome(client.get) !== 200) failed++;
  });
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { ms, cpuMs: (user + system) / 1000, failed };
}

let client;

const TASKS = {
  /** A new client, that knows nothing of the server yet. */
  async create({ name, ...options }) {
    client = await CREATE[name](options);
    return {};
  },

  /** `callers` of them at once, each making one call after the other, until `calls` are made. */
  calls({ calls, callers }) {
    let left = calls;
    return timed(async (call) => {
      async function caller() {
        while (left-- > 0) await call();
      }
      await Promise.all(Array.from({ length: callers }, caller));
    });
  },

  /** `bursts` times, one after the other: `size` calls begun in the same moment. */
  bursts({ bursts, size }) {
    return timed(async (call) => {
      for (let burst = 0; burst < bursts; burst++) await Promise.all(Array.from({ length: size }, call));
    });
  },

  /** A JSON text of so many bytes, as a string or as a stream that can be read once. */
  async send({ bytes, as }) {
    const text = `{"name":"${"x".repeat(bytes - '{"name":""}'.length)}"}`;
    return { status: await outcome(() => client[as](as === "stream" ? new Blob([text]).stream() : text)) };
  },
};

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [name, url, username, password, calls] = process.argv.slice(2);
  if (url === undefined) {
    const { createInterface } = await import("node:readline");
    for await (const line of createInterface({ input: process.stdin })) {
      const { task, ...options } = JSON.parse(line);
      process.stdout.write(`${JSON.stringify(await TASKS[task]({ name, ...options }))}\n`);
    }
  } else {
    client = await CREATE[name]({ url, username, password });
    const first = await TASKS.bursts({ bursts: 1, size: 1 });
    const later = await TASKS.bursts({ bursts: calls - 1, size: 1 });
    const result = { firstMs: first.ms, laterMs: later.ms, failed: first.failed + later.failed };
    await new Promise((resolve) => process.stdout.write(JSON.stringify(result), resolve));
  }
  process.exit(0); // idle connections must not keep the process
}
