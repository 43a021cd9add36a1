// The command as a new user meets it: in a terminal, on each runtime, with Ctrl-C, pipes and redirections.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { path, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "test/interop/node_modules");
const deno = join(modules, "deno/deno");
const runtimes = [
  { name: "Node 26", program: join(modules, "node26/bin/node"), args: [] },
  {
    name: "Deno",
    program: join(modules, "deno/deno"),
    args: ["run", "-A", "--no-check"],
  },
  { name: "Bun", program: join(modules, ".bin/bun"), args: [] },
];

type Variables = Record<string, string>;

/** What a terminal of 80 by 24 shows of a command line of bash, and how that ends; `type` types into it. */
function terminal(line: string, variables: Variables) {
  const child = spawn("script", [
    "-qfec",
    `stty cols 80 rows 24 -echo; ${line}`,
    "/dev/null",
  ], {
    cwd: root,
    env: {
      PATH: path,
      HOME: tmpdir(),
      LANG: "C.UTF-8",
      TERM: "xterm",
      SHELL: "/bin/bash",
      ...variables,
    },
  });
  let shown = "";
  let look = () => {};
  child.stdout.on("data", (data) => {
    shown += String(data).replaceAll("\x1b", "ESC");
    look();
  });
  return {
    type: (keys: string) => child.stdin.write(keys),
    /** Waits until it shows this. */
    shows: (text: RegExp) =>
      new Promise<void>((resolve) => {
        look = () => text.test(shown) && resolve();
        look();
      }),
    ended: once(child, "close").then(([code]) => ({
      code: Number(code),
      shown: shown.replaceAll("\r\n", "\n"),
    })),
  };
}

async function serving(
  listener: RequestListener,
  work: (variables: Variables) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  const url = `http://127.0.0.1:${address.port}`;
  try {
    await work({
      ATLAS_USER: "abcdefgh",
      ATLAS_USER_KEY: "s3cr3t",
      MONGODB_ATLAS_BASE_URL: url,
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What is left of it: a line that was erased is gone. Deno erases some on its own. */
function left(shown: string): string {
  return shown.replaceAll(/[^\n]*(\rESC\[K|ESC\[0GESC\[2KESC\[J)/g, "");
}

const texts = JSON.stringify(Array(200_000).fill("\x9b a line"));

/** A download that never ends, a cluster that is never ready, a list whose second page never comes, and much text. */
const endless: RequestListener = ({ url = "" }, response) => {
  if (url.endsWith(".gz")) response.write(Buffer.alloc(3_000_000));
  else if (url.includes("cluster")) response.end('{"stateName":"CREATING\\u001b[2J"}');
  else if (url.includes("pageNum=2")) response.flushHeaders();
  else if (url.includes("list")) response.end('{"results":[1,2],"links":[{"rel":"next","href":"?pageNum=2"}]}');
  else response.setHeader("Content-Type", "application/json").end(texts);
};

/** What somebody types on the first day, the exit code, and what is left on the screen. */
const firstDay: [line: string, code: number, left: RegExp][] = [
  ["/groups -q results[].name", 0, /^project-1\nproject-2\nproject-3\n$/],
  ["/ -q appName", 0, /^MongoDB Atlas\n$/],
  ["/groups?itemsPerPage=1", 0, /^\{\n {2}"links": \[\n {4}\{\n(?: {2}.*\n)+\}\n$/],
  [
    "/grups",
    4,
    /^404 RESOURCE_NOT_FOUND at \/api\/atlas\/v2\/grups: Cannot find resource \/api\/atlas\/v2\/grups\.?\n$/,
  ],
  ["/groups --paginat", 2, /^There is no option --paginat: did you mean --paginate\?\n$/],
  ["/groups -X POST -d {name: x}", 2, /two paths/],
  [
    "/groups -X POST -d {name:x}",
    2,
    /^Cannot send --data: it is no JSON\. If a shell has eaten its quotes, use a file/,
  ],
  ["/groups/{groupId}/clusters/x/logs/mongodb.gz", 2, /^Nothing fills in \{groupId\}: set MONGODB_ATLAS_PROJECT_ID/],
  ["/logs/mongodb.gz", 2, /^Cannot show gzip on a terminal: save it by --output FILE\n$/],
  ["", 2, /^Cannot ask: no PATH is given\. Try atlas-fetch \/groups, or atlas-fetch --help\n$/],
];

await whereInstalled("The first mistakes in a terminal", ["script", "bash"], () => {
  test("atlas-fetch answers the first mistakes in a terminal in one line", async () => {
    const fake = await serveFakeAtlas();
    const refusing = await serveFakeAtlas({ refusedAddress: "203.0.113.9" });
    const variables = ({ url, credentials }: typeof fake) => ({
      MONGODB_ATLAS_BASE_URL: url,
      MONGODB_ATLAS_PUBLIC_API_KEY: credentials.publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: credentials.privateKey,
    });
    const wrongKey = { ...variables(fake), MONGODB_ATLAS_PRIVATE_API_KEY: "wr0ng" };
    const days: [...typeof firstDay[number], Variables][] = [
      ...firstDay.map((day): [...typeof day, Variables] => [...day, variables(fake)]),
      ["/groups", 2, /^Cannot find Atlas credentials: set MONGODB_ATLAS_ACCESS_TOKEN, or (.|\n)*--fake\n$/, {}],
      ["/groups", 4, /^401 UNEXPECTED_ERROR at \/api\/atlas\/v2\/groups: (.|\n)*private key/, wrongKey],
      [
        "/groups",
        4,
        /^403 IP_ADDRESS_NOT_ON_ACCESS_LIST (.|\n)*203\.0\.113\.9(.|\n)*Add your address to the access list/,
        variables(refusing),
      ],
    ];
    try {
      await Promise.all(days.map(async ([line, code, screen, given]) => {
        const outcome = await terminal(`${process.execPath} --import tsx lib/cli.ts ${line}`, given).ended;
        assert.equal(outcome.code, code, `${line}: ${outcome.shown}`);
        assert.match(left(outcome.shown), screen);
        assert.doesNotMatch(outcome.shown, /wr0ng/);
      }));
    } finally {
      await Promise.all([fake.close(), refusing.close()]);
    }
  });
});

await whereInstalled("The command on Deno in a terminal", ["script", "bash", deno], () => {
  test("atlas-fetch on Deno is content with network, environment and files to read, and lets Deno ask for no more", async () => {
    const account = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_secret" };
    const fake = await serveFakeAtlas({ serviceAccount: account });
    const home = await mkdtemp(join(tmpdir(), "atlas-fetch-home-"));
    const variables = {
      MONGODB_ATLAS_BASE_URL: fake.url,
      MONGODB_ATLAS_CLIENT_ID: account.clientId,
      MONGODB_ATLAS_CLIENT_SECRET: account.clientSecret,
      XDG_CACHE_HOME: home,
    };
    const groups = "lib/cli.ts /groups -q totalCount";
    const lines: [line: string, kept: number][] = [
      [`${deno} run --no-check -NER ${groups}`, 0],
      [`${deno} run --no-check -NERW --allow-sys=uid ${groups}`, 1],
    ];
    try {
      for (const [line, kept] of lines) {
        const { code, shown } = await terminal(line, variables).ended;
        assert.deepEqual([code, left(shown)], [0, "3\n"]);
        const tokens = await readdir(join(home, "atlas-fetch")).catch(() => []); // Deno keeps things there too
        assert.equal(tokens.length, kept);
      }
    } finally {
      await fake.close();
      await rm(home, { recursive: true });
    }
  });
});

for (const { name, program, args } of runtimes) {
  const atlas = [program, ...args, "lib/cli.ts"].join(" ");
  await whereInstalled(`The command in a terminal on ${name}`, ["script", "bash", program], () => {
    test(`atlas-fetch in a terminal is ended by Ctrl-C with 130, and leaves no debris, on ${name}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-terminal-"));
      const file = join(folder, "log.gz");
      await writeFile(file, "old");
      await serving(endless, async (variables) => {
        const waiting = String.raw`stateName is "CREATING\\u001b\[2J"`;
        const calls: [line: string, during: RegExp, end: RegExp][] = [
          [`/x.gz -o ${file}`, /\rESC\[K3\.0 MB, \d\.\d MB\/s/, /^Ended by SIGINT\n$/],
          [
            "/cluster --wait stateName=IDLE",
            new RegExp(`${waiting}, \\d s`),
            new RegExp(`^Ended by SIGINT\\. ${waiting}\n$`),
          ],
          [
            "/list --paginate",
            /2$/,
            /^\[\n {2}1,\n {2}2\nEnded by SIGINT\. 2 items are out, and the array is not closed\n$/,
          ],
        ];
        for (const [line, during, end] of calls) {
          const { type, shows, ended } = terminal(`${atlas} ${line}`, variables);
          await shows(during);
          type("\x03");
          const { code, shown } = await ended;
          assert.equal(code, 130, shown);
          assert.match(left(shown), end);
        }
      });
      assert.deepEqual([await readdir(folder), await readFile(file, "utf8")], [["log.gz"], "old"]);
      await rm(folder, { recursive: true });
    });

    test(`atlas-fetch behaves in pipes and redirections, on ${name}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-terminal-"));
      await serving(endless, async (variables) => {
        const lines: [line: string, shown: RegExp][] = [
          [`${atlas} /x | head -1 | wc -l; echo "\${PIPESTATUS[@]}"`, /^\s*0\n0 0 0\n$/], // the bytes have no line end
          [`${atlas} /x -q '[]' | head -1; echo "\${PIPESTATUS[@]}"`, /^"\\u009b a line"\n0 0\n$/],
          [`${atlas} /x > ${folder}/out; echo $?`, /^0\n$/],
          [`${atlas} /x > /dev/full; echo $?`, /^Cannot write to standard output: .*(space|ENOSPC).*\n1\n$/],
          [`${atlas} /x -o /dev/full; echo $?`, /^Cannot write \/dev\/full: .*(space|ENOSPC).*\n1\n$/],
          [`${atlas} /x | tail -c 3 > /dev/null; echo "\${PIPESTATUS[0]}"`, /^0\n$/],
          [
            `${atlas} /x -o /dev/stdout | wc -c; echo "\${PIPESTATUS[0]}"`,
            new RegExp(`^\\s*${Buffer.byteLength(texts)}\n0\n$`),
          ],
          [`${atlas} /x 2> /dev/full >&2; echo $?`, /^1\n$/],
        ];
        for (const [line, screen] of lines) {
          const { shown } = await terminal(line, variables).ended;
          assert.match(left(shown), screen, line);
        }
        assert.equal(await readFile(join(folder, "out"), "utf8"), texts);
        await Promise.all([{ NO_COLOR: "1" }, { TERM: "dumb" }].map(async (plain) => {
          const { type, shows, ended } = terminal(`echo start; ${atlas} /x.gz -o ${folder}/log`, {
            ...variables,
            ...plain,
          });
          await shows(/start/);
          await new Promise((resolve) => setTimeout(resolve, 4000)); // a line that is rewritten would be, by now
          type("\x03");
          assert.match((await ended).shown, /^start\n(ESC\[0GESC\[2KESC\[J)*Ended by SIGINT\n$/);
        }));
      });
      await rm(folder, { recursive: true });
    });
  });
}
