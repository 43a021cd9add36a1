/** Requests as an OpenAPI 3.0 document asks for them: one for each operation, with the least that is required. */

export interface Operation {
  method: string;
  /** With the document's own examples in it. */
  path: string;
  /** The media type of its newest answer; undefined if that has no body. */
  accept: string | undefined;
  body?: { type: string; text: string } | undefined;
}

type Json = Record<string, unknown>;

const METHODS = ["get", "post", "put", "patch", "delete"];

export function listOperations(text: string): Operation[] {
  const document: unknown = JSON.parse(text);

  function resolve(value: unknown): Json {
    let target = value;
    while (isObject(target) && typeof target.$ref === "string") {
      target = target.$ref.slice(2).split("/").reduce<unknown>(
        (node, name) => isObject(node) ? node[name] : {},
        document,
      );
    }
    return isObject(target) ? target : {};
  }

  function sample(schema: unknown, depth = 0): unknown {
    if (depth > 30) return {}; // some lead back to themselves
    const it = resolve(schema);
    const given = it.example ?? it.default ?? list(it.enum)[0];
    if (given !== undefined) return given;
    const [choice] = [...list(it.oneOf), ...list(it.anyOf)];
    if (it.allOf) return Object.assign({}, ...list(it.allOf).map((part) => sample(part, depth + 1)));
    if (choice !== undefined) return sample(choice, depth + 1);
    const properties = isObject(it.properties) ? it.properties : undefined;
    if (it.type === "object" || properties) {
      return Object.fromEntries(list(it.required).map((name) => [name, sample(properties?.[`${name}`], depth + 1)]));
    }
    if (it.type === "array") return Number(it.minItems ?? 0) > 0 ? [sample(it.items, depth + 1)] : [];
    if (it.type === "integer" || it.type === "number") return it.minimum ?? 1;
    if (it.type === "boolean") return true;
    if (it.type !== "string") return {};
    if (it.format === "date-time") return "2024-01-01T00:00:00Z";
    if (it.format === "uuid") return "550e8400-e29b-41d4-a716-446655440000";
    return `${it.pattern}`.includes("24") ? "32b6e34b3d91647abb20e7b8" : "sample";
  }

  function operation(path: string, method: string, item: Json): Operation {
    const { parameters, responses, requestBody } = resolve(item[method]);
    const query = new URLSearchParams();
    for (const parameter of [...list(item.parameters), ...list(parameters)].map(resolve)) {
      const value = parameter.example ?? sample(parameter.schema);
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(`${value}`));
      if (parameter.in !== "query" || !parameter.required) continue;
      for (const one of Array.isArray(value) ? value : [value]) query.append(`${parameter.name}`, `${one}`);
    }
    const types = Object.entries(resolve(responses)).flatMap(([status, response]) => {
      return status.startsWith("2") ? Object.keys(resolve(resolve(response).content)) : [];
    });
    const [type, media] = Object.entries(resolve(resolve(requestBody).content)).at(-1) ?? [];
    return {
      method: method.toUpperCase(),
      path: query.size === 0 ? path : `${path}?${query}`,
      accept: types.at(-1),
      body: type === undefined ? undefined : { type, text: JSON.stringify(sample(resolve(media).schema)) },
    };
  }

  const paths = isObject(document) && isObject(document.paths) ? document.paths : {};
  return Object.entries(paths).flatMap(([path, value]) => {
    const item = resolve(value);
    return METHODS.filter((method) => method in item).map((method) => operation(path, method, item));
  });
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}
