"""Instances as hosts: each has a container that lives, sleeps and ends with it."""

import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

from moto.ec2.models.instances import Instance, InstanceState, StateReason

import account
import firewall
import metadata
import shares
from addresses import Pool, Translation
from balancers import Balancers
from engine import Engine, describe
from files import say, write_if_changed
from jobs import Jobs
from settings import Lab
from volumes import Volumes

PENDING = ("pending", 0)
SHUTTING_DOWN = ("shutting-down", 32)
STOPPING = ("stopping", 64)
RUNNING = ("running", 16)


class Hosts:
    """Keeps the machine in step with the account.

    The account is what is wanted; `sync` makes firewalls, addresses, devices and metadata be so. What takes
    long (a host's start and end) is a job, and the instance's state says how far it is.
    """

    def __init__(
        self,
        lab: Lab,
        engine: Engine,
        snapshot: account.Snapshot,
        pool: Pool,
        translation: Translation,
        volumes: Volumes,
        balancers: Balancers,
    ) -> None:
        self._lab = lab
        self.engine = engine
        self._snapshot = snapshot
        self._pool = pool
        self._translation = translation
        self.volumes = volumes
        self._balancers = balancers
        self.jobs = Jobs()
        # Hosts that were told to start: a changed rule goes to them at once.
        self._up: set[str] = set()

    # The whole machine

    def sync(self) -> None:
        """Brings the machine to what the account says, and saves the account. Callers hold the lock."""
        self._balancers.sync()
        self._translation.sync()
        self.volumes.sync()
        shares.sync(self._lab)
        commands = []
        for backend in account.regions():
            for instance in account.instances(backend):
                commands += self._write_files(backend, instance)
        urgent = [(name, command) for name, command in commands if name in self._up]
        if urgent:
            with ThreadPoolExecutor(max_workers=8) as workers:
                list(workers.map(lambda item: self._apply(*item), urgent))
        self.save()

    def save(self) -> None:
        """Saves the account. Callers hold the lock."""
        self._snapshot.save({"position": self._pool.position})

    def resume(self) -> None:
        """Takes up what an earlier run of the cloud left: hosts, networks, half-done transitions."""
        live = {instance.id: instance for instance in account.all_instances()}
        for instance_id in self.engine.instance_ids() - set(live):
            say(f"{instance_id}: no such instance in the account; its host is removed")
            self.engine.remove_host(instance_id)
            metadata.remove(self._lab.host_dir(instance_id))
        wanted = {vpc.id: vpc for backend in account.regions() for vpc in backend.vpcs.values() if not vpc.is_default}
        for vpc_id in self.engine.vpc_ids() - set(wanted):
            self.engine.remove_vpc(vpc_id)
        for vpc in wanted.values():
            if not self.engine.has_vpc(vpc.id):
                self.engine.create_vpc(vpc.id, vpc.cidr_block)
        with account.lock:
            self._up.update(live)
            self.sync()
            for volume in [v for backend in account.regions() for v in backend.volumes.values()]:
                if volume.attachment is not None and volume.attachment.status == "busy":
                    held = volume.attachment
                    held.instance.ec2_backend.detach_volume(volume.id, held.instance.id, held.device)
        for instance in live.values():
            resumed: dict[str, Callable[[Instance], None]] = {
                "pending": self._boot,
                "running": self._boot,
                "stopping": self._halt,
                "shutting-down": self._end,
            }
            work = resumed.get(instance.state)
            if work is not None:
                self.jobs.submit(instance.id, lambda work=work, instance=instance: work(instance))

    # Transitions

    def launch(self, instance: Instance) -> None:
        """Starts a host that is new or was stopped."""
        if instance.state == "stopped":
            for nic in instance.nics.values():
                nic.start()
            instance.state_reason = StateReason()
        _set(instance, PENDING)
        self.jobs.submit(instance.id, lambda: self._boot(instance))

    def stop(self, instance: Instance) -> None:
        """Stops a host; its disk stays."""
        _set(instance, STOPPING)
        self.jobs.submit(instance.id, lambda: self._halt(instance))

    def reboot(self, instance: Instance) -> None:
        """Stops and starts a host. A host that died comes back."""
        self.jobs.submit(instance.id, lambda: self._restart(instance))

    def terminate(self, instance: Instance) -> None:
        """Ends a host. What it held is free only when it is gone."""
        _set(instance, SHUTTING_DOWN)
        self.jobs.submit(instance.id, lambda: self._end(instance))

    def _boot(self, instance: Instance) -> None:
        with account.lock:
            if instance.state not in ("pending", "running"):
                return
            self._up.add(instance.id)
            self.sync()
            vpc_id, address, hostname = instance.vpc_id, instance.private_ip, instance.private_dns_name
        try:
            if self.engine.host_state(instance.id) is None:
                self.engine.create_host(instance.id, vpc_id, address, hostname)
            self.engine.start_host(instance.id)
        except Exception as error:  # noqa: BLE001 - the instance tells what happened
            say(f"{instance.id}: the host does not start: {describe(error)}")
            self._give_up(instance, describe(error))
            return
        with account.lock:
            if instance.state == "pending":
                _set(instance, RUNNING)
                self.sync()
        say(f"{instance.id}: running at {address}")

    def _give_up(self, instance: Instance, reason: str) -> None:
        self._end(instance)
        instance.state_reason = StateReason(f"Server.InternalError: {reason}", "Server.InternalError")

    def _halt(self, instance: Instance) -> None:
        self.engine.stop_host(instance.id)
        with account.lock:
            self._up.discard(instance.id)
            if instance.state == "stopping":
                instance.stop()
            self.sync()
        say(f"{instance.id}: stopped")

    def _restart(self, instance: Instance) -> None:
        self.engine.stop_host(instance.id)
        self._boot(instance)

    def _end(self, instance: Instance) -> None:
        self.engine.remove_host(instance.id)
        with account.lock:
            self._up.discard(instance.id)
            backend = instance.ec2_backend
            nic = account.primary(instance)
            for held in [address for address in backend.addresses if address.eni is nic]:
                backend.disassociate_address(association_id=held.association_id)
            instance.terminate()
            # moto would hand the private address to the next instance, while others may still know it
            # as this one's.
            nic.subnet._unused_ips.clear()
            metadata.remove(self._lab.host_dir(instance.id))
            self.sync()
        say(f"{instance.id}: terminated")

    # Volumes

    def detach_when_free(self, volume: Any, detach: Callable[[], Any]) -> None:
        """Detaches a volume that is still mounted as soon as it is not: until then it stays busy."""

        def wait() -> None:
            attachment = volume.attachment
            while True:
                with account.lock:
                    if volume.attachment is not attachment:
                        return
                    if not self.volumes.is_busy(volume.id):
                        detach()
                        self.sync()
                        return
                time.sleep(0.5)

        self.jobs.submit(volume.id, wait)

    # Files

    def _write_files(self, backend: Any, instance: Instance) -> list[tuple[str, str]]:
        """Writes what the host sees below /lab, and returns the commands that changes call for."""
        folder = self._lab.host_dir(instance.id)
        commands = []
        metadata.write(folder, backend, instance)
        write_if_changed(folder / "nameserver", f"{self._lab.internet_gateway}\n")
        write_if_changed(folder / "shares", shares.mountable(backend, instance))
        if write_if_changed(folder / "firewall.rules", firewall.rules(backend, instance, self._lab.internet_gateway)):
            commands.append((instance.id, "lab-firewall"))
        if write_if_changed(folder / "devices", self.volumes.devices(instance.id)):
            commands.append((instance.id, "lab-devices"))
        return commands

    def _apply(self, instance_id: str, command: str) -> None:
        """Runs a lab command in a host. One that is down reads the files at its next start."""
        try:
            code, output = self.engine.execute(instance_id, command)
            if code > 0:
                say(f"{instance_id}: {command}: {output.strip()}")
        except Exception:  # noqa: BLE001 - one host must not keep the others from their rules
            say(f"{instance_id}: {command}:\n{traceback.format_exc()}")


def _set(instance: Instance, state: tuple[str, int]) -> None:
    instance._state = InstanceState(*state)
