import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as digest from "../lib/digest/mod.ts";
import * as testing from "../lib/testing.ts";
import * as root from "../mod.ts";
import {
  type AtlasFetch,
  atlasFetch,
  createAtlasFetch,
  createBearerFetch,
  createDigestFetch,
  createRetryFetch,
  type Fetch,
  paginate,
} from "../mod.ts";

const ROOT = new URL("../", import.meta.url);

// What is published ------------------------------------------------------------------------------------

async function readJson(path: string): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await readFile(new URL(path, ROOT), "utf8"));
  assert.ok(typeof value === "object" && value !== null);
  return Object.fromEntries(Object.entries(value));
}

test("package.json and deno.json agree on version, license and exports", async () => {
  const npm = await readJson("package.json");
  const jsr = await readJson("deno.json");
  assert.equal(npm.name, "atlas-fetch");
  assert.equal(jsr.name, "@atlas-fetch/atlas-fetch");
  assert.match(String(npm.version), /^\d+\.\d+\.\d+/);
  assert.equal(jsr.version, npm.version);
  assert.equal(jsr.license, npm.license);

  const { "./package.json": own, ...built } = Object(npm.exports);
  assert.equal(own, "./package.json");
  assert.deepEqual(Object.keys(Object(jsr.exports)), Object.keys(built));
  for (const [key, source] of Object.entries(Object(jsr.exports))) {
    // Each is there, and the built one is made from it.
    assert.ok((await readFile(new URL(String(source), ROOT), "utf8")).length > 0);
    const output = String(source).replace(/^\.\//, "./dist/");
    assert.deepEqual(built[key], { types: output.replace(/\.ts$/, ".d.ts"), default: output.replace(/\.ts$/, ".js") });
  }
  // For compilers that do not read exports.
  const { ".": root, ...others } = built;
  assert.deepEqual([npm.main, npm.types], [root.default, root.types]);
  const paths = Object.entries<{ types: string }>(others).map(([key, { types }]) => [key.replace("./", ""), [types]]);
  assert.deepEqual(npm.typesVersions, { "*": Object.fromEntries(paths) });
});

test("package.json has no dependency", async () => {
  const npm = await readJson("package.json");
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies", "bundleDependencies"]) {
    assert.equal(npm[kind], undefined, kind);
  }
  for (const [name, version] of Object.entries(Object(npm.devDependencies))) {
    assert.match(String(version), /^\d+\.\d+\.\d+$/, `${name} is not pinned`);
  }
});

test("mod.ts exports what the design says, and all of ./digest", () => {
  assert.deepEqual(Object.keys(root).sort(), [
    "AtlasError",
    "atlasFetch",
    "createAtlasFetch",
    "createBearerFetch",
    "createDigestFetch",
    "createRetryFetch",
    "createTokenSource",
    "digestAuthorization",
    "ensureOk",
    "findDigestChallenge",
    "paginate",
    "parseChallenges",
  ]);
  const names = ["createDigestFetch", "digestAuthorization", "findDigestChallenge", "parseChallenges"];
  assert.deepEqual(Object.keys(digest).sort(), names);
  for (const [name, value] of Object.entries(digest)) assert.equal(Reflect.get(root, name), value);
  assert.deepEqual(Object.keys(testing).sort(), ["createFakeAtlas", "serveFakeAtlas"]);
});

test("mod.ts, ./digest and ./testing do nothing when they are imported", async () => {
  const entries = ["mod.ts", "lib/digest/mod.ts", "lib/testing.ts"].map((path) => new URL(path, ROOT).href);
  const code = `
    const read = [];
    const spy = (name) => (_target, key) => { read.push(name + " " + String(key)); return undefined; };
    const { env } = process;
    const modules = [];
    const before = { fetch: globalThis.fetch };
    globalThis.fetch = () => { throw new Error("fetch was called"); };
    for (const entry of ${JSON.stringify(entries)}) {
      process.env = new Proxy({}, { get: spy("get"), has: spy("has"), ownKeys: () => { read.push("all"); return []; } });
      modules.push(await import(entry));
      process.env = env;
    }
    const own = read.filter((name) => /atlas|mongodb|^all$/i.test(name));
    read.length = 0;
    process.env = new Proxy({}, { get: spy("get") });
    const error = await modules[0].atlasFetch("/").catch((error) => error);
    process.env = env;
    console.log(JSON.stringify({ own, error: error.name, later: read.includes("get MONGODB_ATLAS_CLIENT_ID") }));
  `;
  const args = process.versions.deno
    ? ["eval", code]
    : process.versions.bun
    ? ["-e", code]
    : ["--import", "tsx", "--input-type=module", "-e", code];
  const cwd = fileURLToPath(ROOT);
  // That it ends by itself shows that no timer and no server is left.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 60_000 });
  assert.deepEqual(JSON.parse(stdout), { own: [], error: "TypeError", later: true });
});

// The house --------------------------------------------------------------------------------------------

interface Import {
  from: string;
  to: string;
  /** Types are erased: they may cross freely. */
  isType: boolean;
  /** By `import()`. */
  isOnDemand: boolean;
}

/** The source without comments: of those that begin a line or follow a space. */
async function codeOf(path: string): Promise<string> {
  const source = await readFile(new URL(path, ROOT), "utf8");
  return source.replace(/^\s*\/\*[^]*?\*\//gm, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

async function sources(): Promise<string[]> {
  const paths = await readdir(new URL("lib/", ROOT), { recursive: true });
  const files = paths.map((path) => `lib/${path.replaceAll("\\", "/")}`).filter((path) => path.endsWith(".ts"));
  return [...files, "mod.ts"];
}

async function importsOf(path: string): Promise<Import[]> {
  const code = await codeOf(path);
  const statements = [...code.matchAll(/^(?:import|export)\s+(type\s+)?([^;"]*?)\s*from\s+"([^"]+)";$/gm)];
  const onDemand = [...code.matchAll(/\bawait import\("([^"]+)"\)/g)];
  // What the patterns do not know would go unseen.
  assert.equal(statements.length, [...code.matchAll(/\bfrom\s+"/g)].length, path);
  assert.equal(onDemand.length, [...code.matchAll(/\bimport\s*[("]/g)].length, path);
  assert.doesNotMatch(code, /\brequire\s*\(|export\s+\*/, path);
  const fileOf = (specifier = "") => {
    return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
  };
  return [
    ...statements.map(([, type, names = "", specifier]) => ({
      from: path,
      to: fileOf(specifier),
      isType: type !== undefined ||
        names.replace(/[{}]/g, "").split(",").every((name) => /^\s*(type\s.*)?$/.test(name)),
      isOnDemand: false,
    })),
    ...onDemand.map(([, specifier]) => ({ from: path, to: fileOf(specifier), isType: false, isOnDemand: true })),
  ];
}

const PURE = "lib/digest/(challenge|hash|authorization|connection)\\.ts";
/** What may import what. For a file the first line counts that it matches. */
const DIRECTIONS: readonly { from: string; to: string }[] = [
  // Pure files import nothing but each other.
  { from: PURE, to: `${PURE}|node:crypto` },
  { from: "lib/json.ts", to: PURE },
  // Digest knows nothing of the rest.
  { from: "lib/digest/.*", to: "lib/digest/.*|node:crypto" },
  // The layers and what they share know nothing of each other.
  {
    from: "lib/(atlas_error|bearer_fetch|credentials|paginate|pause|retry_fetch|token_source).ts",
    to: "lib/(digest/(?!digest_fetch|mod).*|atlas_error.ts|json.ts|pause.ts)",
  },
  // What composes them.
  { from: "lib/atlas_fetch.ts", to: "lib/(?!cli|testing|digest/mod).*" },
  // The fake judges the client, so it shares nothing with it.
  { from: "lib/testing.*", to: "lib/testing/.*|node:.*" },
  // The tops. The command takes the fake on demand.
  { from: "mod.ts", to: "lib/(?!cli|testing|digest/mod).*" },
  { from: "lib/cli.*", to: "lib/(?!testing|cli\\.ts).*|node:.*" },
];

test("lib/ imports in one direction only", async () => {
  const all = (await Promise.all((await sources()).map(importsOf))).flat();
  const values = all.filter(({ isType }) => !isType);
  assert.ok(
    values.some(({ from, to }) => from === "lib/atlas_fetch.ts" && to === "lib/retry_fetch.ts"),
    "Nothing is read",
  );

  // No package: relative files, and Node's own modules.
  for (const { from, to } of all) assert.match(to, /^(node:[a-z/]+|lib\/[a-z/_]+\.ts)$/, from);

  const wrong = values.filter(({ from, to, isOnDemand }) => {
    const direction = DIRECTIONS.find((one) => new RegExp(`^(${one.from})$`).test(from));
    const isAllowed = direction && new RegExp(`^(${direction.to})$`).test(to);
    const isFake = from.startsWith("lib/cli/") && to === "lib/testing.ts" && isOnDemand;
    return !isAllowed && !isFake;
  });
  assert.deepEqual(wrong, []);
  // Digest knows not even types of the rest.
  for (const { from, to } of all.filter(({ from }) => from.startsWith("lib/digest/"))) {
    assert.match(to, /^(lib\/digest\/|node:crypto$)/, from);
  }
  // Nobody imports the tops.
  assert.deepEqual(all.filter(({ to, isType }) => ["mod.ts", "lib/cli.ts"].includes(to) && !isType), []);

  // One direction: taking away what imports nothing that is left, all is taken away.
  let left = values.filter(({ to }) => to.startsWith("lib/"));
  for (let before = Infinity; left.length < before;) {
    before = left.length;
    left = left.filter(({ to }) => left.some(({ from }) => from === to));
  }
  assert.deepEqual(left, []);
});

test("lib/digest/ is for any server, and its pure files are pure", async () => {
  for (const path of (await sources()).filter((path) => path.startsWith("lib/digest/"))) {
    const source = await readFile(new URL(path, ROOT), "utf8");
    assert.doesNotMatch(source.replaceAll('"atlas-fetch/digest"', ""), /atlas|mongo/i, path);
  }
  for (const name of ["challenge", "authorization", "connection"]) {
    const code = await codeOf(`lib/digest/${name}.ts`);
    assert.match(code, /export function/);
    assert.doesNotMatch(
      code,
      /\b(async|await|Promise|Date|performance|random\w*|crypto|setTimeout|setImmediate|process|globalThis|console)\b|\bfetch\(/,
    );
  }
});

test("lib/ has one class, no double casts and no directives for the compiler", async () => {
  const classes: string[] = [];
  for (const path of await sources()) {
    const code = await codeOf(path);
    classes.push(...[...code.matchAll(/\bclass (\w+)/g)].map(([, name]) => String(name)));
    assert.doesNotMatch(code, /\bas unknown as\b/, path);
    assert.doesNotMatch(await readFile(new URL(path, ROOT), "utf8"), /@ts-|c8 ignore(?! .*--)/, path);
  }
  assert.deepEqual(classes, ["AtlasError"]);
});

// Types: what matters is that these compile ------------------------------------------------------------

test("Fetch is what every wrapper is, and what takes a fetch takes", async () => {
  const fake = testing.createFakeAtlas();
  const token = () => Promise.resolve("token");
  const wrappers: Fetch[] = [
    atlasFetch,
    createAtlasFetch({ credentials: fake.credentials, fetch: fake }),
    createBearerFetch({ token, fetch: fake }),
    createDigestFetch({ username: "a", password: "b", fetch: fake }),
    createRetryFetch({ fetch: fake }),
    fake,
    globalThis.fetch,
  ];
  const atlas: AtlasFetch = atlasFetch;

  // Parameters as libraries declare them: after the global fetch, and as openapi-fetch does.
  type GlobalFetch = (...args: Parameters<typeof globalThis.fetch>) => ReturnType<typeof globalThis.fetch>;
  const asGlobal = (fetch: GlobalFetch) => typeof fetch;
  const asOpenapi = (options: { fetch?: (input: Request) => Promise<Response> }) => typeof options.fetch;
  for (const fetch of [...wrappers, atlas]) {
    assert.equal(asGlobal(fetch), "function");
    assert.equal(asOpenapi({ fetch }), "function");
  }

  // Each can stand where another's fetch is wanted, the global one too.
  for (const fetch of [...wrappers, atlas, undefined]) {
    const made: Fetch[] = [
      createAtlasFetch({
        fetch,
        credentials: fake.credentials,
        baseUrl: undefined,
        version: undefined,
        retry: undefined,
      }),
      createBearerFetch({ token, fetch }),
      createDigestFetch({ username: "a", password: "b", fetch }),
      createRetryFetch({ fetch, limit: undefined, maxDelay: undefined }),
    ];
    assert.ok(made.every((one) => typeof one === "function"));
  }
  const items: AsyncGenerator<{ name: string }, void> = paginate<{ name: string }>(atlas, "/groups", { version: "x" });
  assert.equal((await items.return()).done, true);
});

test("Fetch refuses what is none, and AtlasFetch what Atlas does not know", () => {
  // @ts-expect-error it gives no promise
  const wrong: Fetch = () => new Response();
  // @ts-expect-error it wants more than a fetch is given
  const demanding: Fetch = (_input: string, _init: RequestInit) => Promise.resolve(new Response());
  // @ts-expect-error half a pair
  assert.throws(() => createAtlasFetch({ credentials: { publicKey: "a" } }), TypeError);
  // @ts-expect-error no such format
  const init: Parameters<AtlasFetch>[1] = { format: "xml" };
  assert.deepEqual([typeof wrong, typeof demanding, init?.method], ["function", "function", undefined]);
});
