/** What is printed for a shell to run: a call as a curl command, and the variables of a fake that is served. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { arrayBuffer } from "node:stream/consumers";
import { createAtlasFetch } from "../atlas_fetch.ts";
import { baseUrlIn, CREDENTIAL_VARIABLES } from "../credentials.ts";
import type { Fetch } from "../digest/call.ts";
import { memberOf, textOf } from "../json.ts";
import { createFake, fillIn } from "./atlas.ts";
import type { Run } from "./client.ts";
import type { Screen } from "./output.ts";
import { failure, type System } from "./system.ts";

const API_KEY = ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"];
const HOST = "127.0.0.1";

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Prints what to type for curl to send the same call. */
export async function printCurl(run: Run): Promise<void> {
  const { options: { method, data, output, maxTime, include, paginate, query, wait }, env, screen } = run;
  const { url, headers } = await requestOf(run);
  const isUsual = method === (data === undefined ? "GET" : "POST");
  const call = [
    output ? `--fail -o ${quoted(output)}` : "--fail-with-body", // a refusal is not saved
    include && "-i",
    maxTime && `--max-time ${maxTime / 1000}`,
    method === "HEAD" ? "--head" : !isUsual && `-X ${quoted(method)}`,
    ...Array.from(headers, ([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    data && `--data-binary ${quoted(data === "@-" ? "@FILE" : data)}`,
    quoted(url),
  ].filter(Boolean).join(" ");
  await screen.write(`${signed(call, new URL(url).origin, env)}\n`);
  const missed = [paginate && "--paginate", query && "--query", wait && "--wait"].filter(Boolean).join(", ");
  if (missed) await screen.tell(`curl has nothing like ${missed}: this asks once, for all there is`);
  if (data === "@-") await screen.tell("Standard input is taken: save the body, and name its file in place of FILE");
}

/** The request that would be sent. */
async function requestOf({ options, env }: Run): Promise<Request> {
  const { path, method, headers, data, format, "api-version": version } = options;
  const credentials = { publicKey: "none", privateKey: "none" };
  let request = new Request("https://cloud.mongodb.com");
  const fetch: Fetch = (input, init) => {
    request = new Request(input, init);
    return Promise.resolve(new Response());
  };
  const atlasFetch = createAtlasFetch({ credentials, baseUrl: baseUrlIn(env) || undefined, version, fetch });
  await atlasFetch(fillIn(path, env), { method, headers, body: data ? "{}" : null, format });
  return request;
}

/** Keys stay variables, and go to curl from `printf`, which is part of the shell: no list of processes shows them. */
function signed(call: string, origin: string, env: System["env"]): string {
  const names = CREDENTIAL_VARIABLES.find((names) => names.every((name) => env[name])) ?? API_KEY;
  const values = names.map((name) => `"$${name}"`).join(" ");
  const curl = "curl -sS --globoff --config -";
  const withUser = `printf 'user = "%s:%s"\\n' ${values} | ${curl}`;
  const withToken = (token: string) => `printf 'header = "Authorization: Bearer %s"\\n' ${token} | ${curl} ${call}`;
  if (names.length === 1) return withToken(values);
  if (!/CLIENT/.test(values)) return `${withUser} --digest ${call}`;
  const mint = `${withUser} --fail -d grant_type=client_credentials ${quoted(`${origin}/api/oauth/token`)}`;
  return `token=$(${mint} | sed -n 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p')\n${withToken('"$token"')}`;
}

/** Serves a fake Atlas until Ctrl-C, and prints what makes a shell, and all that it starts, ask it. */
export async function serve(port: number, { env, signal, stdout }: System, screen: Screen): Promise<void> {
  const fake = await createFake();

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "", url: target = "", headers } = incoming;
    const body = await arrayBuffer(incoming);
    const response = await fake.fetch(new URL(target, `http://${headers.host}`), {
      method,
      headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
      body: body.byteLength > 0 ? body : null,
    });
    await screen.tell(`${method} ${target} ${response.status}`);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  }

  // It fails for a client that has gone, and for a GET with a body.
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing).catch(() => outgoing.destroy()));
  try {
    await once(server.listen(port, HOST), "listening").catch((error: unknown) => {
      throw failure(1, `Cannot serve: ${textOf(error, "message")}. Try another --port, or none for a free one`);
    });
    const url = `http://${HOST}:${memberOf(server.address(), "port")}`;
    await stdout.write(exportsOf({ MONGODB_ATLAS_BASE_URL: url, ...fake.env }, env));
    await screen.tell(`A fake Atlas is at ${url} until Ctrl-C; what is printed here is for a shell to read`);
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    server.close();
    server.closeAllConnections();
  }
  if (memberOf(signal.reason, "exitCode") !== 130) throw signal.reason; // Ctrl-C is how it ends
}

/** Lines that set the variables of a fake, whose key is no secret, and unset those that would win. */
function exportsOf(fake: System["env"], { NO_PROXY, no_proxy }: System["env"]): string {
  const stronger = CREDENTIAL_VARIABLES.slice(0, CREDENTIAL_VARIABLES.findIndex(([name]) => name === API_KEY[0]));
  const withHost = (hosts = "") => hosts === "*" ? hosts : [hosts, HOST].filter(Boolean).join();
  const values = { ...fake, NO_PROXY: withHost(NO_PROXY || no_proxy), no_proxy: withHost(no_proxy || NO_PROXY) };
  const exports = Object.entries(values).map(([name, value]) => `export ${name}=${quoted(String(value))}\n`);
  return `unset ${stronger.flat().join(" ")}\n${exports.join("")}`;
}
