import { CREDENTIAL_VARIABLES } from "../credentials.ts";
import type { Fetch } from "../digest/call.ts";
import { fillIn, placeIn } from "./atlas.ts";
import { createClient, type Run } from "./client.ts";

/** For a shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * What to type for curl to send the same call. Keys stay variables, and go to it through a pipe from `printf`, which is
 * part of the shell: so no list of processes shows them.
 */
export async function curlCommand(run: Run): Promise<string> {
  const { method, data, output, timeout, include } = run.options;
  const { env } = run.system;
  const { url, headers } = await requestOf(run);
  const isUsual = method === (data === undefined ? "GET" : "POST");
  const call = [
    output === undefined ? "--fail-with-body" : `--fail -o ${quoted(output)}`, // a refusal is not saved
    include && "-i",
    timeout && `--max-time ${timeout / 1000}`,
    method === "HEAD" ? "--head" : !isUsual && `-X ${quoted(method)}`,
    ...Array.from(headers, ([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    data && `--data-binary ${quoted(data === "@-" ? "@FILE" : data)}`,
    quoted(url.href),
  ].filter(Boolean).join(" ");

  const names = CREDENTIAL_VARIABLES.find((names) => names.every((name) => env[name])) ??
    ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"];
  const values = names.map((name) => `"$${name}"`).join(" ");
  const curl = "curl -sS --globoff --config -";
  const withUser = `printf 'user = "%s:%s"\\n' ${values} | ${curl}`;
  const withToken = (token: string) => `printf 'header = "Authorization: Bearer %s"\\n' ${token} | ${curl} ${call}\n`;
  if (names.length === 1) return withToken(values);
  if (!/CLIENT/.test(names.join())) return `${withUser} --digest ${call}\n`;
  const mint = `${withUser} --fail -d grant_type=client_credentials ${quoted(`${url.origin}/api/oauth/token`)}`;
  return `token=$(${mint} | sed -n 's/.*"access_token" *: *"\\([^"]*\\)".*/\\1/p')\n${withToken('"$token"')}`;
}

/** The request that would be sent. */
async function requestOf(run: Run): Promise<{ url: URL; headers: Headers }> {
  const { baseUrl, idOf } = placeIn(run.system.env);
  let request = { url: new URL("https://cloud.mongodb.com"), headers: new Headers() };
  const fetch: Fetch = (input, init) => {
    request = { url: new URL(String(input)), headers: new Headers(init?.headers) };
    return Promise.resolve(new Response());
  };
  const atlas = { credentials: { publicKey: "none", privateKey: "none" }, baseUrl, fetch, idOf };
  const silent = { ...run, options: { ...run.options, verbose: false } };
  await createClient(silent, atlas, run.options.data && "{}")(fillIn(run.options.path, idOf));
  return request;
}
