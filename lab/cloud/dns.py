"""The resolver of each VPC: its Route 53 private zones, its own host names, and the lab's registry."""

import ipaddress
from typing import Any

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, SOA, TXT, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

import account
from settings import Lab

_DEFAULT_TTL = 60
_RECORDS = {"A": A, "AAAA": AAAA, "CNAME": CNAME}


class Resolver(BaseResolver):
    """Answers by who asks: a private zone exists only inside its VPCs."""

    def __init__(self, lab: Lab) -> None:
        self._fixed = {f"{lab.registry.partition(':')[0]}.": lab.registry_address}

    def resolve(self, request: Any, handler: Any) -> Any:
        """dnslib's entry: one question, one reply."""
        reply = request.reply()
        name, kind = str(request.q.qname).lower(), QTYPE[request.q.qtype]
        with account.lock:
            if not self._answer(reply, handler.client_address[0], name, kind, depth=0):
                reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _answer(self, reply: Any, client: str, name: str, kind: str, depth: int) -> bool:
        """Adds what there is for the name; False where the name does not exist."""
        if name in self._fixed:
            self._add_address(reply, name, kind, self._fixed[name])
            return True
        vpc = _vpc_of(client)
        if vpc is None:
            return False
        zone = _zone_for(vpc, name)
        if zone is not None:
            return self._from_zone(reply, client, zone, name, kind, depth)
        for instance in account.instances(vpc.ec2_backend):
            if instance.vpc_id == vpc.id and f"{instance.private_dns_name}." == name:
                self._add_address(reply, name, kind, instance.private_ip)
                return True
        return False

    def _from_zone(self, reply: Any, client: str, zone: Any, name: str, kind: str, depth: int) -> bool:
        records = [record for record in zone.rrsets if _same(record.name, name)]
        for record in records:
            if record.type == "CNAME" and kind != "CNAME":
                self._add(reply, name, record)
                target = f"{str(record.records[0]).rstrip('.')}.".lower()
                if depth < 8:
                    self._answer(reply, client, target, kind, depth + 1)
                return True
            if record.type == kind:
                self._add(reply, name, record)
        if not records:
            reply.add_auth(RR(zone.name, QTYPE.SOA, ttl=5, rdata=SOA("lab.", "lab.", (1, 7200, 900, 86400, 5))))
        return bool(records) or _same(zone.name, name)

    def _add(self, reply: Any, name: str, record: Any) -> None:
        for value in record.records or []:
            text = str(value)
            data = _RECORDS[record.type](text) if record.type in _RECORDS else TXT(text.strip('"'))
            if record.type in _RECORDS or record.type == "TXT":
                reply.add_answer(
                    RR(name, getattr(QTYPE, record.type), ttl=int(record.ttl or _DEFAULT_TTL), rdata=data)
                )

    def _add_address(self, reply: Any, name: str, kind: str, address: str) -> None:
        if kind in ("A", "ANY"):
            reply.add_answer(RR(name, QTYPE.A, ttl=_DEFAULT_TTL, rdata=A(address)))


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()


def _vpc_of(client: str) -> Any | None:
    """The VPC whose range holds the asking address."""
    for backend in account.regions():
        for vpc in backend.vpcs.values():
            if not vpc.is_default and ipaddress.ip_address(client) in ipaddress.ip_network(vpc.cidr_block):
                return vpc
    return None


def _zone_for(vpc: Any, name: str) -> Any | None:
    """The private zone of the VPC that is nearest to the name. AWS needs both DNS attributes for it."""
    if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        return None
    fitting = [
        zone
        for zone in account.zones()
        if zone.private_zone
        and any(entry.get("vpc_id") == vpc.id for entry in zone.vpcs)
        and (f".{name}").endswith(f".{zone.name.lower()}")
    ]
    return max(fitting, key=lambda zone: len(zone.name), default=None)


def serve(lab: Lab) -> list[DNSServer]:
    """Starts answering on port 53 of the internet's gateway.

    Raises OSError when the port is taken.
    """
    resolver = Resolver(lab)
    quiet = DNSLogger("-request,-reply,-truncated,-error,-data,-recv,-send")
    servers = [
        DNSServer(resolver, address=lab.internet_gateway, port=53, tcp=tcp, logger=quiet) for tcp in (False, True)
    ]
    for server in servers:
        server.start_thread()
    return servers
