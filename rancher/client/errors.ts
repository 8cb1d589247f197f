/** What can go wrong between this provider and a Rancher server, as types that callers can tell apart. */

/** The server answered with an error. `code` and `fieldName` are the server's own words. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** For instance `PUT /v2-beta/projects/1a5/services/1s4`. */
    readonly request: string,
    /** HTTP status. */
    readonly status: number,
    /** For instance `NotUnique`, or a text with spaces such as `Not Found`. */
    readonly code: string,
    /** The property that was refused; sometimes a whole sentence. Empty when the server names none. */
    readonly fieldName: string,
    /** The server's explanation. Often empty. */
    readonly detail: string,
  ) {
    const field = fieldName === "" ? "" : ` (${fieldName})`;
    const text = detail === "" || detail === code ? "" : `: ${detail}`;
    super(`${request}: the server answered ${status} ${code}${field}${text}${hint(status)}`);
  }
}

/** The server could not be reached, or the connection broke before its answer was complete. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";

  constructor(
    readonly request: string,
    /** What went wrong, for instance `connect ECONNREFUSED 127.0.0.1:8080`. */
    readonly reason: string,
  ) {
    super(`${request}: ${reason}`);
  }

  /** True when trying again cannot help: `ssh` refuses the host, or the host refuses us. */
  get isRefusal(): boolean {
    return /Host key verification failed|Permission denied|host key is known|cannot run/.test(
      this.reason,
    );
  }
}

/** A wait that ended without what was waited for. */
export class WaitError extends Error {
  override readonly name = "WaitError";
}

/** The engine asked to stop. */
export class CanceledError extends Error {
  override readonly name = "CanceledError";
}

function hint(status: number): string {
  if (status === 401) return "; check the provider's accessKey and secretKey";
  if (status === 404)
    return "; what was removed behind Pulumi's back comes again with pulumi up --refresh";
  if (status === 403) return "; the key may not see this environment, or the environment is gone";
  return "";
}

/** True for an answer by which the server says that a thing does not exist (any more). */
export function isGone(error: unknown): boolean {
  // 403 is what the server answers below an environment that vanished.
  return error instanceof ApiError && (error.status === 404 || error.status === 403);
}

/** True for a refusal with this code (and field, when given). */
export function hasCode(error: unknown, code: string, fieldName?: string): boolean {
  return (
    error instanceof ApiError &&
    error.code === code &&
    (fieldName === undefined || error.fieldName === fieldName)
  );
}

/** True when the same request may well succeed a little later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ConnectionError) return !error.isRefusal;
  return (
    error instanceof ApiError &&
    (error.status === 409 || error.status === 429 || error.status >= 500)
  );
}
