"""EBS volumes: sparse files behind loop devices, seen by the host as the attached device."""

import errno
import json
import os
from pathlib import Path
from typing import Any, Iterator

import account
from files import run, say
from settings import Lab

_GIB = 1024**3


def is_root(instance: Any, device: str) -> bool:
    """Whether the device is the instance's own disk, which the host container is."""
    return device == instance.root_device_name


def node_names(device: str) -> list[str]:
    """Names below /dev that an attached device gets. The kernel calls /dev/sdf xvdf."""
    name = device.removeprefix("/dev/")
    return [name, f"xvd{name[2:]}"] if name.startswith("sd") else [name]


def _attached() -> Iterator[tuple[Any, Any, str]]:
    """Volume, instance and device of each attachment that is not a root disk."""
    for backend in account.regions():
        for volume in list(backend.volumes.values()):
            attachment = volume.attachment
            if attachment is not None and not is_root(attachment.instance, attachment.device):
                yield volume, attachment.instance, attachment.device


class Volumes:
    """The files and loop devices of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._dir = lab.dir / "volumes"
        self._dir.mkdir(parents=True, exist_ok=True)
        self._loops = self._find_loops()

    def sync(self) -> None:
        """Attached volumes have a loop device, others none; deleted ones have no file."""
        wanted = {volume.id: volume for volume, _, _ in _attached()}
        for volume in wanted.values():
            self._attach(volume)
        for volume_id in [known for known in self._loops if known not in wanted]:
            self._release(volume_id)
        exists = {volume for backend in account.regions() for volume in backend.volumes}
        for file in self._dir.glob("vol-*.img"):
            if file.stem not in exists:
                file.unlink()

    def devices(self, instance_id: str) -> str:
        """The host's device list: "name major minor" a line."""
        lines = []
        for volume, instance, device in _attached():
            if instance.id == instance_id and volume.id in self._loops:
                number = os.stat(self._loops[volume.id]).st_rdev
                lines += [f"{name} {os.major(number)} {os.minor(number)}" for name in node_names(device)]
        return "".join(f"{line}\n" for line in sorted(lines))

    def is_busy(self, volume_id: str) -> bool:
        """Whether somebody has the volume mounted."""
        loop = self._loops.get(volume_id)
        if loop is None:
            return False
        try:
            os.close(os.open(loop, os.O_RDONLY | os.O_EXCL))
            return False
        except OSError as error:
            return error.errno == errno.EBUSY

    def remove(self) -> None:
        """Releases every device; the files go with the lab's folder."""
        for volume_id in list(self._loops):
            self._release(volume_id)

    def _file(self, volume_id: str) -> Path:
        return self._dir / f"{volume_id}.img"

    def _attach(self, volume: Any) -> None:
        file, size = self._file(volume.id), int(volume.size) * _GIB
        if not file.exists():
            file.touch(mode=0o600)
        if file.stat().st_size < size:
            os.truncate(file, size)
            if volume.id in self._loops:
                run("losetup", "--set-capacity", self._loops[volume.id])
        if volume.id not in self._loops:
            self._loops[volume.id] = run("losetup", "--find", "--show", str(file)).stdout.strip()

    def _release(self, volume_id: str) -> None:
        loop = self._loops.pop(volume_id)
        done = run("losetup", "--detach", loop, check=False)
        if done.returncode != 0:
            say(f"volume {volume_id}: {done.stderr.strip()}")

    def _find_loops(self) -> dict[str, str]:
        """Devices that an earlier run of the cloud left, by volume."""
        listed = run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE").stdout.strip()
        found = {}
        for entry in json.loads(listed)["loopdevices"] if listed else []:
            file = Path(entry["back-file"])
            if file.parent == self._dir:
                found[file.stem] = entry["name"]
        return found
