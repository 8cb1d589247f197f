"""The emulated account: moto's backends, read as one data model, saved and restored."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any, Iterator

from moto.backup.models import backup_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.route53.models import route53_backends

# Backends are shared by request threads and jobs: whoever reads or changes them holds this.
lock = threading.RLock()

# What is saved. KMS is not: its keys cannot be, and nobody asks for more than the id that a volume has.
_SERVICES = {
    "ec2": ec2_backends,
    "route53": route53_backends,
    "efs": efs_backends,
    "elbv2": elbv2_backends,
    "iam": iam_backends,
    "backup": backup_backends,
}

# States in which an instance still holds its addresses, groups and volumes.
LIVE = ("pending", "running", "stopping", "stopped", "shutting-down")


def regions() -> list[Any]:
    """EC2 in every region that was touched."""
    return list(ec2_backends[DEFAULT_ACCOUNT_ID].values())


def region(name: str) -> Any:
    """EC2 in one region."""
    return ec2_backends[DEFAULT_ACCOUNT_ID][name]


def zones() -> list[Any]:
    """All hosted zones."""
    return [zone for backend in route53_backends[DEFAULT_ACCOUNT_ID].values() for zone in backend.zones.values()]


def instances(backend: Any) -> list[Any]:
    """Instances of a region that are not terminated."""
    return [
        instance
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance.state in LIVE
    ]


def all_instances() -> Iterator[Any]:
    """Instances of every region that are not terminated."""
    for backend in regions():
        yield from instances(backend)


def primary(instance: Any) -> Any:
    """The instance's first network interface."""
    return instance.nics[0]


def groups_of(instance: Any) -> list[Any]:
    """The security groups that guard an instance."""
    return list(primary(instance).group_set)


def all_groups(backend: Any) -> list[Any]:
    """Every security group of a region."""
    return [group for vpc in backend.groups.values() for group in vpc.values()]


def subnets(backend: Any) -> list[Any]:
    """Every subnet of a region."""
    return [subnet for zone in backend.subnets.values() for subnet in zone.values()]


class Snapshot:
    """The account on disk. moto keeps it in memory only, and the hosts outlive the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = b""

    def save(self, extra: dict[str, Any]) -> None:
        """Writes the account when it changed. `extra` is what the cloud keeps beside moto's state."""
        state = {
            "backends": {
                service: {
                    account: dict(by_region.items()) for account, by_region in backends.items()
                }
                for service, backends in _SERVICES.items()
            },
            "extra": extra,
        }
        data = pickle.dumps(state)
        if data == self._last:
            return
        partial = self._path.with_name(self._path.name + ".new")
        with open(partial, "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(data)
        os.replace(partial, self._path)
        self._last = data

    def restore(self) -> dict[str, Any] | None:
        """Puts the saved account in place and returns what was saved beside it, or None without one."""
        try:
            state = pickle.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        for service, accounts in state["backends"].items():
            for account, by_region in accounts.items():
                target = _SERVICES[service][account]
                for name, backend in by_region.items():
                    dict.__setitem__(target, name, backend)
        for backend in regions():
            backend.default_kms_key_id = ""
            for subnet in subnets(backend):
                # The iterator of free addresses is not part of the state and begins anew; AWS's own
                # three at the beginning of the subnet must be skipped again.
                for _ in range(3):
                    next(iter(subnet._subnet_ip_generator))
        return dict(state["extra"])
