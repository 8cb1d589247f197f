"""EFS: file systems are folders of this machine, and a host mounts those that the firewall lets it reach.

The kernel of this machine may have no NFS. A host's mount command ends in the lab's /sbin/mount.nfs4, which
shows it the folder if the host's list of mount targets, written here, has the address.
"""

import shutil
import time
from typing import Any, Iterator

from moto.core import DEFAULT_ACCOUNT_ID
from moto.efs.models import efs_backends

import account
import firewall
from settings import Lab

# NFS.
_PORT = 2049

# Seconds that a file system or mount target takes to become available, and a mount target to go.
_SETTLE_SECONDS = 2.0


def backends() -> list[Any]:
    """EFS in every region that was touched."""
    return list(efs_backends[DEFAULT_ACCOUNT_ID].values())


def begin(thing: Any) -> None:
    """Takes note that a file system or mount target was made just now."""
    thing._available_at = time.time() + _SETTLE_SECONDS


def end(mount_target: Any) -> None:
    """Takes note that a mount target is being deleted."""
    mount_target._gone_at = time.time() + _SETTLE_SECONDS


def state(thing: Any) -> str:
    """The life cycle state of a file system or mount target."""
    if hasattr(thing, "_gone_at"):
        return "deleting"
    return "available" if time.time() >= thing._available_at else "creating"


def gone() -> Iterator[tuple[Any, Any]]:
    """Backend and mount target of each whose deletion has come to its end."""
    for backend in backends():
        for target in list(backend.mount_targets_by_id.values()):
            if time.time() >= getattr(target, "_gone_at", float("inf")):
                yield backend, target


def sync(lab: Lab) -> None:
    """Each file system has a folder, and no other folder is there."""
    lab.shares_dir.mkdir(parents=True, exist_ok=True)
    wanted = {name for backend in backends() for name in backend.file_systems_by_id}
    for name in wanted:
        (lab.shares_dir / name).mkdir(mode=0o755, exist_ok=True)
    for folder in lab.shares_dir.iterdir():
        if folder.name not in wanted:
            shutil.rmtree(folder)


def mountable(backend: Any, instance: Any) -> str:
    """The mount targets that answer an instance: "address file-system" a line. `backend` is its region's EC2."""
    address = account.primary(instance).private_ip_address
    lines = [
        f"{target.ip_address} {target.file_system_id}\n"
        for efs in backends()
        if efs.region_name == backend.region_name
        for target in efs.mount_targets_by_id.values()
        if target.subnet_vpc_id == instance.vpc_id
        and not hasattr(target, "_gone_at")
        and firewall.admits(backend, target.security_groups or [], address, _PORT)
        and firewall.lets_out(backend, instance, target.ip_address, _PORT)
    ]
    return "".join(sorted(lines))
