import {
  AgentHosts,
  AttachedVolume,
  DataVolume,
  HostAddress,
  InstanceConnectEndpoint,
  MariaDb,
  Network,
  RancherOsHost,
  RancherServer,
  RemoteDocker,
  SecurityGroups,
  SharedContent,
  SiteAccess,
  SiteAddress,
  SiteEnvironment,
  SiteInstaller,
  Snapshots,
  SiteTargets,
  SshEndpoint,
  WordPress,
} from "./components";
import { dataDirectories, memoryPlan, readSettings } from "./config";

const settings = readSettings();
const memory = memoryPlan(settings.serverInstanceType);

const network = new Network("network", { cidr: settings.vpcCidr });
const groups = new SecurityGroups("security", {
  vpcId: network.vpcId,
  adminCidrs: settings.adminCidrs,
});
const after = [network, groups];

const serverPlace = network.place(0);
const data = new DataVolume("data", {
  availabilityZone: serverPlace.availabilityZone,
  directories: Object.values(dataDirectories),
  isProtected: settings.protectData,
});
const serverHost = new RancherOsHost("server", {
  amiId: settings.amiId,
  instanceType: settings.serverInstanceType,
  subnetId: serverPlace.subnetId,
  securityGroupId: groups.serverGroupId,
  sshPublicKey: settings.sshPublicKey,
  files: [data.file],
  bootCommands: [data.bootCommand],
  after,
});
const sshWay = InstanceConnectEndpoint.where(settings.sshVia, "ssh-way", {
  region: settings.region,
  vpcId: network.vpcId,
  subnetId: serverPlace.subnetId,
  groupId: groups.serverGroupId,
});
const serverIp = new HostAddress("server-address", { host: serverHost, after, through: sshWay });
const serverData = new AttachedVolume("server-data", { volume: data, address: serverIp });
const engine = new RemoteDocker("server-docker", {
  address: serverIp,
  after: [serverData.mounted],
});

const rancher = new RancherServer("rancher", {
  engine,
  network,
  volume: data,
  directory: dataDirectories.rancherDatabase,
  image: settings.images.rancherServer,
  databaseImage: settings.images.rancherDatabase,
  memory,
  catalogUrl: settings.catalogUrl,
});
const siteDatabase = new MariaDb("site-db", {
  engine,
  image: settings.images.siteDatabase,
  dataDirectory: data.directory(dataDirectories.siteDatabase),
  database: "wordpress",
  charset: "utf8mb4",
  bufferPoolMiB: memory.sitePoolMiB,
  published: true,
  isProtected: settings.protectData,
});

const content = new SharedContent("content", {
  network,
  clientGroupId: groups.agentGroupId,
  isProtected: settings.protectData,
});
Snapshots.keptFor(settings.snapshotDays, "snapshots", {
  resources: [data.arn, content.arn],
  isProtected: settings.protectData,
});
const agents = new AgentHosts("agents", {
  count: settings.agentCount,
  balancers: settings.loadBalancerScale,
  entry: settings.siteEntry,
  server: rancher,
  network,
  amiId: settings.amiId,
  instanceType: settings.agentInstanceType,
  securityGroupId: groups.agentGroupId,
  sshPublicKey: settings.sshPublicKey,
  agentImage: settings.images.rancherAgent,
  content,
  via: serverIp.endpoint,
  after,
});
const siteAddress = new SiteAddress("site-address", {
  entry: settings.siteEntry,
  agents,
  network,
  groupId: groups.agentGroupId,
  after,
});
const site = new SiteEnvironment("site", {
  database: siteDatabase,
  databaseHost: rancher.hostName,
  domain: settings.siteDomain,
  address: siteAddress.first,
  certificate: settings.siteCertificate,
  mail: settings.siteMail,
});
const installer = new SiteInstaller("site-installer", {
  engine,
  image: settings.images.wordpress,
  site,
  database: siteDatabase,
  title: settings.siteTitle,
  adminUser: settings.siteAdminUser,
  adminEmail: settings.siteAdminEmail,
});
const wordPress = new WordPress("wordpress", {
  server: rancher,
  agents,
  scale: settings.wordpressScale,
  image: settings.images.wordpress,
  loadBalancerImage: settings.images.loadBalancer,
  site,
  certificate: settings.siteCertificate,
  installed: installer.installed,
  content,
});
const targets = new SiteTargets("site-targets", {
  address: siteAddress,
  agents,
  after: [wordPress.answers],
});
new SiteAccess("site-access", {
  groupId: groups.agentGroupId,
  cidrs: settings.siteCidrs,
  hosts: agents.balancers,
  isEncrypted: settings.siteCertificate !== undefined,
  after: [installer.installed, wordPress.answers, ...targets.ready],
});

/** The site's own address, which its links have. */
export const siteUrl = site.url;
/** Who administers the site, at `/wp-admin/`. */
export const siteAdminUser = settings.siteAdminUser;
/** The administrator's first password. A secret. */
export const siteAdminPassword = installer.adminPassword;
/** Where the site answers: one address a host that runs a load balancer, or a zone of the network load balancer. */
export const siteUrls = siteAddress.urls;
/** Public address of the server host, which answers SSH and nothing else. */
export const serverAddress = serverIp.publicIp;
/** The command line that logs in to a host, by name: `server`, `agents-0` and so on. */
export const sshCommands = SshEndpoint.commands({
  server: serverIp.endpoint,
  ...agents.endpoints,
});
/** The command that brings Rancher's UI to http://127.0.0.1:8080 of the machine it runs on. */
export const rancherUiTunnel = rancher.uiTunnel;
/** Agent hosts: name, address and id in Rancher. */
export const agentHosts = agents.hosts;
/** Key of Rancher's administrator. A secret. */
export const rancherAccessKey = rancher.accessKey;
/** Secret half of the key. A secret. */
export const rancherSecretKey = rancher.secretKey;
/** Password of the user `admin` in Rancher's UI. A secret. */
export const rancherAdminPassword = rancher.adminPassword;
