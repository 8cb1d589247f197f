/** Links that an environment offers: to nearly every type there is. Source: recordings. */
import type { Context } from "../http/context";

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

const forEveryone = words(`
  accounts apiKeys auditLogs backupTargets backups certificates composeProjects composeServices
  containerEvents containers credentials dnsServices externalDnsEvents externalEvents
  externalHostEvents externalServiceEvents externalServices externalStoragePoolEvents
  externalVolumeEvents genericObjects healthcheckInstanceHostMaps hostTemplates hosts identities
  images instanceLinks instances ipAddresses kubernetesServices kubernetesStacks labels
  loadBalancerServices machineDrivers machines mounts networkDriverServices networkDrivers
  networkPolicyRuleWithins networks passwords physicalHosts ports projectMembers projectTemplates
  projects pullTasks regions register registrationTokens registries registryCredentials
  scheduledUpgrades schemas secrets serviceConsumeMaps serviceEvents serviceExposeMaps serviceLogs
  serviceProxies services settings snapshots stacks storageDriverServices storageDrivers
  storagePools subnets typeDocumentations virtualMachines volumeTemplates volumes
`);

const forEnvironmentKeys = words(`
  subscribe
`);

const forAdministrators = words(`
  accountLinks agents azureadconfigs clusterMemberships configItemStatuses configItems
  databasechangeloglocks databasechangelogs extensionPoints externalCredentials
  externalHandlerExternalHandlerProcessMaps externalHandlerProcesses externalHandlers
  haConfigInputs haConfigs hostApiProxyTokens localAuthConfigs openldapconfigs processDefinitions
  processExecutions processInstances processPools processSummary resourceDefinitions taskInstances
  tasks userPreferences
`);

/** The link names for who asks; most lead to types that the lab does not have. */
export function projectLinks({ identity }: Context): readonly string[] {
  const own = identity.account.kind === "project" ? forEnvironmentKeys : forAdministrators;
  return [...forEveryone, ...own];
}
