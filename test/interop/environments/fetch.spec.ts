/** What environments_test.ts has vitest run: what fetch sends under jsdom and happy-dom, ours send too. */

import { beforeAll, describe, expect, test } from "vitest";
import {
  type ApiKey,
  createAtlasFetch,
  createBearerFetch,
  createDigestFetch,
  createRetryFetch,
  createTokenSource,
  type Fetch,
  type ServiceAccount,
} from "../../../mod.ts";

/** What environments_test.ts serves, and where. Both servers answer with what they got. */
export interface Served {
  /** Without authentication. */
  openUrl: string;
  atlasUrl: string;
  apiKey: ApiKey;
  serviceAccount: ServiceAccount;
}

const { openUrl, atlasUrl, apiKey, serviceAccount }: Served = JSON.parse(process.env.SERVED ?? "");
const { publicKey: username, privateKey: password } = apiKey;
const path = "/api/atlas/v2/echo";
const retry = { limit: 1, maxDelay: 1 };

// One token each: a service account has at most 100.
const token = createTokenSource({ ...serviceAccount, tokenUrl: `${atlasUrl}/api/oauth/token` });
const credentials = { ...serviceAccount, tokenStore: new Map<string, string>() };

const makers: [name: string, url: string, make: () => Fetch][] = [
  ["createRetryFetch()", openUrl, () => createRetryFetch(retry)],
  ["createDigestFetch()", atlasUrl, () => createDigestFetch({ username, password })],
  ["createBearerFetch()", atlasUrl, () => createBearerFetch({ token })],
  ["createAtlasFetch() with an API key", atlasUrl, () => {
    return createAtlasFetch({ credentials: apiKey, baseUrl: atlasUrl, retry });
  }],
  ["createAtlasFetch() with a service account", atlasUrl, () => {
    return createAtlasFetch({ credentials, baseUrl: atlasUrl, retry });
  }],
];

const bytes = () => new Uint8Array([0, 255, 13, 10, 128]);
const blob = (text = "") => new Blob([text, bytes()], { type: "text/x-blob" });
const params = () => new URLSearchParams({ a: "b c", d: "é" });
const form = (file?: Blob) => {
  const data = new FormData();
  data.append("text", "Zoë");
  if (file) data.append("file", file, "name.txt");
  return data;
};
const large = "large ".repeat(4000);

const bodies: Record<string, () => NonNullable<RequestInit["body"]>> = {
  "an empty string": () => "",
  "a string": () => "Zoë",
  "a large string": () => large,
  "a Uint8Array": bytes,
  "an ArrayBuffer": () => bytes().buffer,
  "a DataView": () => new DataView(bytes().buffer, 1, 3),
  "an empty Uint8Array": () => new Uint8Array(),
  "a Blob": () => blob(),
  "a large Blob": () => blob(large),
  "a File": () => new File([bytes()], "name", { type: "text/x-file" }),
  "URLSearchParams": params,
  "FormData": () => form(),
};
// fetch hangs with a Blob of jsdom in it.
if (!("jsdom" in globalThis)) bodies["FormData with a Blob"] = () => form(blob());

type Arguments = [input: string | URL | Request, init?: RequestInit];

/** The arguments for fetch, made anew for each call. */
const calls: [what: string, call: (url: string) => Arguments][] = [
  ["nothing", (url) => [url]],
  ["a URL object", (url) => [new URL(url)]],
  ["Headers", (url) => [url, { method: "PUT", body: "{}", headers: new Headers({ "content-type": "text/x-own" }) }]],
  ...Object.entries(bodies).flatMap(([what, body]): typeof calls => [
    [what, (url) => [url, { method: "POST", body: body() }]],
    [`a Request of ${what}`, (url) => [new Request(url, { method: "POST", body: body() })]],
  ]),
  ["a signal", (url) => [url, { method: "POST", body: bytes(), signal: new AbortController().signal }]],
  ["a Request with a signal", (url) => [new Request(url, { signal: new AbortController().signal })]],
  ["an aborted signal", (url) => [url, { signal: AbortSignal.abort() }]],
  ["a signal aborted with a reason", (url) => [url, { signal: AbortSignal.abort(new RangeError("Enough")) }]],
  ["a signal that is aborted meanwhile", (url) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    return [`${url}/slow`, { signal: controller.signal }];
  }],
  ["a signal of a timeout", (url) => [`${url}/slow`, { signal: AbortSignal.timeout(50) }]],
];

/** What the server got, or how the call failed. */
async function outcomeOf(fetch: Fetch, [input, init]: Arguments): Promise<unknown> {
  try {
    const response = await fetch(input, init);
    const text = await response.text();
    return response.status === 200 ? JSON.parse(text) : `${response.status} ${text}`;
  } catch (error) {
    const { name, message } = Object(error);
    return { name, message };
  }
}

describe.each(calls)("%s", (_what, call) => {
  let plain: unknown;
  beforeAll(async () => {
    plain = await outcomeOf(fetch, call(openUrl + path));
  });

  test.each(makers)("%s does what fetch does", async (name, url, make) => {
    const ours = await outcomeOf(make(), call(url + path));
    const [, init] = call(url);
    const isUntyped = typeof init?.body === "string" && !init.headers;
    // Atlas refuses text/plain.
    const expected = isUntyped && name.startsWith("createAtlasFetch")
      ? { ...Object(plain), type: "application/json" }
      : plain;
    expect(ours).toEqual(expected);
  });
});

test.each(makers)("%s sends the init's body instead of the Request's", async (_name, url, make) => {
  const request = new Request(url + path, { method: "POST", body: "old" });
  expect(await outcomeOf(make(), [request, { body: "new" }])).toMatchObject({ body: "new" }); // happy-dom's sends the old one
});
