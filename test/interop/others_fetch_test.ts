/** Clients of others that take a fetch: with ours, on a Digest server, they do what they do with the runtime's on an open one. */

import test from "node:test";
import assert from "node:assert/strict";
import { request } from "@octokit/request";
import axios from "axios";
import ky from "ky";
import wretch from "wretch";
import FormDataAddon from "wretch/addons/formData";
import FormUrlAddon from "wretch/addons/formUrl";
import QueryStringAddon from "wretch/addons/queryString";
import { retry } from "wretch/middlewares/retry";
import { createDigestFetch, createRetryFetch, type Fetch } from "../../mod.ts";
import { ada } from "../digest_client.ts";
import { type Seen, servingDigest } from "../digest_server.ts";

/** What a client does, and what comes of it. */
type Use = (fetch: Fetch, url: string, untilArrived: AbortSignal) => Promise<unknown>;

const once = { limit: 1, delay: () => 1 };
const large = "large ".repeat(4000);
const nameOf = (promise: Promise<unknown>) => promise.then(() => "no error", ({ name }) => name);
const bytes = () => new Uint8Array([0, 255, 13, 10, 128]);
const form = () => {
  const data = new FormData();
  data.append("text", "Zoë");
  data.append("file", new Blob(["in a file"], { type: "text/x-file" }), "name.txt");
  return data;
};

const bodies: Record<string, () => NonNullable<RequestInit["body"]>> = {
  "a string": () => "Zoë",
  "a large string": () => large,
  "a Uint8Array": bytes,
  "an ArrayBuffer": () => bytes().buffer,
  "a Blob": () => new Blob(["in a blob"], { type: "text/x-blob" }),
  "a Blob without a type": () => new Blob([bytes()]),
  "URLSearchParams": () => new URLSearchParams({ a: "b c" }),
  "FormData": form,
};
const usesOfFetch: Record<string, Use> = Object.fromEntries(
  Object.entries(bodies).flatMap(([name, body]): [string, Use][] => [
    [`posts ${name}`, async (fetch, url) => {
      return await (await fetch(`${url}/echo`, { method: "POST", body: body() })).json();
    }],
    [`posts a Request of ${name}`, async (fetch, url) => {
      return await (await fetch(new Request(`${url}/echo`, { method: "POST", body: body() }))).json();
    }],
  ]),
);

const usesOfKy: Record<string, Use> = {
  "gets JSON below a prefix": (fetch, url) => {
    return ky.create({ fetch, prefixUrl: url }).get("echo", { searchParams: { a: "b c", d: 1 } }).json();
  },
  "posts JSON": (fetch, url) => ky.post(`${url}/echo`, { fetch, json: { name: "Zoë", list: [1] } }).json(),
  "posts a large body": (fetch, url) => ky.post(`${url}/echo`, { fetch, body: large }).json(),
  "posts a form": (fetch, url) => ky.post(`${url}/echo`, { fetch, body: form() }).json(),
  "puts parameters": (fetch, url) => ky.put(`${url}/echo`, { fetch, body: new URLSearchParams({ a: "b c" }) }).json(),
  "patches bytes": (fetch, url) => ky.patch(`${url}/echo`, { fetch, body: bytes() }).json(),
  "deletes": (fetch, url) => ky.delete(`${url}/empty`, { fetch }).then(({ status }) => status),
  "asks for the head": (fetch, url) => ky.head(`${url}/echo`, { fetch }).then(({ status }) => status),
  "takes a Request": (fetch, url) => ky(new Request(`${url}/echo`, { method: "POST", body: "own" }), { fetch }).json(),
  "follows a redirect": (fetch, url) => ky(`${url}/moved`, { fetch }).then(({ redirected, url }) => [redirected, url]),
  "throws for a 404": (fetch, url) => ky(`${url}/missing`, { fetch }).catch(({ name, message }) => [name, message]),
  "reads the body of a 404": (fetch, url) => ky(`${url}/missing`, { fetch, throwHttpErrors: false }).json(),
  "retries": (fetch, url) => ky(`${url}/unavailable`, { fetch, retry: once }).text(),
  "retries a PUT with its body": (fetch, url) =>
    ky.put(`${url}/unavailable`, { fetch, json: { a: 1 }, retry: once }).text(),
  "calls its hooks": async (fetch, url) => {
    const called: string[] = [];
    const client = ky.create({
      fetch,
      retry: once,
      hooks: {
        beforeRequest: [({ headers }) => headers.set("x-hook", "set")],
        beforeRetry: [({ retryCount }) => void called.push(`retry ${retryCount}`)],
        beforeError: [(error) => (called.push(error.message), error)],
        afterResponse: [(_request, _options, { status }) => void called.push(`${status}`)],
      },
    });
    const texts = [await client(`${url}/echo`).text(), await nameOf(client(`${url}/missing`))];
    return [texts, called];
  },
  "replaces a response by its hook": (fetch, url) => {
    const replacement = () => new Response("replaced");
    return ky(`${url}/echo`, { fetch, hooks: { afterResponse: [replacement] } }).text();
  },
  "tells progress": async (fetch, url) => {
    const told: number[] = [];
    await ky(`${url}/bytes`, { fetch, onDownloadProgress: ({ percent }) => told.push(percent) }).arrayBuffer();
    return told.at(-1);
  },
  "ends at its timeout": (fetch, url) => nameOf(ky(`${url}/never`, { fetch, timeout: 500 })),
  "is aborted": (fetch, url, untilArrived) => nameOf(ky(`${url}/never`, { fetch, signal: untilArrived })),
  "is aborted before": (fetch, url) => nameOf(ky(`${url}/echo`, { fetch, signal: AbortSignal.abort() })),
};

const usesOfWretch: Record<string, Use> = {
  "gets JSON": (fetch, url) => wretch(url).polyfills({ fetch }).get("/echo").json(),
  "adds a query": (fetch, url) => {
    return wretch(url).polyfills({ fetch }).addon(QueryStringAddon).query({ a: "b c", d: [1, 2] }).get("/echo").json();
  },
  "posts JSON": (fetch, url) => wretch(url).polyfills({ fetch }).post({ name: "Zoë" }, "/echo").json(),
  "puts text": (fetch, url) => wretch(url).polyfills({ fetch }).content("text/plain").put("Zoë", "/echo").json(),
  "patches bytes": (fetch, url) =>
    wretch(url).polyfills({ fetch }).content("text/x-own").patch(bytes(), "/echo").json(),
  "posts a form": (fetch, url) => {
    return wretch(url).polyfills({ fetch, FormData }).addon(FormDataAddon).formData({ a: 1, b: ["c", "d"] }).post(
      "/echo",
    ).json();
  },
  "posts a form of its caller's": (fetch, url) => wretch(url).polyfills({ fetch }).post(form(), "/echo").json(),
  "posts parameters": (fetch, url) => {
    return wretch(url).polyfills({ fetch }).addon(FormUrlAddon).formUrl({ a: "b c", d: [1, 2] }).post("/echo").json();
  },
  "deletes": (fetch, url) => wretch(url).polyfills({ fetch }).delete("/empty").res(({ status }) => status),
  "asks for head and options": async (fetch, url) => {
    const client = wretch(url).polyfills({ fetch });
    return [await client.head("/echo").res(({ status }) => status), await client.opts("/echo").res(({ ok }) => ok)];
  },
  "reads bytes and blobs": async (fetch, url) => {
    const client = wretch(url).polyfills({ fetch });
    const { byteLength } = await client.get("/bytes").arrayBuffer<ArrayBuffer>();
    const { size, type } = await client.get("/bytes").blob<Blob>();
    return [byteLength, size, type];
  },
  "catches a 404": (fetch, url) => {
    return wretch(url).polyfills({ fetch }).get("/missing").notFound(({ status, text }) => [status, text]).json();
  },
  "calls its global catcher": (fetch, url) => {
    return wretch(url).polyfills({ fetch }).catcher(404, ({ message }) => message).get("/missing").text();
  },
  "retries": (fetch, url) => {
    const middleware = retry({ delayTimer: 1, maxAttempts: 1 });
    return wretch(url).polyfills({ fetch }).middlewares([middleware]).get("/unavailable").text();
  },
  "is aborted": (fetch, url, untilArrived) => {
    return nameOf(wretch(url, { signal: untilArrived }).polyfills({ fetch }).get("/never").res());
  },
};

const usesOfOctokit: Record<string, Use> = {
  "gets by a template": async (fetch, url) => {
    const { data, status } = await request("GET /{path}{?a}", {
      baseUrl: url,
      path: "echo",
      a: "b c",
      request: { fetch },
    });
    return [data, status];
  },
  "posts what it is given": async (fetch, url) => {
    const { data } = await request("POST /echo", { baseUrl: url, title: "Zoë", labels: ["a"], request: { fetch } });
    return data;
  },
  "puts nothing": (fetch, url) => {
    return request("PUT /empty", { baseUrl: url, request: { fetch } }).then(({ status, data }) => [status, data]);
  },
  "posts text": async (fetch, url) => {
    const headers = { "content-type": "text/plain" };
    return (await request("POST /echo", { baseUrl: url, data: "Zoë", headers, request: { fetch } })).data;
  },
  "posts bytes": async (fetch, url) => {
    const headers = { "content-type": "application/octet-stream" };
    return (await request("POST /echo", { baseUrl: url, data: bytes(), headers, request: { fetch } })).data;
  },
  "asks for the head": (fetch, url) => {
    return request("HEAD /echo", { baseUrl: url, request: { fetch } }).then(({ status }) => status);
  },
  "reads bytes": async (fetch, url) => {
    const { data } = await request("GET /bytes", { baseUrl: url, request: { fetch } });
    return new Uint8Array(data).length;
  },
  "leaves the body unread": async (fetch, url) => {
    const { data } = await request("GET /bytes", { baseUrl: url, request: { fetch, parseSuccessResponseBody: false } });
    return (await new Response(data).arrayBuffer()).byteLength;
  },
  "follows a redirect": async (fetch, url) => (await request("GET /moved", { baseUrl: url, request: { fetch } })).url,
  "leaves a redirect": async (fetch, url) => {
    return (await request("GET /moved", { baseUrl: url, request: { fetch, redirect: "manual" } })).status;
  },
  "throws for a 404": (fetch, url) => {
    const call = request("GET /missing", { baseUrl: url, request: { fetch } });
    return call.catch(({ name, status, message, response }) => [name, status, message, response.data]);
  },
  "throws for a 404 to HEAD": (fetch, url) => {
    return request("HEAD /missing", { baseUrl: url, request: { fetch } }).catch(({ status }) => status);
  },
  "throws for a 304": (fetch, url) => {
    const headers = { "if-none-match": "etag" };
    return request("GET /unchanged", { baseUrl: url, headers, request: { fetch } }).catch(({ status }) => status);
  },
  "is aborted": (fetch, url, untilArrived) => {
    return nameOf(request("GET /never", { baseUrl: url, request: { fetch, signal: untilArrived } }));
  },
};

/** axios with its adapter for fetch. */
const axiosWith = (fetch: Fetch, baseURL: string) => axios.create({ adapter: "fetch", env: { fetch }, baseURL });

const usesOfAxios: Record<string, Use> = {
  "gets JSON": async (fetch, url) =>
    (await axiosWith(fetch, url).get("/echo", { params: { a: "b c", d: [1, 2] } })).data,
  "posts JSON": async (fetch, url) => (await axiosWith(fetch, url).post("/echo", { name: "Zoë" })).data,
  "posts a large body": async (fetch, url) => (await axiosWith(fetch, url).post("/echo", { large })).data,
  "posts a form": async (fetch, url) => (await axiosWith(fetch, url).post("/echo", form())).data,
  "puts parameters": async (fetch, url) =>
    (await axiosWith(fetch, url).put("/echo", new URLSearchParams({ a: "b" }))).data,
  "patches bytes": async (fetch, url) => (await axiosWith(fetch, url).patch("/echo", bytes())).data,
  "deletes": async (fetch, url) => (await axiosWith(fetch, url).delete("/empty")).status,
  "asks for the head": async (fetch, url) => (await axiosWith(fetch, url).head("/echo")).status,
  "reads bytes": async (fetch, url) => {
    const { data } = await axiosWith(fetch, url).get("/bytes", { responseType: "arraybuffer" });
    return data.byteLength;
  },
  "reads a stream": async (fetch, url) => {
    const { data } = await axiosWith(fetch, url).get("/bytes", { responseType: "stream" });
    return (await new Response(data).arrayBuffer()).byteLength;
  },
  "tells the progress of a download": async (fetch, url) => {
    let told = 0;
    await axiosWith(fetch, url).get("/bytes", { onDownloadProgress: ({ loaded }) => told = loaded });
    return told;
  },
  "tells the progress of an upload": async (fetch, url) => {
    let told = 0;
    await axiosWith(fetch, url).post("/echo", large, { onUploadProgress: ({ loaded }) => told = loaded });
    return told;
  },
  "follows a redirect": async (fetch, url) => (await axiosWith(fetch, url).get("/moved")).data,
  "throws for a 404": (fetch, url) => {
    return axiosWith(fetch, url).get("/missing").catch(({ code, message, response }) => [code, message, response.data]);
  },
  "ends at its timeout": (fetch, url) =>
    axiosWith(fetch, url).get("/never", { timeout: 500 }).catch(({ code }) => code),
  "is aborted": (fetch, url, untilArrived) => {
    return axiosWith(fetch, url).get("/never", { signal: untilArrived }).catch(({ code }) => code);
  },
};

/** Answers by the path; with what came, if it is no other. */
async function answerTo(seen: Seen, isFirst: boolean): Promise<Response> {
  switch (seen.uri) {
    case "/never":
      return await new Promise(() => {});
    case "/empty":
      return new Response(null, { status: 204 });
    case "/bytes":
      return new Response(new Uint8Array(100_000), { headers: { "content-type": "application/octet-stream" } });
    case "/moved":
      return new Response(null, { status: 302, headers: { location: "/echo?moved" } });
    case "/missing":
      return Response.json({ message: "There is no such thing" }, { status: 404 });
    case "/unchanged":
      return new Response(null, { status: 304 });
    case "/unavailable":
      if (isFirst) return new Response("busy", { status: 503, headers: { "retry-after": "0" } });
      return new Response("free");
    default:
      return Response.json(told(seen));
  }
}

/** What came, with the same boundary each time. */
function told({ method, uri, headers, body }: Seen): Record<string, string | null> {
  const type = headers.get("content-type");
  const [, boundary = "none"] = /^--(\S+)/.exec(body) ?? [];
  const normalised = (text: string | null) => text?.replaceAll(boundary, "boundary") ?? null;
  const [accept, hook] = [headers.get("accept"), headers.get("x-hook")];
  return { method, uri, type: normalised(type), accept, hook, body: normalised(body) };
}

/** What comes of a use, and what came to a server that is open, or wants Digest. */
async function accountOf(use: Use, fetch: Fetch, isOpen: boolean): Promise<{ result: unknown; arrived: unknown[] }> {
  const asked = new Set<string>();
  const arrived: unknown[] = [];
  const arrival = new AbortController(); // of what is never answered
  let result: unknown;
  async function answer(seen: Seen): Promise<Response> {
    const isFirst = !asked.has(seen.uri);
    asked.add(seen.uri);
    arrived.push(told(seen));
    if (seen.uri === "/never") arrival.abort();
    return await answerTo(seen, isFirst);
  }
  await servingDigest(isOpen ? { open: answer } : { answer }, async ({ url }) => {
    const text = JSON.stringify(await use(fetch, url, arrival.signal));
    result = JSON.parse(text.replaceAll(url, "http://host")); // each server has a port of its own
  });
  return { result, arrived };
}

const clients = {
  "A caller": usesOfFetch,
  "ky": usesOfKy,
  "wretch": usesOfWretch,
  "@octokit/request": usesOfOctokit,
  "axios": usesOfAxios,
};
for (const [client, uses] of Object.entries(clients)) {
  for (const [what, use] of Object.entries(uses)) {
    test(`${client} ${what} with createDigestFetch() as with fetch`, { timeout: 60_000 }, async () => {
      const expected = await accountOf(use, fetch, true);
      assert.deepEqual(await accountOf(use, createDigestFetch(ada), false), expected);
      const retrying = createRetryFetch({ limit: 1, maxDelay: 1, fetch: createDigestFetch(ada) });
      assert.deepEqual(await accountOf(use, retrying, false), expected);
    });
  }
}
