export { accountGate } from "./accountGate";
export { AgentHosts, type AgentHost, type AgentHostsArgs, type BalancerHost } from "./agentHosts";
export { AttachedVolume, type AttachedVolumeArgs } from "./attachedVolume";
export { DataVolume, type DataVolumeArgs } from "./dataVolume";
export { HostAddress, type HostAddressArgs } from "./hostAddress";
export {
  InstanceConnectEndpoint,
  type InstanceConnectEndpointArgs,
} from "./instanceConnectEndpoint";
export { MariaDb, type MariaDbArgs } from "./mariaDb";
export { Network, type NetworkArgs } from "./network";
export { NetworkLoadBalancer, type NetworkLoadBalancerArgs } from "./networkLoadBalancer";
export { RancherOsHost, type RancherOsHostArgs } from "./rancherOsHost";
export { RancherServer, type RancherServerArgs } from "./rancherServer";
export { RemoteDocker, type RemoteDockerArgs } from "./remoteDocker";
export { SecurityGroups, type SecurityGroupsArgs } from "./securityGroups";
export { SharedContent, type SharedContentArgs } from "./sharedContent";
export { SiteAccess, type SiteAccessArgs } from "./siteAccess";
export { SiteAddress, type SiteAddressArgs } from "./siteAddress";
export { SiteEnvironment, type SiteEnvironmentArgs } from "./siteEnvironment";
export { SiteInstaller, type SiteInstallerArgs } from "./siteInstaller";
export { Snapshots, type SnapshotsArgs } from "./snapshots";
export { SiteTargets, type SiteTargetsArgs } from "./siteTargets";
export { SshEndpoint, type SshEndpointArgs } from "./sshEndpoint";
export { WordPress, type WordPressArgs } from "./wordPress";
