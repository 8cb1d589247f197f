"""Public addresses: a pool, and their translation to private ones by this machine.

As on AWS no host has its public address on an interface. This machine stands for the internet and
its gateway: it translates in its own network namespace, in chains of its own.
"""

import ipaddress
import shutil
from dataclasses import dataclass
from typing import Any, Callable, Iterator

import account
from files import run, say
from settings import Lab

# The first addresses of the range are left to the lab itself.
_FIRST = 10


@dataclass(frozen=True)
class Forward:
    """What a node of a load balancer passes on: its public and private address, its port, and where to."""

    public: str
    private: str
    port: int
    targets: tuple[str, ...]


class Pool:
    """Hands out public addresses in turn, so that a released one rests as long as possible."""

    def __init__(self, lab: Lab) -> None:
        self._all = [str(address) for address in ipaddress.ip_network(lab.internet_cidr).hosts()][_FIRST - 1 :]
        self.position = 0

    def take(self) -> str:
        """A public address that nobody holds.

        Raises RuntimeError when all are taken.
        """
        used = set(_used())
        for _ in self._all:
            candidate = self._all[self.position % len(self._all)]
            self.position += 1
            if candidate not in used:
                return candidate
        raise RuntimeError("all public addresses of the lab are taken")


def _used() -> Iterator[str]:
    for backend in account.regions():
        yield from (address.public_ip for address in backend.addresses)
        yield from (nic.public_ip for nic in backend.enis.values() if nic.public_ip)


def is_routed(backend: Any, subnet: Any) -> bool:
    """Whether the subnet's route table sends the internet's traffic to a gateway of its VPC."""
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    table = next((t for t in tables if subnet.id in t._associations.values()), None)
    table = table or next((t for t in tables if t.main_association_id), None)
    if table is None:
        return False
    return any(
        route.destination_cidr_block == "0.0.0.0/0"
        and route.gateway is not None
        and getattr(getattr(route.gateway, "vpc", None), "id", None) == subnet.vpc_id
        for route in table.routes
    )


def mappings() -> dict[str, str]:
    """Public address to private address, for everything that the internet reaches."""
    found = {}
    for backend in account.regions():
        for instance in account.instances(backend):
            nic = account.primary(instance)
            if nic.public_ip and instance.state != "shutting-down" and is_routed(backend, nic.subnet):
                found[nic.public_ip] = nic.private_ip_address
    return found


class Translation:
    """The machine's iptables chains of this lab."""

    def __init__(self, lab: Lab, forwards: Callable[[], list[Forward]] = list) -> None:
        self._lab = lab
        self._forwards = forwards
        self._applied: str | None = None
        self._mapped: dict[str, str] = {}
        c = lab.chains
        self._jumps = [
            ("nat", "PREROUTING", ["-s", lab.vpc_cidr, "-j", f"{c}-DNAT"]),
            ("nat", "OUTPUT", ["-j", f"{c}-DNAT"]),
            ("nat", "POSTROUTING", ["-j", f"{c}-SNAT"]),
            ("filter", self._forward_chain(), ["-s", lab.vpc_cidr, "-j", f"{c}-FWD"]),
            ("filter", "INPUT", ["-s", lab.vpc_cidr, "-j", f"{c}-IN"]),
            ("filter", "OUTPUT", ["-d", lab.vpc_cidr, "-j", f"{c}-OUT"]),
        ]

    def sync(self) -> None:
        """Makes the chains translate exactly what the account maps now."""
        forwards = self._forwards()
        mapped = mappings()
        rules = self._rules(mapped, forwards)
        # A load balancer's address has no one target; what changes with its targets is not forgotten here.
        mapped |= {forward.public: forward.private for forward in forwards}
        if rules == self._applied:
            return
        run("iptables-restore", "-w", "10", "--noflush", stdin=rules)
        for table, chain, rule in self._jumps:
            if run("iptables", "-w", "10", "-t", table, "-C", chain, *rule, check=False).returncode != 0:
                # First, because Docker's own masquerading must not see the laptop's packets.
                run("iptables", "-w", "10", "-t", table, "-I", chain, "1", *rule)
        for public, private in self._mapped.items():
            if mapped.get(public) != private:
                forget("--orig-dst", public)
                forget("--reply-dst", public)
        self._mapped = mapped
        self._applied = rules

    def remove(self) -> None:
        """Takes the chains away."""
        for table, chain, rule in self._jumps:
            while run("iptables", "-w", "10", "-t", table, "-D", chain, *rule, check=False).returncode == 0:
                pass
        for table, names in (("nat", ("DNAT", "SNAT")), ("filter", ("FWD", "IN", "OUT"))):
            for name in names:
                for action in ("-F", "-X"):
                    run("iptables", "-w", "10", "-t", table, action, f"{self._lab.chains}-{name}", check=False)

    def _forward_chain(self) -> str:
        """Docker leaves DOCKER-USER to others and looks at it first; an engine without it has FORWARD."""
        found = run("iptables", "-w", "10", "-S", "DOCKER-USER", check=False).returncode == 0
        return "DOCKER-USER" if found else "FORWARD"

    def _rules(self, mapped: dict[str, str], forwards: list[Forward]) -> str:
        lab, c = self._lab, self._lab.chains
        vpc, gateway = lab.vpc_cidr, lab.internet_gateway
        new = "-m conntrack --ctstate NEW"
        translated = "-m conntrack --ctstate DNAT"
        pairs = sorted(mapped.items())
        nat = [
            *(f"-A {c}-DNAT -d {public} -j DNAT --to-destination {private}" for public, private in pairs),
            *(line for forward in forwards for line in _passing_on(c, forward)),
            # The laptop arrives as the internet's gateway.
            f"-A {c}-SNAT -s {gateway} -d {vpc} -j ACCEPT",
            # A host that talks to a public address is seen with its own public one.
            *(f"-A {c}-SNAT -s {private} {translated} -j SNAT --to-source {public}" for public, private in pairs),
        ]
        forward = [
            *(f"-A {c}-FWD -s {private} -d {vpc} {translated} -j ACCEPT" for _, private in pairs),
            *(f"-A {c}-FWD -s {private} -j RETURN" for _, private in pairs),
            # Without a public address nothing leaves the VPC.
            f"-A {c}-FWD {translated} {new} -j DROP",
            f"-A {c}-FWD ! -d {vpc} {new} -j DROP",
        ]
        incoming = [
            f"-A {c}-IN -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
            *(f"-A {c}-IN -d {gateway} -p {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp")),
            *(f"-A {c}-IN -s {private} -d {gateway} -j RETURN" for _, private in pairs),
            # The rest of this machine is not part of the internet.
            f"-A {c}-IN -j DROP",
        ]
        outgoing = [
            # Routed back on the interface it came from, a packet would make the kernel advise a shortcut.
            f"-A {c}-OUT -p icmp --icmp-type redirect -j DROP",
            # Health checks of load balancers.
            *sorted({f"-A {c}-OUT -s {forward.private} -j RETURN" for forward in forwards}),
            # The laptop is outside: a private address is out of its reach.
            f"-A {c}-OUT {new} -m conntrack ! --ctstate DNAT -j REJECT",
        ]
        return "\n".join(
            [
                "*nat",
                f":{c}-DNAT - [0:0]",
                f":{c}-SNAT - [0:0]",
                *nat,
                "COMMIT",
                "*filter",
                f":{c}-FWD - [0:0]",
                f":{c}-IN - [0:0]",
                f":{c}-OUT - [0:0]",
                *forward,
                *incoming,
                *outgoing,
                "COMMIT",
                "",
            ]
        )


def forget(*which: str) -> None:
    """Connections through a mapping that is gone end with it, as they do on AWS."""
    if shutil.which("conntrack"):
        run("conntrack", "-D", *which, check=False)


def _passing_on(chains: str, forward: Forward) -> Iterator[str]:
    """Rules that give each target of a load balancer its turn; the last one takes what is left."""
    for left in range(len(forward.targets), 0, -1):
        turn = f"-m statistic --mode nth --every {left} --packet 0 " if left > 1 else ""
        target = forward.targets[len(forward.targets) - left]
        yield (
            f"-A {chains}-DNAT -d {forward.public} -p tcp --dport {forward.port} {turn}"
            f"-j DNAT --to-destination {target}"
        )


def warn_without_conntrack() -> None:
    """Says once what a machine without conntrack cannot do."""
    if not shutil.which("conntrack"):
        say("no conntrack on this machine: open connections outlive a moved address")
