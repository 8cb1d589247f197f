"""Security groups as rules of each host's own firewall.

Group-sourced rules match the members' private addresses and nothing else, as on AWS.
"""

import ipaddress
from typing import Any

import account

_PORTS = ("tcp", "udp", "sctp")


def members(backend: Any, group_id: str) -> list[str]:
    """Private addresses of a group's instances."""
    return sorted(
        account.primary(instance).private_ip_address
        for instance in account.instances(backend)
        if any(group.id == group_id for group in account.groups_of(instance))
    )


def _peers(backend: Any, rule: Any) -> list[str]:
    """The addresses that a rule speaks of; none for IPv6 and prefix lists, which no lab host has."""
    if rule.cidr_ipv4:
        return [rule.cidr_ipv4]
    if rule.source_group:
        return members(backend, rule.source_group["GroupId"])
    return []


def _match(rule: Any) -> list[str]:
    """Protocol and ports as iptables options."""
    protocol = str(rule.ip_protocol)
    if protocol == "-1":
        return []
    first, last = _number(rule.from_port), _number(rule.to_port)
    if protocol in _PORTS:
        ports = [] if first is None or first < 0 else ["--dport", f"{first}:{first if last is None else last}"]
        return ["-p", protocol, *ports]
    if protocol == "icmp" and first is not None and first >= 0:
        code = "" if last is None or last < 0 else f"/{last}"
        return ["-p", "icmp", "--icmp-type", f"{first}{code}"]
    return ["-p", protocol]


def _covers(rule: Any, port: int) -> bool:
    """Whether a rule speaks of a TCP port."""
    if str(rule.ip_protocol) == "-1":
        return True
    first, last = _number(rule.from_port), _number(rule.to_port)
    return str(rule.ip_protocol) == "tcp" and first is not None and first <= port <= (first if last is None else last)


def _speaks_of(backend: Any, rule: Any, address: str) -> bool:
    return any(
        ipaddress.ip_address(address) in ipaddress.ip_network(peer, strict=False) for peer in _peers(backend, rule)
    )


def admits(backend: Any, group_ids: list[str], address: str, port: int) -> bool:
    """Whether groups let a private address in on a TCP port."""
    return any(
        _covers(rule, port) and _speaks_of(backend, rule, address)
        for group in account.all_groups(backend)
        if group.id in group_ids
        for rule in group.ingress_rules
    )


def lets_out(backend: Any, instance: Any, address: str, port: int) -> bool:
    """Whether an instance's groups let it call a TCP port of an address."""
    return any(
        _covers(rule, port) and _speaks_of(backend, rule, address)
        for group in account.groups_of(instance)
        for rule in group.egress_rules
    )


def _number(port: Any) -> int | None:
    return None if port is None else int(port)


def rules(backend: Any, instance: Any, resolver: str) -> str:
    """The host's rules in iptables-restore form. `resolver` is always reachable, as AWS's own is."""
    incoming, outgoing = [], []
    for group in account.groups_of(instance):
        for rule in group.ingress_rules:
            for peer in _peers(backend, rule):
                incoming.append(" ".join(["-A SG-IN", *_match(rule), "-s", peer, "-j RETURN"]))
        for rule in group.egress_rules:
            for peer in _peers(backend, rule):
                outgoing.append(" ".join(["-A SG-OUT", *_match(rule), "-d", peer, "-j RETURN"]))
    known = "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"
    return "\n".join(
        [
            "*mangle",
            ":SG-IN - [0:0]",
            ":SG-OUT - [0:0]",
            f"-A SG-IN {known}",
            *sorted(set(incoming)),
            "-A SG-IN -j DROP",
            f"-A SG-OUT {known}",
            f"-A SG-OUT -p udp -d {resolver} --dport 53 -j RETURN",
            f"-A SG-OUT -p tcp -d {resolver} --dport 53 -j RETURN",
            *sorted(set(outgoing)),
            "-A SG-OUT -j DROP",
            "COMMIT",
            "",
        ]
    )
