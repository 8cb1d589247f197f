"""The Docker engine as the cloud needs it: networks that are VPCs, containers that are hosts."""

import ipaddress
from typing import Any

import docker
from docker.errors import APIError, NotFound

from settings import Lab

# Seconds a host gets to stop its own containers before it is cut off.
STOP_SECONDS = 30


class Engine:
    """All calls to Docker. Every object carries the lab's prefix and label."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.api = docker.APIClient(base_url=lab.docker_host, version="auto", timeout=120)

    # Networks

    def ensure_internet(self) -> None:
        """The bridge on which this machine is the internet's gateway."""
        name = f"{self.lab.prefix}internet"
        if self.api.networks(names=[f"^{name}$"]):
            return
        self._create_network(
            name,
            self.lab.internet_cidr,
            self.lab.internet_gateway,
            {"com.docker.network.bridge.name": self.lab.internet_bridge},
        )

    def create_vpc(self, vpc_id: str, cidr: str) -> None:
        """A bridge with the VPC's range; its first address is the engine's, as AWS reserves it."""
        gateway = str(next(ipaddress.ip_network(cidr).hosts()))
        self._create_network(self.lab.prefix + vpc_id, cidr, gateway, {})

    def has_vpc(self, vpc_id: str) -> bool:
        """Whether the VPC's bridge exists."""
        return bool(self.api.networks(names=[f"^{self.lab.prefix}{vpc_id}$"]))

    def bridge(self, vpc_id: str) -> str:
        """The name of the VPC's bridge on this machine."""
        return f"br-{self.api.inspect_network(self.lab.prefix + vpc_id)['Id'][:12]}"

    def remove_vpc(self, vpc_id: str) -> None:
        """Removes the VPC's bridge; one that is gone is fine."""
        self._remove_network(self.lab.prefix + vpc_id)

    def _create_network(self, name: str, cidr: str, gateway: str, options: dict[str, str]) -> None:
        pool = docker.types.IPAMPool(subnet=cidr, gateway=gateway)
        self.api.create_network(
            name,
            driver="bridge",
            options=options,
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
            labels=self.lab.labels,
        )

    def _remove_network(self, name: str) -> None:
        try:
            self.api.remove_network(name)
        except NotFound:
            pass

    # Hosts

    def create_host(self, instance_id: str, vpc_id: str, address: str, hostname: str) -> None:
        """Makes the host's container, not started.

        It runs an engine of its own, which needs nearly all capabilities. `--privileged` asks for every
        one there is and fails on a machine that lacks any; this list works on both.
        """
        name = self.lab.container(instance_id)
        config = self.api.create_host_config(
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            binds={
                "/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"},
                str(self.lab.host_dir(instance_id)): {"bind": "/lab", "mode": "ro"},
                str(self.lab.shares_dir): {"bind": "/lab-shares", "mode": "rw"},
                name: {"bind": "/var/lib/docker", "mode": "rw"},
            },
            device_cgroup_rules=["b 7:* rmw"],
            cgroupns="host",
        )
        # What `--security-opt systempaths=unconfined` means; the client resolves it, not the engine.
        config["MaskedPaths"] = []
        config["ReadonlyPaths"] = []
        network = self.lab.prefix + vpc_id
        self.api.create_volume(name, labels=self.lab.labels)
        self.api.create_container(
            self.lab.host_image(),
            name=name,
            hostname=hostname,
            labels=self.lab.labels,
            host_config=config,
            stop_signal="SIGTERM",
            networking_config=self.api.create_networking_config(
                {network: self.api.create_endpoint_config(ipv4_address=address)}
            ),
        )

    def host_state(self, instance_id: str) -> str | None:
        """Docker's word for the container's state, or None where there is none."""
        try:
            return str(self.api.inspect_container(self.lab.container(instance_id))["State"]["Status"])
        except NotFound:
            return None

    def is_up(self, instance_id: str) -> bool:
        """Whether the host runs."""
        return self.host_state(instance_id) == "running"

    def start_host(self, instance_id: str) -> None:
        """Starts the host; one that runs already stays as it is."""
        self.api.start(self.lab.container(instance_id))

    def stop_host(self, instance_id: str) -> None:
        """Stops the host in order; one that is stopped or gone is fine."""
        try:
            self.api.stop(self.lab.container(instance_id), timeout=STOP_SECONDS)
        except NotFound:
            pass

    def remove_host(self, instance_id: str) -> None:
        """Ends the host at once, with its disk."""
        name = self.lab.container(instance_id)
        for remove in (
            lambda: self.api.remove_container(name, force=True, v=True),
            lambda: self.api.remove_volume(name, force=True),
        ):
            try:
                remove()
            except NotFound:
                pass

    def execute(self, instance_id: str, *command: str) -> tuple[int, str]:
        """Runs a command in the host as root: exit code and output. A host that is down gives -1."""
        try:
            made = self.api.exec_create(self.lab.container(instance_id), list(command), user="root")
            output = self.api.exec_start(made["Id"])
            return int(self.api.exec_inspect(made["Id"])["ExitCode"]), output.decode(errors="replace")
        except (NotFound, APIError) as error:
            return -1, str(error)

    # The lab as a whole

    def instance_ids(self) -> set[str]:
        """Instances that have a container, running or not."""
        prefix = f"{self.lab.prefix}i-"
        names = (
            container["Names"][0].lstrip("/")
            for container in self.api.containers(all=True, filters=self._filters())
        )
        return {name.removeprefix(self.lab.prefix) for name in names if name.startswith(prefix)}

    def vpc_ids(self) -> set[str]:
        """VPCs that have a bridge."""
        prefix = f"{self.lab.prefix}vpc-"
        names = (network["Name"] for network in self.api.networks(filters=self._filters()))
        return {name.removeprefix(self.lab.prefix) for name in names if name.startswith(prefix)}

    def remove_internet(self) -> None:
        """Removes the internet's bridge."""
        self._remove_network(f"{self.lab.prefix}internet")

    def _filters(self) -> dict[str, Any]:
        return {"label": "=".join(self.lab.label)}


def describe(error: Exception) -> str:
    """An engine's error in one line."""
    if isinstance(error, APIError) and error.explanation:
        return str(error.explanation)
    return str(error)
