/** The owner mark of things that have no field for it: it stands at the end of their description. */
import type { Call, Props } from "../plugin/types";
import { ownerMark } from "./ownership";

/** A mark in brackets, with a space before it. */
const MARK = / ?\[pulumi:[0-9a-f]{32}\]$/;
const MARK_LENGTH = 42;

/** What is left of the server's 1024 characters for a description that carries a mark. */
export const MARKED_DESCRIPTION_LENGTH = 1024 - MARK_LENGTH;

/** The declared description with this resource's mark after it. */
export function marked(description: unknown, call: Pick<Call, "urn">): string {
  const mark = `[${ownerMark(call)}]`;
  return description === undefined ? mark : `${String(description)} ${mark}`;
}

/** True for something that carries this resource's mark. */
export function isMarked(
  { description }: { readonly description?: string | null },
  call: Pick<Call, "urn">,
): boolean {
  return description?.endsWith(`[${ownerMark(call)}]`) === true;
}

/** The description as it was declared, empty when there was none. */
export function unmarked({ description }: { readonly description?: string | null }): string {
  return description?.replace(MARK, "") ?? "";
}

/** Name and description as an import writes them: only what there is. */
export function importedNames(found: {
  readonly name?: string | null;
  readonly description?: string | null;
}): Props {
  const description = unmarked(found);
  return { name: found.name ?? "", ...(description === "" ? {} : { description }) };
}
