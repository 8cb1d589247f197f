import { randomUUID } from "node:crypto";

/** An answer that is an error, in the shape Rancher gives it: `{type: "error", status, code, …}`. */
export class ApiError extends Error {
  public constructor(
    public readonly status: number,
    /** Machine-readable for 422, human text ("Not Found") for 401, 403, 404, 405 and 500. */
    public readonly code: string,
    message: string | null = null,
    /** Offending field; absent from the body when undefined. May hold a whole sentence, as in Rancher. */
    public readonly fieldName?: string,
  ) {
    super(message ?? code);
    this.text = message;
  }

  private readonly text: string | null;

  /** The JSON body. */
  public body(): Record<string, unknown> {
    return {
      id: randomUUID(),
      type: "error",
      links: {},
      actions: {},
      status: this.status,
      code: this.code,
      message: this.text,
      detail: null,
      ...(this.fieldName === undefined ? {} : { fieldName: this.fieldName }),
      baseType: "error",
    };
  }
}

/** 422 with a code such as `MissingRequired` and the field it is about. */
export function invalid(code: string, fieldName?: string, message: string | null = null): ApiError {
  return new ApiError(422, code, message, fieldName);
}

const plain = (status: number, text: string) => (): ApiError => new ApiError(status, text, text);

/** 404. */
export const notFound = plain(404, "Not Found");
/** 405: method not possible here, or the resource's state forbids it. */
export const methodNotAllowed = plain(405, "Method not allowed");
/** 401. */
export const unauthorized = plain(401, "Unauthorized");
/** 403. */
export const forbidden = plain(403, "Forbidden");
/** 500, as PUT and DELETE of unknown services and stacks give. */
export const internal = plain(500, "Internal Server Error");
/** 422 for an action that the present state does not offer. */
export const actionNotAvailable = (): ApiError => invalid("ActionNotAvailable", "action");
/** 422 for an action that the type does not have. */
export const invalidAction = (): ApiError => invalid("InvalidAction", "action");
