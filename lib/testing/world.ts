/**
 * What is there to ask for: projects, their clusters, access lists and logs. Shapes and status codes are those of
 * MongoDB's OpenAPI document. Knows nothing of authentication.
 */
import { STATUS_CODES } from "node:http";
import { gzipSync } from "node:zlib";

export interface WorldRules {
  projects: number;
  clusterDelay: number;
}

/** Answers a request that may pass; without a `publicKey` it is a service account's. */
export type World = (
  request: Request,
  body: ArrayBuffer,
  publicKey: string | undefined,
) => Response;

type Json = Record<string, unknown>;

interface Project {
  id: string;
  created: string;
  /** What the caller set. */
  fields: Json;
  clusters: Cluster[];
  accessList: Json[];
}

interface Cluster {
  id: string;
  created: string;
  fields: Json;
  state: "IDLE" | "CREATING" | "UPDATING" | "DELETING";
  /** When the state ends, in milliseconds since the epoch. */
  until: number;
}

interface Call {
  url: URL;
  /** The URL that the paths stand below, for links. */
  base: string;
  publicKey: string | undefined;
  /** The Content-Type of the answer. */
  type: string;
  /** The objects of a write's body: the members of a list, or the one. */
  items: Json[];
}

type Handler = (call: Call, ...names: string[]) => Response;

const PROJECT_NAME = /^[\p{L}\p{N}\-_.(),:&@+']{1,64}$/u;
const CLUSTER_NAME = /^[a-zA-Z0-9][a-zA-Z0-9-]*$/;
const ID = /^[a-f0-9]{24}$/;

const LOG = [
  `{"t":{"$date":"2024-01-01T00:00:00.000Z"},"s":"I","c":"CONTROL","id":20698,"ctx":"main","msg":"***** SERVER RESTARTED *****"}`,
  `{"t":{"$date":"2024-01-01T00:00:01.000Z"},"s":"I","c":"NETWORK","id":23016,"ctx":"listener","msg":"Waiting for connections"}`,
  "",
].join("\n");

export function createWorld({ projects: count, clusterDelay }: WorldRules): World {
  let ids = 0;
  const newId = () => `65f1c0de${(ids++).toString(16).padStart(16, "0")}`;
  const orgId = newId();
  const keyId = newId();
  const projects = Array.from(
    { length: count },
    (_, index) => newProject({ name: `project-${index + 1}`, orgId }, "2024-01-01T00:00:00.000Z"),
  );
  for (const project of projects.slice(0, 1)) {
    project.clusters.push(newCluster({ name: "Cluster0" }, "IDLE"));
    project.accessList.push({ cidrBlock: "203.0.113.0/24", comment: "Office" });
  }

  function newProject(fields: Json, created: string): Project {
    return { id: newId(), created, fields, clusters: [], accessList: [] };
  }

  function newCluster(fields: Json, state: Cluster["state"]): Cluster {
    const now = Date.now();
    return {
      id: newId(),
      created: new Date(now).toISOString(),
      fields: { clusterType: "REPLICASET", paused: false, ...fields },
      state,
      until: now + clusterDelay,
    };
  }

  /** The clusters that are left, each in the state that time has brought it to. */
  function clustersOf(project: Project): Cluster[] {
    const now = Date.now();
    project.clusters = project.clusters.filter(({ state, until }) => state !== "DELETING" || now < until);
    for (const cluster of project.clusters) {
      if (now >= cluster.until) cluster.state = "IDLE";
    }
    return project.clusters;
  }

  function showProject(call: Call, project: Project): Json {
    return {
      ...project.fields,
      id: project.id,
      created: project.created,
      clusterCount: clustersOf(project).length,
      links: [{ rel: "self", href: `${call.base}/groups/${project.id}` }],
    };
  }

  function showCluster(call: Call, project: Project, cluster: Cluster): Json {
    const path = `groups/${project.id}/clusters/${cluster.fields.name}`;
    return {
      ...cluster.fields,
      id: cluster.id,
      groupId: project.id,
      createDate: cluster.created,
      stateName: cluster.state,
      links: [{ rel: "self", href: `${call.base}/${path}` }],
    };
  }

  function showEntry(call: Call, project: Project, entry: Json): Json {
    const path = `groups/${project.id}/accessList/${encodeURIComponent(entryValue(entry))}`;
    return { ...entry, groupId: project.id, links: [{ rel: "self", href: `${call.base}/${path}` }] };
  }

  function inProject(handler: (call: Call, project: Project, name: string) => Response): Handler {
    return (call, id = "", name = "") => {
      const project = projects.find((project) => project.id === id);
      if (project !== undefined) return handler(call, project, name);
      return atlasError(404, "GROUP_NOT_FOUND", `No group with ID ${id} exists.`, {
        parameters: [id],
      });
    };
  }

  function onCluster(
    handler: (call: Call, project: Project, cluster: Cluster) => Response,
  ): Handler {
    return inProject((call, project, name) => {
      const cluster = clustersOf(project).find(({ fields }) => fields.name === name);
      if (cluster !== undefined) return handler(call, project, cluster);
      return atlasError(
        404,
        "CLUSTER_NOT_FOUND",
        `No cluster named ${name} exists in group ${project.id}.`,
        { parameters: [name, project.id] },
      );
    });
  }

  /** Hands over a cluster that is not being deleted. */
  function onLiveCluster(
    handler: (call: Call, project: Project, cluster: Cluster) => Response,
  ): Handler {
    return onCluster((call, project, cluster) => {
      if (cluster.state !== "DELETING") return handler(call, project, cluster);
      return atlasError(
        409,
        "CLUSTER_ALREADY_REQUESTED_DELETION",
        "The specified cluster has already been requested for deletion.",
      );
    });
  }

  function onEntry(handler: (call: Call, project: Project, entry: Json) => Response): Handler {
    return inProject((call, project, name) => {
      const entry = project.accessList.find((entry) => entryValue(entry) === name);
      if (entry !== undefined) return handler(call, project, entry);
      return atlasError(
        404,
        "ATLAS_NETWORK_PERMISSION_ENTRY_NOT_FOUND",
        `IP Address ${name} not on Atlas access list for group ${project.id}.`,
        { parameters: [name, project.id] },
      );
    });
  }

  /** Refuses a project's name that is malformed or taken by another. */
  function refuseName(name: unknown, project?: Project): Response | undefined {
    if (!isText(name, PROJECT_NAME)) {
      return invalid("name", "must be 1 to 64 letters, digits and -_.(),:&@+'");
    }
    if (projects.every((other) => other === project || other.fields.name !== name)) {
      return undefined;
    }
    const detail = `A group with name "${name}" already exists.`;
    return atlasError(409, "GROUP_ALREADY_EXISTS", detail, { parameters: [name] });
  }

  const showRoot: Handler = (call) =>
    json(call, {
      appName: "MongoDB Atlas",
      build: "83be55e140f493c88e7f578aae96548dd881587b",
      throttling: false,
      apiKey: call.publicKey === undefined ? null : {
        id: keyId,
        publicKey: call.publicKey,
        accessList: [{ cidrBlock: "203.0.113.9/32", ipAddress: "203.0.113.9" }],
        roles: [{ orgId, roleName: "ORG_OWNER" }],
      },
      links: [{ rel: "self", href: call.base }],
    });

  const showControlPlane: Handler = (call) =>
    json(call, {
      inbound: { aws: { "us-east-1": ["192.0.2.10/32"] } },
      outbound: { aws: { "us-east-1": ["192.0.2.11/32"] } },
    });

  const listProjects: Handler = (call) => page(call, projects, (project) => showProject(call, project));

  const createProject: Handler = (call) => {
    const [fields = {}] = call.items;
    const refusal = refuseName(fields.name);
    if (refusal !== undefined) return refusal;
    if (!isText(fields.orgId, ID)) return invalid("orgId", "must be 24 hexadecimal digits");
    const project = newProject(fields, new Date().toISOString());
    projects.push(project);
    return json(call, showProject(call, project));
  };

  const readProject = inProject((call, project) => json(call, showProject(call, project)));

  const updateProject = inProject((call, project) => {
    const fields: Json = { ...project.fields, ...call.items[0], orgId: project.fields.orgId };
    const refusal = refuseName(fields.name, project);
    if (refusal !== undefined) return refusal;
    project.fields = fields;
    return json(call, showProject(call, project));
  });

  const deleteProject = inProject((_call, project) => {
    if (clustersOf(project).length > 0) {
      return atlasError(
        409,
        "CANNOT_CLOSE_GROUP_ACTIVE_ATLAS_CLUSTERS",
        "Cannot close group while it has active clusters; please terminate all clusters.",
      );
    }
    projects.splice(projects.indexOf(project), 1);
    return new Response(null, { status: 204 });
  });

  const listClusters = inProject((call, project) =>
    page(call, clustersOf(project), (cluster) => showCluster(call, project, cluster))
  );

  const createCluster = inProject((call, project) => {
    const [fields = {}] = call.items;
    const { name } = fields;
    if (!isText(name, CLUSTER_NAME)) return invalid("name", "must be letters, digits and hyphens");
    if (clustersOf(project).some((cluster) => cluster.fields.name === name)) {
      return atlasError(
        409,
        "DUPLICATE_CLUSTER_NAME",
        `A cluster named ${name} is already present in group ${project.id}.`,
        { parameters: [name, project.id] },
      );
    }
    const cluster = newCluster(fields, "CREATING");
    project.clusters.push(cluster);
    return json(call, showCluster(call, project, cluster), 201);
  });

  const readCluster = onCluster((call, project, cluster) => json(call, showCluster(call, project, cluster)));

  const updateCluster = onLiveCluster((call, project, cluster) => {
    cluster.fields = { ...cluster.fields, ...call.items[0], name: cluster.fields.name };
    cluster.state = "UPDATING";
    cluster.until = Date.now() + clusterDelay;
    return json(call, showCluster(call, project, cluster));
  });

  const deleteCluster = onLiveCluster((call, _project, cluster) => {
    cluster.state = "DELETING";
    cluster.until = Date.now() + clusterDelay;
    // The OpenAPI document gives it a type and no body.
    return new Response(null, { status: 202, headers: { "Content-Type": call.type } });
  });

  const downloadLog = inProject((call) => new Response(gzipSync(LOG), { headers: { "Content-Type": call.type } }));

  const listEntries = inProject((call, project) =>
    page(call, project.accessList, (entry) => showEntry(call, project, entry))
  );

  const addEntries = inProject((call, project) => {
    const values = new Set(call.items.map(entryValue));
    if (values.has("")) {
      return invalid("cidrBlock", "must be given, or ipAddress, or awsSecurityGroup");
    }
    project.accessList = [
      ...project.accessList.filter((entry) => !values.has(entryValue(entry))),
      ...call.items,
    ];
    return page(call, project.accessList, (entry) => showEntry(call, project, entry));
  });

  const readEntry = onEntry((call, project, entry) => json(call, showEntry(call, project, entry)));

  const deleteEntry = onEntry((_call, project, entry) => {
    project.accessList.splice(project.accessList.indexOf(entry), 1);
    return new Response(null, { status: 204 });
  });

  // `:` sets off a custom method from a name; there are none here, so such a path is not found.
  const project = String.raw`/groups/([^/:]+)`;
  const cluster = String.raw`${project}/clusters/([^/:]+)`;
  const routes: [path: string, handlers: Record<string, Handler>][] = [
    ["/?", { GET: showRoot }],
    ["/unauth/controlPlaneIPAddresses", { GET: showControlPlane }],
    ["/groups", { GET: listProjects, POST: createProject }],
    [project, { GET: readProject, PATCH: updateProject, DELETE: deleteProject }],
    [`${project}/clusters`, { GET: listClusters, POST: createCluster }],
    [cluster, { GET: readCluster, PATCH: updateCluster, DELETE: deleteCluster }],
    [String.raw`${cluster}/logs/mongodb\.gz`, { GET: downloadLog }],
    [`${project}/accessList`, { GET: listEntries, POST: addEntries }],
    [`${project}/accessList/([^/]+)`, { GET: readEntry, DELETE: deleteEntry }],
  ];
  const table = routes.map(([path, handlers]) => [new RegExp(`^${path}$`), new Map(Object.entries(handlers))] as const);

  return (request, body, publicKey) => {
    const url = new URL(request.url);
    const [, base = "", path = ""] = /^(\/api\/(?:atlas\/v2|atlas\/v1\.0|public\/v1\.0))(|\/.*)$/.exec(url.pathname) ??
      [];
    const [pattern, handlers] = table.find(([pattern]) => base !== "" && pattern.test(path)) ?? [];
    const names = decodeNames(pattern?.exec(path));
    if (handlers === undefined || names === undefined) {
      return atlasError(404, "RESOURCE_NOT_FOUND", `Cannot find resource ${url.pathname}.`);
    }

    const versioned = base === "/api/atlas/v2";
    const format = path.endsWith(".gz") ? "gzip" : "json";
    const accept = request.headers.get("Accept") ?? "";
    const type = versioned ? versionedType(accept, format) : `application/${format}`;
    if (type === undefined) {
      const detail = "Invalid accept header or version date.";
      return atlasError(406, "INVALID_VERSION_DATE", detail);
    }

    const method = request.method === "HEAD" ? "GET" : request.method;
    const handler = handlers.get(method);
    if (handler === undefined) return methodNotAllowed(request);
    const call = { url, base: url.origin + base, publicKey, type, items: [] };
    if (method !== "POST" && method !== "PATCH") return handler(call, ...names);

    if (!isJsonType(request.headers.get("Content-Type") ?? "", versioned)) {
      const detail = "The Content-Type must be application/json or that of a version.";
      return atlasError(415, "UNSUPPORTED_MEDIA_TYPE", detail);
    }
    const items = readItems(body, path.endsWith("/accessList"));
    if (items !== undefined) return handler({ ...call, items }, ...names);
    return atlasError(400, "MALFORMED_JSON", "Received JSON is malformed.");
  };
}

/** The groups of a path's match, unescaped; undefined if they cannot be. */
function decodeNames(match: RegExpExecArray | null | undefined): string[] | undefined {
  try {
    return match?.slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

const VERSION = String.raw`vnd\.atlas\.(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|preview)`;
const VERSIONED_TYPE = new RegExp(String.raw`^ *application/${VERSION}\+(json|gzip) *(;|$)`, "i");

/** The first version that the Accept header names for this format, as a Content-Type. */
function versionedType(accept: string, format: string): string | undefined {
  for (const range of accept.split(",")) {
    const [, version = "", named = ""] = VERSIONED_TYPE.exec(range) ?? [];
    // "preview" sorts after every date.
    if (named.toLowerCase() !== format || version < "2023-01-01") continue;
    return `application/vnd.atlas.${version}+${format}${format === "json" ? ";charset=utf-8" : ""}`;
  }
  return undefined;
}

function isJsonType(type: string, versioned: boolean): boolean {
  if (/^application\/json *(;|$)/i.test(type)) return true;
  return versioned && versionedType(type, "json") !== undefined;
}

/** The objects of a JSON body; undefined if it is not JSON, or not a list as wanted, or holds anything else. */
function readItems(body: ArrayBuffer, list: boolean): Json[] | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (Array.isArray(value) === list && items.every(isObject)) return items;
  } catch {
    // Not JSON.
  }
  return undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, pattern: RegExp): value is string {
  return typeof value === "string" && pattern.test(value);
}

/** What names an entry of an access list in its path; empty if nothing does. */
function entryValue(entry: Json): string {
  const value = entry.cidrBlock ?? entry.ipAddress ?? entry.awsSecurityGroup;
  return typeof value === "string" ? value : "";
}

/** One page of a list, as `pageNum` and `itemsPerPage` ask. */
function page<Item>(call: Call, items: Item[], show: (item: Item) => Json): Response {
  const query = call.url.searchParams;
  const pageNum = Number(query.get("pageNum") ?? 1);
  const itemsPerPage = Number(query.get("itemsPerPage") ?? 100);
  if (!Number.isInteger(pageNum) || pageNum < 1) return invalid("pageNum", "must be at least 1");
  if (!Number.isInteger(itemsPerPage) || itemsPerPage < 1 || itemsPerPage > 500) {
    return invalid("itemsPerPage", "must be between 1 and 500");
  }
  const link = (rel: string, page: number) => {
    const url = new URL(call.url);
    url.searchParams.set("pageNum", String(page));
    url.searchParams.set("itemsPerPage", String(itemsPerPage));
    return { rel, href: url.href };
  };
  const end = pageNum * itemsPerPage;
  const links = [link("self", pageNum)];
  if (pageNum > 1) links.push(link("previous", pageNum - 1));
  if (end < items.length) links.push(link("next", pageNum + 1));
  return json(call, {
    links,
    results: items.slice(end - itemsPerPage, end).map(show),
    ...(query.get("includeCount") === "false" ? {} : { totalCount: items.length }),
  });
}

function json(call: Call, value: Json, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { "Content-Type": call.type } });
}

/** An error in Atlas's shape. */
export function atlasError(
  status: number,
  errorCode: string,
  detail: string,
  { parameters, badRequestDetail, headers }: {
    parameters?: string[];
    badRequestDetail?: { fields: { field: string; description: string }[] };
    headers?: Record<string, string>;
  } = {},
): Response {
  const reason = STATUS_CODES[status];
  return new Response(
    JSON.stringify({ badRequestDetail, error: status, reason, detail, errorCode, parameters }),
    {
      status,
      headers: { ...headers, "Content-Type": "application/json", "X-Error-Code": errorCode },
    },
  );
}

function invalid(field: string, description: string): Response {
  return atlasError(400, "VALIDATION_ERROR", `Invalid attribute ${field}: ${description}.`, {
    badRequestDetail: { fields: [{ field, description }] },
    parameters: [field],
  });
}

export function methodNotAllowed(request: Request): Response {
  const detail = `The method ${request.method} is not allowed for this resource.`;
  return atlasError(405, "METHOD_NOT_ALLOWED", detail);
}
