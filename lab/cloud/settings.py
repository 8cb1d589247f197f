"""What the lab's env.json says, and where the cloud keeps its files."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lab:
    """One lab instance. Every name it makes on the machine carries its id."""

    file: Path
    id: str
    dir: Path
    docker_host: str
    label: tuple[str, str]
    internet_cidr: str
    internet_gateway: str
    internet_bridge: str
    vpc_cidr: str
    port: int
    registry: str
    registry_address: str
    region: str
    vcpu_quota: int
    address_quota: int

    @property
    def prefix(self) -> str:
        """What the names of all Docker objects of this lab begin with."""
        return f"rc-{self.id}-"

    @property
    def chains(self) -> str:
        """What the names of all iptables chains of this lab begin with."""
        return f"RC-{self.id}"

    @property
    def labels(self) -> dict[str, str]:
        """The label of all Docker objects of this lab."""
        return dict([self.label])

    @property
    def shares_dir(self) -> Path:
        """A folder for each EFS file system; every host container sees it."""
        return self.dir / "shares"

    def host_image(self) -> str:
        """The image of a host that is made now: env.json changes when the hosts' sources do."""
        return str(json.loads(self.file.read_text())["hostImage"])

    def container(self, instance_id: str) -> str:
        """The name of an instance's host container, and of its Docker volume."""
        return self.prefix + instance_id

    def host_dir(self, instance_id: str) -> Path:
        """What the host container sees as /lab."""
        return self.dir / "hosts" / instance_id


def read_settings(path: Path) -> Lab:
    """The settings in env.json.

    Raises KeyError naming a key that is missing.
    """
    env = json.loads(path.read_text())
    key, _, value = env["label"].partition("=")
    return Lab(
        file=path,
        id=env["id"],
        dir=Path(env["dir"]),
        docker_host=env["dockerHost"],
        label=(key, value),
        internet_cidr=env["internetCidr"],
        internet_gateway=env["internetGateway"],
        internet_bridge=env["internetBridge"],
        vpc_cidr=env["vpcCidr"],
        port=int(env["cloudPort"]),
        registry=env["registry"],
        registry_address=env["registryAddress"],
        region=env["region"],
        vcpu_quota=int(env["vcpuQuota"]),
        address_quota=int(env["addressQuota"]),
    )
