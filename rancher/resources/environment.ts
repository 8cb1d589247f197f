/** An environment (`project` in the API): hosts and the stacks that run on them, apart from all others. */
import type { Client } from "../client/client";
import { ApiError } from "../client/errors";
import { isLeaving, type Project, type ProjectMember, type ProjectTemplate } from "../client/types";
import { deadline, type Seen, waitFor } from "../client/wait";
import { diffInputs } from "../plugin/diff";
import { PartialFailure } from "../plugin/serve";
import { type Call, hasUnknown, type Props, type Resource } from "../plugin/types";
import { inspect, onlyProperties, type Place } from "./checks";
import { matches, observedInputs, plain } from "./declared";
import { DEFAULT_UUID, ENVIRONMENTS, environmentByUuid, environments } from "./environments";
import { environmentNamed, isImport } from "./identity";
import { findOrMake, removed, settled } from "./life";
import { importedNames, isMarked, MARKED_DESCRIPTION_LENGTH, marked, unmarked } from "./marks";

/** What the server gives an environment that is made without the field. Source: its recorded answers. */
const DEFAULTS = {
  hostRemoveDelaySeconds: null,
  servicesPortRange: { startPort: 49153, endPort: 65535 },
  virtualMachine: false,
} as const;
const OPTIONAL = Object.keys(DEFAULTS) as readonly (keyof typeof DEFAULTS)[];

/** The public template that an environment is made from when the program names none. */
const TEMPLATE = "Cattle";
const OWNER = "owner";

/** See `rancher.Environment`. */
export const environment: Resource<Client> = {
  check(given) {
    const inputs = { useDefault: false, ...given };
    const { place, problems } = inspect(inputs);
    onlyProperties(place, [
      ...["name", "description", "useDefault", "projectTemplateId", "members"],
      ...OPTIONAL,
    ]);
    place.at("name").text({ required: true, maxLength: 255 });
    place.at("description").text({ maxLength: MARKED_DESCRIPTION_LENGTH });
    place.at("useDefault").flag();
    place.at("virtualMachine").flag();
    // -1, as in the server's setting of the same purpose, stands for never.
    place.at("hostRemoveDelaySeconds").whole({ min: -1, max: 2_147_483_647 });
    checkTemplate(place.at("projectTemplateId"), inputs.useDefault);
    checkMembers(place.at("members"));
    checkPortRange(place.at("servicesPortRange"));
    return { inputs, problems };
  },

  diff({ oldInputs, old, inputs }) {
    // Left out, these two say nothing: the environment keeps the members and the template it has.
    const ignore = ["projectTemplateId", "members"].filter((name) => inputs[name] === undefined);
    if (sameMembers(oldInputs["members"], inputs["members"])) ignore.push("members");
    const before = { useDefault: false, ...oldInputs };
    const template = old["projectTemplateId"] ?? oldInputs["projectTemplateId"];
    const known = template === undefined ? before : { ...before, projectTemplateId: template };
    return diffInputs(known, inputs, { replace: ["useDefault", "projectTemplateId"], ignore });
  },

  async create(client, inputs, call) {
    const { id } =
      inputs["useDefault"] === true
        ? await theDefault(client, call)
        : await findOrMake(client, await making(client, inputs, call));
    const state = { id, outputs: { ...inputs } };
    try {
      return { id, outputs: await shaped(client, id, {}, inputs, call) };
    } catch (error) {
      throw new PartialFailure(state, (error as Error).message);
    }
  },

  async read(client, { id: given, inputs, outputs }, call) {
    const imported = isImport({ inputs, outputs });
    const id = imported ? await environmentNamed(client, given, call) : given;
    const found = await client.find<Project>(pathOf(id), call);
    if (found === undefined || isLeaving(found)) return undefined;
    const declared = imported ? importedInputs(found) : inputs;
    const members = await observedMembers(client, id, declared, call);
    const seen = observedInputs(
      { ...declared, useDefault: found.uuid === DEFAULT_UUID, ...members },
      ["name", "description", ...OPTIONAL],
      { ...found, description: unmarked(found) },
    );
    return { state: { id, outputs: outputsOf(seen, found) }, inputs: seen };
  },

  async update(client, { id, oldInputs, inputs }, call) {
    return shaped(client, id, oldInputs, inputs, call);
  },

  async delete(client, { id, inputs, outputs }, call) {
    // The environment that every server has is forgotten, not removed.
    if (client.held.has(id) || outputs["isDefault"] === true) return;
    if (inputs["useDefault"] === true) return;
    await removed(client, call, {
      path: pathOf(id),
      what: whatOf(id, inputs),
      until: deadline(call),
      advice: "look at its hosts and stacks in Rancher",
    });
  },
};

function pathOf(id: string): string {
  return `${ENVIRONMENTS}/${id}`;
}

function whatOf(id: string, { name }: Props): string {
  return `environment ${typeof name === "string" ? `${name} (${id})` : id}`;
}

function checkTemplate(template: Place, useDefault: unknown): void {
  template.text({ minLength: 1 });
  if (template.present() && useDefault === true) {
    template.reject("cannot be chosen with useDefault: that environment has its template already");
  }
}

function checkMembers(members: Place): void {
  const all = members.elements();
  for (const member of all) {
    if (!member.isObject(true)) continue;
    onlyProperties(member, ["externalId", "externalIdType", "role"]);
    for (const field of ["externalId", "externalIdType", "role"]) {
      member.at(field).text({ required: true, maxLength: 255 });
    }
  }
  if (hasUnknown(members.value) || !Array.isArray(members.value)) return;
  if (!all.some((member) => member.at("role").value === OWNER)) {
    members.reject(`must have at least one with the role ${OWNER}: the server refuses others`);
  }
  const seen = new Set<string>();
  for (const member of all) {
    const who = [member.at("externalIdType").value, member.at("externalId").value].join(" ");
    if (seen.has(who)) member.reject("is in the list already");
    seen.add(who);
  }
}

function checkPortRange(range: Place): void {
  if (!range.isObject()) return;
  onlyProperties(range, ["startPort", "endPort"]);
  const [start, end] = [range.at("startPort"), range.at("endPort")];
  for (const port of [start, end]) port.whole({ required: true, min: 1, max: 65535 });
  if (typeof start.value === "number" && typeof end.value === "number" && start.value > end.value) {
    end.reject(`must not be below startPort, ${start.value}`);
  }
}

async function theDefault(client: Client, call: Call): Promise<Project> {
  const found = await environmentByUuid(client, DEFAULT_UUID, call);
  if (found !== undefined) return found;
  throw new Error(
    `the server's default environment (uuid ${DEFAULT_UUID}) was removed, or this key may not see it: leave useDefault out to make another environment`,
  );
}

/** How an environment of our own is found again or made: names are not unique, the mark is. */
async function making(client: Client, inputs: Props, call: Call) {
  const projectTemplateId = inputs["projectTemplateId"] ?? (await theTemplate(client, call)).id;
  return {
    find: async (): Promise<Project | undefined> =>
      (await environments(client, call)).find(
        // One from another template is the one that this one replaces.
        (found) => isMarked(found, call) && found.projectTemplateId === projectTemplateId,
      ),
    make: async (): Promise<Project> => {
      const { name, members } = inputs;
      const description = marked(inputs["description"], call);
      const optional = OPTIONAL.map((field) => [field, inputs[field]]);
      const body = { name, description, projectTemplateId, members, ...fromEntries(optional) };
      try {
        return await client.post<Project>(ENVIRONMENTS, body, call);
      } catch (error) {
        throw explained(error);
      }
    },
  };
}

function fromEntries(entries: readonly unknown[][]): Props {
  return Object.fromEntries(entries) as Props;
}

/** An environment's key gets 405 (or, with access to nothing, 403). */
function explained(error: unknown): unknown {
  if (!(error instanceof ApiError) || (error.status !== 403 && error.status !== 405)) return error;
  return new Error(
    `${error.message}; environments are made with the key of an account, not with that of an environment`,
  );
}

/** Waits for the template: a server that has just been installed loads its catalog first. */
async function theTemplate(client: Client, call: Call): Promise<ProjectTemplate> {
  return waitFor(client, call, {
    what: `the server's environment template ${TEMPLATE}`,
    until: deadline(call),
    advice:
      "see that the server reaches its catalog (setting catalog.url), or give projectTemplateId",
    look: async (options): Promise<Seen<ProjectTemplate>> => {
      const templates = await client.list<ProjectTemplate>("/v2-beta/projecttemplates", {
        ...options,
        query: { name: TEMPLATE, isPublic: "true" },
      });
      const template = templates.find(
        (found) => found.name === TEMPLATE && found.isPublic === true && !isLeaving(found),
      );
      return template === undefined
        ? { waiting: "the catalog is not loaded yet" }
        : { done: template };
    },
  });
}

/** Waits for the environment and gives it what is declared; returns its outputs. */
async function shaped(
  client: Client,
  id: string,
  oldInputs: Props,
  inputs: Props,
  call: Call,
): Promise<Props> {
  const work = { path: pathOf(id), what: whatOf(id, inputs), until: deadline(call) };
  // Somebody may have deactivated it, which is theirs to undo.
  const states = ["active", ...(Object.keys(oldInputs).length > 0 ? ["inactive"] : [])];
  const found = await settled<Project>(client, call, work, states);
  const wanted = wantedFields(found, oldInputs, inputs, call);
  if (!matches(wanted, found)) await client.put(work.path, wanted, call);
  await setMembers(client, id, inputs["members"], call);
  const now = await settled<Project>(client, call, work, states);
  return outputsOf(inputs, now);
}

/** What the program says now; what it said once and says no more goes back to the server's default. */
function wantedFields(found: Project, oldInputs: Props, inputs: Props, call: Call): Props {
  const own = found.uuid !== DEFAULT_UUID;
  const description = own
    ? marked(inputs["description"], call)
    : (inputs["description"] ?? (oldInputs["description"] === undefined ? undefined : null));
  const optional = OPTIONAL.map((field) => [
    field,
    inputs[field] ?? (oldInputs[field] === undefined ? undefined : DEFAULTS[field]),
  ]).filter(([, value]) => value !== undefined);
  return {
    name: inputs["name"],
    ...(description === undefined ? {} : { description }),
    ...fromEntries(optional),
  };
}

async function membersOf(client: Client, id: string, call: Call): Promise<Props[]> {
  const found = await client.list<ProjectMember>(`${pathOf(id)}/projectmembers`, call);
  return found.map(({ externalId, externalIdType, role }) => ({
    externalId,
    externalIdType,
    role,
  }));
}

async function setMembers(client: Client, id: string, members: unknown, call: Call): Promise<void> {
  if (members === undefined) return;
  if (sameMembers(members, await membersOf(client, id, call))) return;
  // Setting the same members twice is setting them once.
  await client.act<Project>(pathOf(id), "setmembers", { members }, () => false, call);
}

/** The declared members, or who they are now if that is somebody else. */
async function observedMembers(
  client: Client,
  id: string,
  { members }: Props,
  call: Call,
): Promise<Props> {
  if (members === undefined) return {};
  const now = await membersOf(client, id, call);
  return { members: sameMembers(members, now) ? members : plain(now) };
}

/** True for the same people in the same roles; their order says nothing. */
function sameMembers(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other) || hasUnknown([one, other])) return false;
  const names = [one, other].map((members) =>
    (members as Props[])
      .map((m) => JSON.stringify([m["externalIdType"], m["externalId"], m["role"]]))
      .sort(),
  );
  return JSON.stringify(names[0]) === JSON.stringify(names[1]);
}

function importedInputs(found: Project): Props {
  const optional = OPTIONAL.filter(
    (field) => !matches(DEFAULTS[field], found[field]) && found[field] !== undefined,
  ).map((field) => [field, plain(found[field])]);
  return { ...importedNames(found), ...fromEntries(optional) };
}

function outputsOf(inputs: Props, found: Project): Props {
  const isDefault = found.uuid === DEFAULT_UUID;
  return {
    ...inputs,
    uuid: found.uuid ?? "",
    orchestration: found.orchestration ?? "",
    isDefault,
    // The default environment's template comes by itself, some time after the server's start.
    ...(isDefault ? {} : { projectTemplateId: found.projectTemplateId ?? undefined }),
  };
}
