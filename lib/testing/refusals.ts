/** Errors in Atlas's shape. */
import { STATUS_CODES } from "node:http";

/** An error with the members that all have, and what more this one has. */
export function atlasError(
  status: number,
  errorCode: string,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  const body = JSON.stringify({ error: status, reason: STATUS_CODES[status], detail, errorCode, ...more });
  const headers = { "Content-Type": "application/json", "X-Error-Code": errorCode };
  return new Response(body, { status, headers });
}

/** The 401 for no or wrong credentials: the one error without `X-Error-Code`. */
export function unauthorized(challenge?: string): Response {
  const response = atlasError(401, "UNEXPECTED_ERROR", "You are not authorized for this resource.");
  response.headers.delete("X-Error-Code");
  if (challenge !== undefined) response.headers.set("WWW-Authenticate", challenge);
  return response;
}

/** The 400 for a field of the body, or a parameter of the query. */
export function invalid(field: string, description: string): Response {
  return atlasError(400, "VALIDATION_ERROR", `Invalid attribute ${field}: ${description}.`, {
    badRequestDetail: { fields: [{ field, description }] },
    parameters: [field],
  });
}

export function methodNotAllowed({ method }: Request): Response {
  return atlasError(405, "METHOD_NOT_ALLOWED", `The method ${method} is not allowed for this resource.`);
}
