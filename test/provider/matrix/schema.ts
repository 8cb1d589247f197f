/** What `rancher/schema.json` lists: the rows of the matrix. */
import schema from "../../../rancher/schema.json";

const resources: Readonly<Record<string, { inputProperties: object }>> = schema.resources;

const token = /^rancher:index:/;

/** Classes of all resources, `AccessControl` first. */
export const resourceTypes: readonly string[] = Object.keys(resources).map((name) =>
  name.replace(token, ""),
);

/** Names of all functions. */
export const functionNames: readonly string[] = Object.keys(schema.functions).map((name) =>
  name.replace(token, ""),
);

/** The inputs of a resource. */
export function inputsOf(type: string): readonly string[] {
  return Object.keys(resources[`rancher:index:${type}`]?.inputProperties ?? {});
}
