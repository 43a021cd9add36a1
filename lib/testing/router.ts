/** What all operations have in common: base paths, methods, versions, and bodies of JSON. */
import { atlasError, methodNotAllowed } from "./refusals.ts";

export type Json = Record<string, unknown>;

/** A request whose form is right; what it asks for may not be there. */
export interface ServerCall {
  url: URL;
  /** That of the API key; undefined for the service account. */
  publicKey: string | undefined;
  /** The Content-Type of the answer. */
  type: string;
  /** The members of the body. */
  body: Json;
}

/** Answers a call; the names are what stands for the braces in its path. */
export type Handler = (call: ServerCall, ...names: string[]) => Response;

/** A method, a path such as `/groups/{groupId}`, and what answers them. */
export type Route = readonly [method: string, path: string, handler: Handler];

/** Answers an authenticated request; without a `publicKey` it is the service account's. */
export type Router = (request: Request, body: string, publicKey: string | undefined) => Response;

const BASE = /^\/api\/(atlas\/v2|atlas\/v1\.0|public\/v1\.0)(\/.*)?$/;

export function createRouter(table: readonly Route[]): Router {
  const routes = table.map(([method, path, handler]) => ({ method, pattern: patternOf(path), handler }));

  return (request, text, publicKey) => {
    const url = new URL(request.url);
    const [, base, path = "/"] = BASE.exec(url.pathname) ?? [];
    const candidates = base === undefined ? [] : routes.flatMap(({ method, pattern, handler }) => {
      const names = pattern.exec(path)?.slice(1);
      return names === undefined ? [] : [{ method, handler, names }];
    });
    if (candidates.length === 0) {
      return atlasError(404, "RESOURCE_NOT_FOUND", `Cannot find resource ${url.pathname}.`);
    }
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = candidates.find((candidate) => candidate.method === method);
    if (route === undefined) return methodNotAllowed(request);

    const isVersioned = base === "atlas/v2";
    const format = path.endsWith(".gz") ? "gzip" : "json";
    const accept = request.headers.get("Accept") ?? "";
    const type = isVersioned ? versionedType(accept, format) : `application/${format}`;
    if (type === undefined) return atlasError(406, "INVALID_VERSION_DATE", "Invalid accept header or version date.");

    const isWrite = method === "POST" || method === "PATCH";
    if (isWrite && !isJsonType(request.headers.get("Content-Type") ?? "")) {
      const detail = "The Content-Type must be application/json or that of a version.";
      return atlasError(415, "UNSUPPORTED_MEDIA_TYPE", detail);
    }
    const body = isWrite ? parseObject(text) : {};
    if (body === undefined) return atlasError(400, "MALFORMED_JSON", "Received JSON is malformed.");

    return route.handler({ url, publicKey, type, body }, ...route.names);
  };
}

/** In Atlas `:` sets off a custom method from a name. There is none here, so such a path is not found. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "([^/:]+)")}$`);
}

const VERSIONED_TYPE = /^ *application\/vnd\.atlas\.(\d{4}-\d\d-\d\d(?:\.upcoming)?|preview)\+(json|gzip) *(?:;|$)/i;

/** The first version that an Accept header names for a format, as the Content-Type of the answer. */
function versionedType(accept: string, format: "json" | "gzip"): string | undefined {
  for (const range of accept.split(",")) {
    const [, version = "", asked = ""] = VERSIONED_TYPE.exec(range) ?? [];
    const isKnown = version >= "2023-01-01"; // as "preview" is, in the order of strings
    if (!isKnown || asked.toLowerCase() !== format) continue;
    return `application/vnd.atlas.${version}+${format}${format === "json" ? ";charset=utf-8" : ""}`;
  }
  return undefined;
}

function isJsonType(type: string): boolean {
  return /^application\/json *(;|$)/i.test(type) || versionedType(type, "json") !== undefined;
}

/** Gives undefined for what is not a JSON object. */
function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
