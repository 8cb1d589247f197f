import {
  DescribeInstancesCommand,
  DescribeSecurityGroupRulesCommand,
  EC2Client,
  RevokeSecurityGroupIngressCommand,
} from "@aws-sdk/client-ec2";
import { connect } from "node:net";
import { docker, labEnv, onMachine, outputs, pulumi } from "./lab";

// The SDK warns on Node 20, which the project's packages are pinned for.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";

/** The emulator's EC2, as any client of the account sees it. */
export function ec2(): EC2Client {
  const env = labEnv();
  return new EC2Client({
    endpoint: env.cloudUrl,
    region: env.region,
    credentials: { accessKeyId: "lab", secretAccessKey: "lab" },
  });
}

/** A running instance: id, addresses, type. */
export interface Machine {
  readonly id: string;
  readonly type: string;
  readonly publicAddress: string | undefined;
  readonly privateAddress: string | undefined;
}

/** Instances of the account that are not terminated. */
export async function machines(): Promise<Machine[]> {
  const answer = await ec2().send(new DescribeInstancesCommand({}));
  return (answer.Reservations ?? [])
    .flatMap((r) => r.Instances ?? [])
    .filter((i) => !["terminated", "shutting-down"].includes(i.State?.Name ?? ""))
    .map((i) => ({
      id: i.InstanceId ?? "",
      type: i.InstanceType ?? "",
      publicAddress: i.PublicIpAddress,
      privateAddress: i.PrivateIpAddress,
    }));
}

/** The machine behind the output `serverAddress`. */
export async function serverMachine(): Promise<Machine> {
  const { serverAddress } = await outputs();
  const found = (await machines()).find((m) => m.publicAddress === serverAddress);
  if (found === undefined) throw new Error(`no instance has the address ${serverAddress}`);
  return found;
}

/** The machines behind the output `agentHosts`, in its order. */
export async function agentMachines(): Promise<Machine[]> {
  const all = await machines();
  return (await outputs()).agentHosts.map(({ address }) => {
    // A host that visitors do not come to has a private address only.
    const found = all.find((m) => [m.publicAddress, m.privateAddress].includes(address));
    if (found === undefined) throw new Error(`no instance has the address ${address}`);
    return found;
  });
}

/** One running WordPress container. */
export interface Replica {
  readonly machine: Machine;
  readonly container: string;
}

/** WordPress containers that run on the agents' machines right now. */
export async function replicas(): Promise<Replica[]> {
  const found: Replica[] = [];
  for (const machine of await agentMachines()) {
    const list = await onMachine(machine.id, "docker ps --format '{{.ID}} {{.Image}}'");
    for (const line of list.split("\n")) {
      const [container = "", image = ""] = line.split(" ");
      if (/\/wordpress:/.test(image)) found.push({ machine, container });
    }
  }
  return found;
}

/** What each replica has logged of the requests with this marker in their URL or referrer, a line each. */
export async function logged(marker: string): Promise<string[][]> {
  return Promise.all(
    (await replicas()).map(async ({ machine, container }) => {
      const lines = await onMachine(
        machine.id,
        `docker logs ${container} 2>&1 | grep ${marker} || true`,
      );
      return lines === "" ? [] : lines.split("\n");
    }),
  );
}

/**
 * Sees to it that the two replicas are on two hosts: an upgrade that starts the new ones first, and the
 * loss of a host, may leave both on one, and nothing moves a replica that is well.
 */
export async function spreadReplicas(): Promise<void> {
  const hosts = async () => new Set((await replicas()).map((r) => r.machine.id)).size;
  if ((await hosts()) > 1) return;
  for (const scale of ["1", "2"]) {
    await pulumi("config", "set", "wordpressScale", scale);
    await pulumi("up", "--yes", "--skip-preview", "--non-interactive");
  }
  if ((await hosts()) < 2) throw new Error("both replicas are on one host");
}

/** How many requests with this marker in their URL each replica has logged. */
export async function hits(marker: string): Promise<number[]> {
  return (await logged(marker)).map((lines) => lines.length);
}

/** A page of the site, redirects followed by hand so that the address never changes behind the test's back. */
export async function page(url: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(url, { redirect: "follow", signal: AbortSignal.timeout(20_000) });
  return { status: answer.status, body: await answer.text() };
}

/** A SQL statement on the site's database, run in its container on the server's machine. */
export async function siteSql(statement: string): Promise<string> {
  const server = await serverMachine();
  const name = await onMachine(
    server.id,
    "docker ps --format '{{.Names}} {{.Ports}}' | awk '/3306->/ {print $1}'",
  );
  const sql = JSON.stringify(statement);
  return onMachine(
    server.id,
    `docker exec ${name} sh -c 'MYSQL_PWD="$MYSQL_PASSWORD" mysql -N -u"$MYSQL_USER" "$MYSQL_DATABASE" -e "$0"' ${sql}`,
  );
}

/** True when a TCP connection from the laptop to the address is accepted within two seconds. */
export async function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 2000 });
    const done = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", () => done(true));
    socket.once("timeout", () => done(false));
    socket.once("error", () => done(false));
  });
}

/** Kills a machine as a power cut would: the account still says that it runs. */
export async function killMachine(id: string): Promise<void> {
  await docker("kill", `rc-${labEnv().id}-${id}`);
}

/** A GET on the Rancher API with the stack's own key, asked on the server's machine. */
export async function rancherApi<T>(path: string): Promise<T> {
  const [server, { rancherAccessKey, rancherSecretKey }] = await Promise.all([
    serverMachine(),
    outputs(),
  ]);
  const answer = await onMachine(
    server.id,
    `curl -sf -u '${rancherAccessKey}:${rancherSecretKey}' 'http://127.0.0.1:8080/v2-beta/${path}'`,
  );
  return JSON.parse(answer) as T;
}

/** The hosts that Rancher knows, with their state as its UI shows it. */
export async function rancherHosts(): Promise<{ id: string; state: string }[]> {
  return (await rancherApi<{ data: { id: string; state: string }[] }>("projects/1a5/hosts")).data;
}

/** Takes a rule out of the security group that has it, behind Pulumi's back. */
export async function revokeIngress(protocol: string, port: number): Promise<void> {
  const { SecurityGroupRules = [] } = await ec2().send(new DescribeSecurityGroupRulesCommand({}));
  const rule = SecurityGroupRules.find(
    (r) => r.IsEgress === false && r.IpProtocol === protocol && r.FromPort === port,
  );
  if (rule?.GroupId === undefined) throw new Error(`no rule for ${protocol} ${port}`);
  await ec2().send(
    new RevokeSecurityGroupIngressCommand({
      GroupId: rule.GroupId,
      SecurityGroupRuleIds: [rule.SecurityGroupRuleId ?? ""],
    }),
  );
}
