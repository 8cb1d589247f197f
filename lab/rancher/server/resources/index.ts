import { accountType, apiKeyType, passwordType, registrationTokenType } from "./credentials";
import { certificateType } from "./certificates";
import { hostType } from "./hosts";
import { containerType, instanceType } from "./instances";
import { projectMemberType } from "./projectMembers";
import { projectTemplateType, projectType } from "./projects";
import { otherServiceTypes, serviceType } from "./services";
import { stackType } from "./stacks";
import type { ResourceType } from "./type";

const types = [
  accountType,
  apiKeyType,
  certificateType,
  containerType,
  hostType,
  instanceType,
  passwordType,
  projectMemberType,
  projectTemplateType,
  projectType,
  registrationTokenType,
  serviceType,
  ...otherServiceTypes,
  stackType,
] as unknown as ResourceType<{ id: number }>[];

/** Types by path segment; both singular and plural find them, as on the real server. */
export const typesByPath = new Map<string, ResourceType<{ id: number }>>(
  types.flatMap((t) => [
    [t.plural, t],
    [t.type.toLowerCase(), t],
  ]),
);

/** Every type once. */
export const allTypes: readonly ResourceType<{ id: number }>[] = types;
