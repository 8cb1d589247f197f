"""Network load balancers: connections to their Elastic IPs go on to targets that are well.

This machine passes them on, in the chains of addresses.py. A node's private address is on the bridge of its VPC, so
that health checks come from where AWS's come from, and the hosts' own firewalls decide about them.
"""

import socket
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Iterator

from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import FakeHealthStatus, elbv2_backends

import account
from addresses import Forward, forget, is_routed
from engine import Engine
from files import run, say

# As with everything that takes minutes on AWS: intervals and delays are a tenth here.
_FASTER = 10

# How often it is looked whether a check is due, and how long a target may take to accept, in seconds.
_TICK_SECONDS = 0.2
_CONNECT_SECONDS = 1.0


@dataclass
class Health:
    """What is known of a target: its state, the last look's verdict, and how often in a row it was that."""

    state: str = "initial"
    verdict: str = ""
    row: int = 0
    due: float = 0.0


@dataclass(frozen=True)
class _Check:
    """One look at one target, from every node that may send it visitors."""

    group: Any
    target_id: str
    address: tuple[str, int]
    nodes: tuple[str, ...]


def backends() -> list[Any]:
    """ELB in every region that was touched."""
    return list(elbv2_backends[DEFAULT_ACCOUNT_ID].values())


# Nodes


def add_nodes(backend: Any, balancer: Any, mappings: list[dict[str, str]]) -> None:
    """Gives a new load balancer an interface with an Elastic IP in each subnet."""
    ec2 = backend.ec2_backend
    balancer.nodes = []
    for mapping in mappings:
        subnet = ec2.get_subnet(mapping["SubnetId"])
        nic = ec2.create_network_interface(
            subnet, subnet.get_available_subnet_ip(balancer), description=f"ELB net/{balancer.name}"
        )
        balancer.nodes.append(nic)
        ec2.associate_address(eni=nic, allocation_id=mapping["AllocationId"])


def remove_nodes(backend: Any, balancer: Any) -> None:
    """Lets go of a load balancer's interfaces and addresses."""
    ec2 = backend.ec2_backend
    for nic in balancer.nodes:
        for held in [address for address in ec2.addresses if address.eni is nic]:
            ec2.disassociate_address(association_id=held.association_id)
        ec2.delete_network_interface(nic.id)
        nic.subnet.del_subnet_ip(nic.private_ip_address)
        # As for instances: the address is not used again while others may still know it.
        nic.subnet._unused_ips.clear()


def _nodes() -> Iterator[tuple[Any, Any, Any]]:
    """Backend, load balancer and interface of each node."""
    for backend in backends():
        for balancer in backend.load_balancers.values():
            for nic in balancer.nodes:
                yield backend, balancer, nic


def addresses_of(balancer: Any, subnet_id: str) -> list[dict[str, str]]:
    """A load balancer's addresses in a subnet, as AWS shows them."""
    return [
        {"IpAddress": held.public_ip, "AllocationId": held.allocation_id}
        for nic in balancer.nodes
        if nic.subnet.id == subnet_id
        for held in nic.ec2_backend.addresses
        if held.eni is nic
    ]


# Targets


def _groups_of(backend: Any, listener: Any) -> list[Any]:
    """The target groups that a listener sends its connections to."""
    arns = {
        arn
        for action in listener.default_actions
        for arn in backend._get_target_group_arns_from(action_data=action.data)
    }
    return [backend.target_groups[arn] for arn in sorted(arns) if arn in backend.target_groups]


def _users(backend: Any, group: Any) -> list[Any]:
    """The load balancers that a target group is used by."""
    return [
        balancer
        for balancer in backend.load_balancers.values()
        if any(group in _groups_of(backend, listener) for listener in balancer.listeners.values())
    ]


def _instance(backend: Any, target_id: str) -> Any:
    """The instance of a target, unless it has ended."""
    return next((one for one in account.instances(backend.ec2_backend) if one.id == target_id), None)


def begin(group: Any, target_id: str) -> None:
    """Takes note of a target that was registered."""
    group.health.setdefault(target_id, Health())
    group.draining.pop(target_id, None)


def end(group: Any, target_id: str) -> None:
    """Takes note of a target that was deregistered: it gets nothing new, and may finish what it has."""
    group.health.pop(target_id, None)
    delay = float(group.attributes["deregistration_delay.timeout_seconds"]) / _FASTER
    group.draining[target_id] = time.time() + delay


def status(backend: Any, group: Any, target_id: str) -> FakeHealthStatus | None:
    """A target's state as AWS tells it; None for one that the group does not know."""

    def told(state: str, reason: str | None = None, description: str | None = None) -> FakeHealthStatus:
        port = group.targets.get(target_id, {}).get("Port", group.port)
        return FakeHealthStatus(target_id, port, group.health_check_port, state, reason, description)

    if target_id in group.targets:
        if not _users(backend, group):
            return told("unused", "Target.NotInUse", "No load balancer uses the target group")
        state = group.health[target_id].state
        if state == "initial":
            return told(state, "Elb.InitialHealthChecking", "Initial health checks are in progress")
        if state == "unhealthy":
            return told(state, "Target.FailedHealthChecks", "Health checks failed")
        return told(state)
    if time.time() < group.draining.get(target_id, 0):
        return told("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
    return None


def forwards() -> list[Forward]:
    """What each address and port of a load balancer leads to."""
    found = []
    for backend, balancer, nic in _nodes():
        if not nic.public_ip or not is_routed(backend.ec2_backend, nic.subnet):
            continue
        for listener in balancer.listeners.values():
            targets = [
                target for group in _groups_of(backend, listener) for target in _usable(backend, balancer, nic, group)
            ]
            found.append(Forward(nic.public_ip, nic.private_ip_address, int(listener.port), tuple(sorted(targets))))
    return found


def _usable(backend: Any, balancer: Any, nic: Any, group: Any) -> list[str]:
    """Targets that a node sends visitors to: the healthy ones, or all when none is."""
    is_cross_zone = balancer.attrs.get("load_balancing.cross_zone.enabled") == "true"
    found = []
    for target_id, target in group.targets.items():
        instance = _instance(backend, target_id)
        if instance is None:
            continue
        if is_cross_zone or instance.placement == nic.subnet.availability_zone:
            address = account.primary(instance).private_ip_address
            found.append((group.health[target_id].state, f"{address}:{int(target['Port'])}"))
    healthy = [address for state, address in found if state == "healthy"]
    return healthy or [address for _, address in found]


class Balancers:
    """Keeps the nodes' addresses on this machine, and checks the targets for as long as the cloud runs."""

    def __init__(self, engine: Engine, changed: Callable[[], None]) -> None:
        self._engine = engine
        # Called with the lock held when connections go elsewhere from now on.
        self._changed = changed
        self._plumbed: dict[str, str] = {}

    def sync(self) -> None:
        """Brings the bridges to what the account says, and drops targets that have ended. Callers hold the lock."""
        wanted = {}
        for _, _, nic in _nodes():
            address = nic.private_ip_address
            wanted[address] = self._plumbed.get(address) or self._engine.bridge(nic.subnet.vpc_id)
        for address in wanted.keys() - self._plumbed.keys():
            run("ip", "address", "replace", f"{address}/32", "dev", wanted[address])
        for address in self._plumbed.keys() - wanted.keys():
            # The bridge may be gone already, and the address with it.
            run("ip", "address", "del", f"{address}/32", "dev", self._plumbed[address], check=False)
        self._plumbed = wanted
        for backend in backends():
            for group in backend.target_groups.values():
                for target_id in [one for one in group.targets if _instance(backend, one) is None]:
                    group.deregister([{"Id": target_id}])

    def watch(self) -> None:
        """Checks targets from now on."""
        threading.Thread(target=self._watch, daemon=True, name="health checks").start()

    def _watch(self) -> None:
        with ThreadPoolExecutor(max_workers=8) as workers:
            while True:
                time.sleep(_TICK_SECONDS)
                try:
                    with account.lock:
                        due = list(self._due())
                    answers = list(workers.map(_accepts, due))
                    with account.lock:
                        self._learn(due, answers)
                except Exception:  # noqa: BLE001 - one bad look must not be the last
                    say(f"health checks:\n{traceback.format_exc()}")

    def _due(self) -> Iterator[_Check]:
        now = time.monotonic()
        for backend in backends():
            for group in backend.target_groups.values():
                nodes = tuple(nic.private_ip_address for user in _users(backend, group) for nic in user.nodes)
                for target_id, target in group.targets.items():
                    health, instance = group.health[target_id], _instance(backend, target_id)
                    # A clock that began anew with the machine has nothing in the far future.
                    if not nodes or instance is None or now < health.due < now + 3600:
                        continue
                    health.due = now + float(group.health_check_interval_seconds) / _FASTER
                    port = target["Port"] if group.health_check_port == "traffic-port" else group.health_check_port
                    address = account.primary(instance).private_ip_address
                    yield _Check(group, target_id, (address, int(port)), nodes)

    def _learn(self, checks: list[_Check], answers: list[bool]) -> None:
        changed = False
        for check, accepted in zip(checks, answers):
            health = check.group.health.get(check.target_id)
            if health is None:
                continue
            verdict = "healthy" if accepted else "unhealthy"
            health.row = health.row + 1 if verdict == health.verdict else 1
            health.verdict = verdict
            group = check.group
            needed = int(group.healthy_threshold_count if accepted else group.unhealthy_threshold_count)
            if verdict != health.state and health.row >= needed:
                say(f"{check.target_id} is {verdict} in {group.name}")
                health.state, changed = verdict, True
                if not accepted:
                    # AWS ends what is open to a target that is not well.
                    for forward in forwards():
                        forget("--orig-dst", forward.public, "--reply-src", check.address[0])
        if changed:
            self._changed()


def _accepts(check: _Check) -> bool:
    """Whether a target accepts a connection of every node."""
    return all(_connects(node, check.address) for node in check.nodes)


def _connects(node: str, address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=_CONNECT_SECONDS, source_address=(node, 0)):
            return True
    except OSError:
        return False
