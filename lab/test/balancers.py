"""The cloud's load balancers on real sockets, in network namespaces of their own: run by balancers.spec.ts with `unshare -n`.

    python balancers.py FOLDER

Stands in for the engine and the hosts, and for nothing else. Prints what it sees as JSON.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE / "lab" / "cloud"))

import main  # noqa: E402
from settings import Lab  # noqa: E402

SERVER = """
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 80))
s.listen(50)
while True:
    c, a = s.accept()
    try: c.sendall(b"%s %s" % (a[0].encode(), b"ADDRESS"))
    except OSError: pass
    c.close()
"""


def sh(line: str) -> None:
    subprocess.run(line, shell=True, check=True)


class Stub:
    """An engine whose hosts all run, and volumes that are none."""

    lab = None

    def has_vpc(self, vpc_id): return True
    def bridge(self, vpc_id): return "br-test"
    def host_state(self, instance_id): return "running"
    def execute(self, *command): return 0, ""
    def devices(self, instance_id): return ""
    def __getattr__(self, name): return lambda *args: None


def settled(call):
    """Repeats a call that an id which is not known yet makes fail."""
    for _ in range(10):
        try:
            return call()
        except Exception as error:
            last = error
            time.sleep(0.1)
    raise last


seen: dict = {}
folder = Path(sys.argv[1])
sh("ip link set lo up; ip link add br-test type bridge; ip address add 10.9.0.1/16 dev br-test; ip link set br-test up")
sh("ip link add inet0 type bridge; ip address add 192.0.2.1/24 dev inet0; ip link set inet0 up")
lab = Lab(
    file=folder / "env.json", id="smk", dir=folder, docker_host="", label=("a", "b"), internet_cidr="192.0.2.0/24",
    internet_gateway="192.0.2.1", internet_bridge="inet0", vpc_cidr="10.9.0.0/16", port=5055, registry="",
    registry_address="", region="eu-central-1", vcpu_quota=16, address_quota=9,
)
main.prepare_moto(lab)
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{lab.port}"

import account  # noqa: E402
import balancers  # noqa: E402
import boto3  # noqa: E402
import hooks  # noqa: E402
import images  # noqa: E402
from addresses import Pool, Translation  # noqa: E402
from hosts import Hosts  # noqa: E402
from moto.ec2.models.amis import Ami  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # noqa: E402
from strict import Consistency  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

engine, pool, snapshot = Stub(), Pool(lab), account.Snapshot(folder / "cloud.state")
translation = Translation(lab, balancers.forwards)
checks = balancers.Balancers(engine, translation.sync)
table = images.read_table(folder, CLONE)
hooks.install(lab, Hosts(lab, engine, snapshot, pool, translation, Stub(), checks), pool, table, Consistency())
images.load(account.region(lab.region), table, Ami)
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", lab.port, app, threaded=True, request_handler=main._quiet(MotoRequestHandler))
threading.Thread(target=server.serve_forever, daemon=True).start()
checks.watch()

ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
vpc = ec2.create_vpc(CidrBlock=lab.vpc_cidr)["Vpc"]["VpcId"]
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
settled(lambda: ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc))
table_id = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
settled(lambda: ec2.create_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway))
subnets, instances, processes = [], [], {}
ami = next(iter(table.values())) if lab.region not in table else table[lab.region]
for index, zone in enumerate("ab"):
    place = {"CidrBlock": f"10.9.{16 * index}.0/20", "AvailabilityZone": lab.region + zone}
    subnets.append(settled(lambda: ec2.create_subnet(VpcId=vpc, **place))["Subnet"]["SubnetId"])
    settled(lambda: ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnets[-1]))
    kind = {"ImageId": ami, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}
    instances += settled(lambda: ec2.run_instances(SubnetId=subnets[-1], **kind))["Instances"]
ids = [one["InstanceId"] for one in instances]
first = [{"Id": ids[0]}]


def serve(pid: int, address: str) -> subprocess.Popen:
    inside = ["nsenter", "-t", str(pid), "-n", "python3", "-c", SERVER.replace("ADDRESS", address)]
    return subprocess.Popen(inside)


for index, one in enumerate(instances):
    address = one["PrivateIpAddress"]
    nap = subprocess.Popen(["unshare", "-n", "sleep", "120"])
    time.sleep(0.5)
    sh(f"ip link add v{index} type veth peer name e0 netns {nap.pid}; ip link set v{index} master br-test up")
    setup = f"ip address add {address}/16 dev e0; ip link set e0 up; ip route add default via 10.9.0.1"
    sh(f"nsenter -t {nap.pid} -n sh -c '{setup}'")
    processes[one["InstanceId"]] = [nap, serve(nap.pid, address)]


def health(targets=()):
    given = {"Targets": list(targets)} if targets else {}
    found = elb.describe_target_health(TargetGroupArn=group, **given)["TargetHealthDescriptions"]
    return sorted(one["TargetHealth"]["State"] for one in found)


def reached(address: str) -> list[str]:
    """Who answers four connections: client as it is seen, and host."""
    answers = []
    for _ in range(4):
        with socket.create_connection((address, 80), timeout=3) as connection:
            answers.append(connection.recv(100).decode())
    return sorted(answers)


def wait(*wanted: str) -> None:
    end = time.time() + 15
    while health() != sorted(wanted):
        assert time.time() < end, health()
        time.sleep(0.1)


def refusal(call) -> str:
    try:
        call()
    except Exception as error:
        return error.response["Error"]["Code"]
    return "none"


addresses = [ec2.allocate_address(Domain="vpc") for _ in subnets]
mappings = [{"SubnetId": s, "AllocationId": a["AllocationId"]} for s, a in zip(subnets, addresses)]
balancer = elb.create_load_balancer(Name="t", Type="network", SubnetMappings=mappings)["LoadBalancers"][0]["LoadBalancerArn"]
cross = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=cross)
check = {"HealthCheckProtocol": "TCP", "HealthCheckPort": "80", "HealthCheckIntervalSeconds": 10}
group = elb.create_target_group(
    Name="g", VpcId=vpc, TargetType="instance", Protocol="TCP", Port=80, HealthyThresholdCount=2, UnhealthyThresholdCount=2, **check
)["TargetGroups"][0]["TargetGroupArn"]
delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)
elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in ids])
seen["withoutListener"] = health()
forward = [{"Type": "forward", "TargetGroupArn": group}]
listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="TCP", Port=80, DefaultActions=forward)["Listeners"][0]["ListenerArn"]
public = [one["PublicIp"] for one in addresses]
wait("healthy", "healthy")
seen["hosts"] = [one["PrivateIpAddress"] for one in instances]
seen["both"] = [reached(one) for one in public]
processes[ids[0]][1].kill()
wait("healthy", "unhealthy")
seen["oneDied"] = [reached(one) for one in public]
processes[ids[0]][1] = serve(processes[ids[0]][0].pid, seen["hosts"][0])
wait("healthy", "healthy")
seen["oneCameBack"] = [reached(one) for one in public]
elb.deregister_targets(TargetGroupArn=group, Targets=first)
seen["deregistered"] = [health(first), reached(public[0])]
time.sleep(3.5)
seen["drained"] = health(first)
seen["refusals"] = {
    "address": refusal(lambda: ec2.release_address(AllocationId=addresses[0]["AllocationId"])),
    "subnet": refusal(lambda: ec2.delete_subnet(SubnetId=subnets[0])),
    "gateway": refusal(lambda: ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)),
    "group": refusal(lambda: elb.delete_target_group(TargetGroupArn=group)),
    "another": refusal(lambda: elb.create_load_balancer(Name="u", Type="network", SubnetMappings=mappings)),
}
elb.delete_listener(ListenerArn=listener)
elb.delete_load_balancer(LoadBalancerArn=balancer)
elb.delete_target_group(TargetGroupArn=group)
seen["releasedAfter"] = refusal(lambda: ec2.release_address(AllocationId=addresses[0]["AllocationId"]))
for started in processes.values():
    for process in started:
        process.kill()
(folder / "seen.json").write_text(json.dumps(seen))
os._exit(0)
