/**
 * What there is to ask for: the root document, projects, clusters and a log. Shapes and status codes are those of
 * MongoDB's OpenAPI document. Knows nothing of authentication.
 */
import { gzipSync } from "node:zlib";
import type { FakeAtlasOptions } from "./options.ts";
import { atlasError, invalid } from "./refusals.ts";
import { createRouter, type Handler, type Json, type Router, type ServerCall } from "./router.ts";

interface Project {
  id: string;
  created: string;
  /** What the caller set. */
  fields: Json;
}

interface Cluster {
  id: string;
  groupId: string;
  created: string;
  /** What the caller set. */
  fields: Json;
  state: "IDLE" | "CREATING" | "UPDATING" | "DELETING";
  /** When the state ends, in milliseconds since the epoch. */
  until: number;
}

const LOG =
  '{"t":{"$date":"2024-01-01T00:00:00.000Z"},"s":"I","c":"NETWORK","ctx":"listener","msg":"Connection accepted"}\n';

export function createWorld({ projects: count = 3, clusterDelay = 100 }: FakeAtlasOptions): Router {
  let ids = 0;
  const newId = () => `65f1c0de${(ids++).toString(16).padStart(16, "0")}`;
  const orgId = newId();
  const keyId = newId();
  const projects = Array.from({ length: count }, (_, index) => newProject({ name: `project-${index + 1}`, orgId }));
  let clusters = projects.slice(0, 1).map(({ id }) => newCluster(id, { name: "Cluster0" }, "IDLE"));

  function newProject(fields: Json): Project {
    return { id: newId(), created: new Date().toISOString(), fields };
  }

  function newCluster(groupId: string, fields: Json, state: Cluster["state"]): Cluster {
    return {
      id: newId(),
      groupId,
      created: new Date().toISOString(),
      fields: { clusterType: "REPLICASET", paused: false, ...fields },
      state,
      until: Date.now() + clusterDelay,
    };
  }

  /** The clusters of a project that are left, each in the state that time has brought it to. */
  function clustersOf(project: Project): Cluster[] {
    const now = Date.now();
    clusters = clusters.filter(({ state, until }) => state !== "DELETING" || now < until);
    for (const cluster of clusters) {
      if (now >= cluster.until) cluster.state = "IDLE";
    }
    return clusters.filter(({ groupId }) => groupId === project.id);
  }

  function showProject(project: Project): Json {
    const { fields, id, created } = project;
    return { ...fields, id, created, clusterCount: clustersOf(project).length };
  }

  function showCluster({ fields, id, groupId, created, state }: Cluster): Json {
    return { ...fields, id, groupId, createDate: created, stateName: state };
  }

  function inProject(handler: (call: ServerCall, project: Project, name: string) => Response): Handler {
    return (call, id = "", name = "") => {
      const project = projects.find((project) => project.id === id);
      if (project !== undefined) return handler(call, project, name);
      return atlasError(404, "GROUP_NOT_FOUND", `No group with ID ${id} exists.`, { parameters: [id] });
    };
  }

  function onCluster(handler: (call: ServerCall, cluster: Cluster) => Response): Handler {
    return inProject((call, project, name) => {
      const cluster = clustersOf(project).find(({ fields }) => fields.name === name);
      if (cluster !== undefined) return handler(call, cluster);
      const detail = `No cluster named ${name} exists in group ${project.id}.`;
      return atlasError(404, "CLUSTER_NOT_FOUND", detail, { parameters: [name, project.id] });
    });
  }

  /** Puts a cluster that is not being deleted into a state. */
  function inState(state: Cluster["state"], handler: (call: ServerCall, cluster: Cluster) => Response): Handler {
    return onCluster((call, cluster) => {
      if (cluster.state === "DELETING") {
        const detail = "The specified cluster has already been requested for deletion.";
        return atlasError(409, "CLUSTER_ALREADY_REQUESTED_DELETION", detail);
      }
      Object.assign(cluster, { state, until: Date.now() + clusterDelay });
      return handler(call, cluster);
    });
  }

  const readRoot: Handler = (call) =>
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
      links: [{ rel: "self", href: new URL("/api/atlas/v2", call.url).href }],
    });

  const listProjects: Handler = (call) => page(call, projects.map(showProject));

  const createProject: Handler = (call) => {
    for (const name of ["name", "orgId"]) {
      if (typeof call.body[name] !== "string") return invalid(name, "must be a string");
    }
    const project = newProject(call.body);
    projects.push(project);
    return json(call, showProject(project));
  };

  const readProject = inProject((call, project) => json(call, showProject(project)));

  const listClusters = inProject((call, project) => page(call, clustersOf(project).map(showCluster)));

  const createCluster = inProject((call, project) => {
    const { name } = call.body;
    if (typeof name !== "string" || !/^[a-zA-Z0-9-]+$/.test(name)) {
      return invalid("name", "must be letters, digits and hyphens");
    }
    if (clustersOf(project).some(({ fields }) => fields.name === name)) {
      const detail = `A cluster named ${name} is already present in group ${project.id}.`;
      return atlasError(409, "DUPLICATE_CLUSTER_NAME", detail, { parameters: [name, project.id] });
    }
    const cluster = newCluster(project.id, call.body, "CREATING");
    clusters.push(cluster);
    return json(call, showCluster(cluster), 201);
  });

  const readCluster = onCluster((call, cluster) => json(call, showCluster(cluster)));

  const updateCluster = inState("UPDATING", (call, cluster) => {
    cluster.fields = { ...cluster.fields, ...call.body, name: cluster.fields.name };
    return json(call, showCluster(cluster));
  });

  const deleteCluster = inState("DELETING", ({ type }) => {
    // The OpenAPI document gives the answer a type, but no body.
    return new Response(null, { status: 202, headers: { "Content-Type": type } });
  });

  const readLog = inProject(({ type }) => new Response(gzipSync(LOG), { headers: { "Content-Type": type } }));

  return createRouter([
    ["GET", "/", readRoot],
    ["GET", "/groups", listProjects],
    ["POST", "/groups", createProject],
    ["GET", "/groups/{groupId}", readProject],
    ["GET", "/groups/{groupId}/clusters", listClusters],
    ["POST", "/groups/{groupId}/clusters", createCluster],
    ["GET", "/groups/{groupId}/clusters/{clusterName}", readCluster],
    ["PATCH", "/groups/{groupId}/clusters/{clusterName}", updateCluster],
    ["DELETE", "/groups/{groupId}/clusters/{clusterName}", deleteCluster],
    ["GET", "/groups/{groupId}/clusters/{hostName}/logs/mongodb.gz", readLog],
  ]);
}

/** One page of a list, as `pageNum` and `itemsPerPage` ask. */
function page(call: ServerCall, items: readonly Json[]): Response {
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
  if (end < items.length) links.push(link("next", pageNum + 1));
  return json(call, { links, results: items.slice(end - itemsPerPage, end), totalCount: items.length });
}

function json(call: ServerCall, value: Json, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { "Content-Type": call.type } });
}
