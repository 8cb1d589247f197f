"""Every place where moto is wrapped or mended, and nothing else.

Two kinds: requests (each action runs under the account's lock, after the strict checks and before the machine
is brought in step), and backend methods that start, stop and end hosts or that moto gets wrong.
"""

import copy
import ipaddress
import threading
import traceback
from typing import Any, Callable

import moto.ec2.models.elastic_ip_addresses as eip_module
import moto.ec2.models.elastic_network_interfaces as eni_module
from moto.backup.responses import BackupResponse
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import EC2Response
from moto.efs.exceptions import MountTargetNotFound
from moto.efs.models import EFSBackend, FileSystem, MountTarget
from moto.efs.responses import EFSResponse
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response
from moto.iam.responses import IamResponse
from moto.route53.responses import Route53
from werkzeug.exceptions import HTTPException

import account
import backups
import balancers
import guards
import images
import shares
import volumes
from addresses import Pool
from engine import describe
from files import say
from hosts import Hosts
from settings import Lab
from strict import Checks, Consistency

# The request being served, for backend methods that moto does not hand every parameter.
_request = threading.local()


def install(lab: Lab, hosts: Hosts, pool: Pool, table: dict[str, str], consistency: Consistency) -> None:
    """Wraps moto. Must run before its server serves the first request."""
    backups.install()
    guards.install(lab)
    _requests(Checks(lab, hosts.engine.has_vpc), consistency, hosts)
    _images(table)
    _instances(hosts)
    _addresses(pool)
    _networks(lab, hosts)
    _volumes(hosts)
    _file_systems()
    _balancers()
    _groups()


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Puts `make(original)` in the place of an attribute."""
    setattr(owner, name, make(getattr(owner, name)))


# Requests


def _requests(checks: Checks, consistency: Consistency, hosts: Hosts) -> None:
    def ec2(action: str) -> Callable[[Any], Any]:
        reads = action.startswith(("describe_", "get_"))

        def make(original: Any) -> Any:
            def served(response: Any) -> Any:
                with account.lock:
                    _forget_mount_targets()
                    _request.get = response._get_param
                    consistency.check(action, response._get_param)
                    check = checks.by_action.get(action)
                    if check is not None:
                        check(response.ec2_backend, response._get_param)
                    if reads:
                        return original(response)
                    try:
                        return original(response)
                    finally:
                        consistency.learn(fresh=True)
                        hosts.sync()

            return _told(served)

        return make

    def saved(fault: Callable[[str], Exception]) -> Callable[[Any], Any]:
        """For services that no host depends on."""

        def make(original: Any) -> Any:
            def served(response: Any) -> Any:
                with account.lock:
                    try:
                        return original(response)
                    finally:
                        hosts.save()

            return _told(served, fault)

        return make

    def efs(action: str) -> Callable[[Any], Any]:
        reads = action.startswith(("describe_", "list_"))

        def make(original: Any) -> Any:
            def served(response: Any) -> Any:
                with account.lock:
                    _forget_mount_targets()
                    check = checks.by_action.get(action)
                    if check is not None:
                        check(response.efs_backend, response._get_param)
                    if reads:
                        return original(response)
                    try:
                        return original(response)
                    finally:
                        hosts.sync()

            return _told(served, _internal_server_error)

        return make

    def elb(action: str) -> Callable[[Any], Any]:
        reads = action.startswith("describe_")

        def make(original: Any) -> Any:
            def served(response: Any) -> Any:
                with account.lock:
                    # EC2's own calls that these make have parameters of their own.
                    _request.get = {}.get
                    check = checks.by_action.get(action)
                    if check is not None:
                        check(response.elbv2_backend, response._get_params().get)
                    if reads:
                        return original(response)
                    try:
                        return original(response)
                    finally:
                        hosts.sync()

            return _told(served, lambda reason: ELBClientError("InternalFailure", reason))

        return make

    for operation in get_service_model("elbv2").operation_names:
        action = camelcase_to_underscores(operation)
        if hasattr(ELBV2Response, action):
            _replace(ELBV2Response, action, elb(action))
    for operation in get_service_model("ec2").operation_names:
        action = camelcase_to_underscores(operation)
        if hasattr(EC2Response, action):
            _replace(EC2Response, action, ec2(action))
    for service, responses, fault in (
        ("route53", Route53, _internal_error),
        ("iam", IamResponse, _internal_error),
        ("backup", BackupResponse, _internal_server_error),
    ):
        for operation in get_service_model(service).operation_names:
            action = camelcase_to_underscores(operation)
            if hasattr(responses, action):
                _replace(responses, action, saved(fault))
    for operation in get_service_model("efs").operation_names:
        action = camelcase_to_underscores(operation)
        if hasattr(EFSResponse, action):
            _replace(EFSResponse, action, efs(action))


def _internal_error(reason: str) -> Exception:
    return EC2ClientError("InternalError", reason)


def _internal_server_error(reason: str) -> Exception:
    return JsonRESTError("InternalServerError", reason)


def _told(serve: Any, fault: Callable[[str], Exception] = _internal_error) -> Any:
    """Turns a fault of the lab into AWS's own, with the details in the cloud's log."""

    def served(response: Any) -> Any:
        try:
            return serve(response)
        except (ServiceException, HTTPException):
            raise
        except Exception as error:
            say(f"{response._get_action()}:\n{traceback.format_exc()}")
            raise fault(f"the lab's cloud failed: {error}") from error

    return served


# Images


def _images(table: dict[str, str]) -> None:
    def load(backend: Any) -> None:
        images.load(backend, table, Ami)

    AmiBackend._load_amis = load  # type: ignore[method-assign]


# Instances


def _instances(hosts: Hosts) -> None:
    def run_instances(original: Any) -> Any:
        def run(backend: Any, *args: Any, **kwargs: Any) -> Any:
            reservation = original(backend, *args, **kwargs)
            for instance in reservation.instances:
                nic = account.primary(instance)
                # AWS deletes the interface that it made for an instance along with it.
                nic.delete_on_termination = True
                # Groups given for the interface are the instance's groups too, and so is the default one.
                instance.security_groups = list(nic.group_set)
                hosts.launch(instance)
            return reservation

        return run

    def each(act: Callable[[Any], None], idle: tuple[str, ...]) -> Callable[[Any], Any]:
        """A transition of several instances; those in an `idle` state stay as they are."""

        def make(_: Any) -> Any:
            def transition(backend: Any, instance_ids: list[str]) -> list[tuple[Any, Any]]:
                if not instance_ids:
                    raise EC2ClientError("InvalidParameterCombination", "No instances specified")
                done = []
                for instance in backend.get_multi_instances_by_id(instance_ids):
                    previous = copy.copy(instance._state)
                    if instance.state not in idle:
                        act(instance)
                    done.append((instance, previous))
                return done

            return transition

        return make

    def terminate(instance: Any) -> None:
        if instance.disable_api_termination is True:
            raise EC2ClientError("OperationNotPermitted", f"The instance '{instance.id}' may not be terminated.")
        hosts.terminate(instance)

    def reboot_instances(_: Any) -> Any:
        def reboot(backend: Any, instance_ids: list[str]) -> list[Any]:
            found = backend.get_multi_instances_by_id(instance_ids)
            for instance in found:
                hosts.reboot(instance)
            return list(found)

        return reboot

    _replace(EC2Backend, "run_instances", run_instances)
    _replace(EC2Backend, "start_instances", each(hosts.launch, ("running", "pending")))
    _replace(EC2Backend, "stop_instances", each(hosts.stop, ("stopping", "stopped")))
    _replace(EC2Backend, "terminate_instances", each(terminate, ("shutting-down", "terminated")))
    _replace(EC2Backend, "reboot_instances", reboot_instances)


# Addresses


def _addresses(pool: Pool) -> None:
    eip_module.random_ip = pool.take  # type: ignore[assignment]
    eni_module.random_public_ip = pool.take  # type: ignore[assignment]

    def holds_elastic(nic: Any) -> bool:
        return any(address.eni is nic for address in nic.ec2_backend.addresses)

    def unless_elastic(original: Any) -> Any:
        """An Elastic IP stays through a stop and takes the place of an automatic address."""

        def call(nic: Any) -> None:
            if not holds_elastic(nic):
                original(nic)

        return call

    def associate_address(original: Any) -> Any:
        def associate(
            backend: Any,
            instance: Any = None,
            eni: Any = None,
            address: str | None = None,
            allocation_id: str | None = None,
            reassociate: bool = False,
        ) -> Any:
            target = eni or account.primary(instance)
            asked = _request.get("AllowReassociation")
            # In a VPC an address moves unless the caller forbids it.
            moves = reassociate or asked is None
            held = backend.address_by_ip([address]) if address else backend.address_by_allocation([allocation_id])
            if held[0].eni is target and held[0].association_id:
                return held[0]
            for other in list(backend.addresses):
                if other is held[0] and other.eni is not None and not moves:
                    raise EC2ClientError(
                        "Resource.AlreadyAssociated", f"resource {allocation_id} is already associated"
                    )
                if other.association_id and (other is held[0] or other.eni is target):
                    backend.disassociate_address(association_id=other.association_id)
            return original(backend, target.instance, target, address, allocation_id, True)

        return associate

    _replace(NetworkInterface, "check_auto_public_ip", unless_elastic)
    _replace(NetworkInterface, "stop", unless_elastic)
    _replace(EC2Backend, "associate_address", associate_address)


# Networks


def _networks(lab: Lab, hosts: Hosts) -> None:
    def create_vpc(original: Any) -> Any:
        def create(backend: Any, cidr_block: str, *args: Any, **kwargs: Any) -> Any:
            vpc = original(backend, cidr_block, *args, **kwargs)
            if vpc.is_default:
                return vpc
            try:
                hosts.engine.create_vpc(vpc.id, cidr_block)
            except Exception as error:
                backend.delete_vpc(vpc.id)
                say(f"VPC {cidr_block}: {describe(error)}")
                raise EC2ClientError(
                    "InvalidVpc.Range",
                    f"The lab cannot build '{cidr_block}': {describe(error)}. Its range is {lab.vpc_cidr}.",
                ) from error
            return vpc

        def checked(backend: Any, cidr_block: str, *args: Any, **kwargs: Any) -> Any:
            if not kwargs.get("is_default") and not _within(cidr_block, lab.vpc_cidr):
                raise EC2ClientError(
                    "InvalidVpc.Range", f"The CIDR '{cidr_block}' is outside of the lab's range {lab.vpc_cidr}."
                )
            return create(backend, cidr_block, *args, **kwargs)

        return checked

    def delete_vpc(original: Any) -> Any:
        def delete(backend: Any, vpc_id: str) -> Any:
            vpc = original(backend, vpc_id)
            hosts.engine.remove_vpc(vpc_id)
            return vpc

        return delete

    _replace(EC2Backend, "create_vpc", create_vpc)
    _replace(EC2Backend, "delete_vpc", delete_vpc)


def _within(inner: str, outer: str) -> bool:
    try:
        return ipaddress.IPv4Network(inner).subnet_of(ipaddress.IPv4Network(outer))
    except ValueError:
        # moto says what is wrong with it.
        return True


# Volumes


def _volumes(hosts: Hosts) -> None:
    def detach_volume(original: Any) -> Any:
        def detach(backend: Any, volume_id: str, instance_id: str, device_path: str) -> Any:
            volume = backend.get_volume(volume_id)
            attachment = volume.attachment
            if attachment is None or volumes.is_root(attachment.instance, attachment.device):
                return original(backend, volume_id, instance_id, device_path)
            instance = attachment.instance
            if instance_id and instance_id != instance.id:
                raise EC2ClientError(
                    "InvalidAttachment.NotFound", f"The volume '{volume_id}' is not attached to '{instance_id}'."
                )
            finish = lambda: original(backend, volume_id, instance.id, attachment.device)  # noqa: E731
            forced = str(_request.get("Force")).lower() == "true" if hasattr(_request, "get") else False
            if instance.state == "running" and not forced and hosts.volumes.is_busy(volume_id):
                attachment.status = "busy"
                hosts.detach_when_free(volume, finish)
                return attachment
            return finish()

        return detach

    _replace(EC2Backend, "detach_volume", detach_volume)


# File systems


def _file_systems() -> None:
    def begins(original: Any) -> Any:
        def create(backend: Any, *args: Any, **kwargs: Any) -> Any:
            made = original(backend, *args, **kwargs)
            shares.begin(made)
            return made

        return create

    def delete_mount_target(_: Any) -> Any:
        def delete(backend: Any, mount_target_id: str) -> None:
            found = backend.mount_targets_by_id.get(mount_target_id)
            if found is None:
                raise MountTargetNotFound(mount_target_id)
            shares.end(found)

        return delete

    def info_json(original: Any) -> Any:
        return lambda thing: {**original(thing), "LifeCycleState": shares.state(thing)}

    _replace(EFSBackend, "create_file_system", begins)
    _replace(EFSBackend, "create_mount_target", begins)
    _replace(EFSBackend, "delete_mount_target", delete_mount_target)
    _replace(FileSystem, "info_json", info_json)
    _replace(MountTarget, "info_json", info_json)


# moto's own deletion, which is at once.
_delete_mount_target = EFSBackend.delete_mount_target


def _forget_mount_targets() -> None:
    """Lets go of mount targets whose deletion has come to its end, with their interfaces and addresses."""
    for backend, target in shares.gone():
        _delete_mount_target(backend, target.mount_target_id)
        # As for instances: the address is not used again while others may still know it.
        target._subnet._unused_ips.clear()


# Load balancers


def _balancers() -> None:
    def create_load_balancer(original: Any) -> Any:
        def create(backend: Any, **kwargs: Any) -> Any:
            made = original(backend, **kwargs)
            balancers.add_nodes(backend, made, kwargs.get("subnet_mappings") or [])
            return made

        return create

    def delete_load_balancer(original: Any) -> Any:
        def delete(backend: Any, arn: str) -> None:
            found = backend.load_balancers.get(arn)
            original(backend, arn)
            if found is not None:
                balancers.remove_nodes(backend, found)

        return delete

    def create_target_group(original: Any) -> Any:
        def create(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            made.health, made.draining = {}, {}
            return made

        return create

    def each(note: Callable[[Any, str], None]) -> Callable[[Any], Any]:
        def make(original: Any) -> Any:
            def call(group: Any, targets: list[dict[str, Any]]) -> None:
                original(group, targets)
                for target in targets:
                    note(group, target["Id"])

            return call

        return make

    def describe_target_health(original: Any) -> Any:
        def describe(backend: Any, target_group_arn: str, targets: list[dict[str, Any]]) -> Any:
            answers = original(backend, target_group_arn, targets)
            group = backend.target_groups[target_group_arn]
            if not targets:
                shown = {answer.instance_id for answer in answers}
                answers += [group.health_for({"Id": one}, backend.ec2_backend) for one in group.draining if one not in shown]
            told = [balancers.status(backend, group, answer.instance_id) or answer for answer in answers]
            return told if targets else [answer for answer in told if answer.reason != "Target.NotRegistered"]

        return describe

    def availability_zones(original: Any) -> Any:
        def zones(balancer: Any) -> list[Any]:
            shown = original.fget(balancer)
            for zone in shown:
                zone.load_balancer_addresses = balancers.addresses_of(balancer, zone.subnet_id)
            return list(shown)

        return property(zones)

    _replace(ELBv2Backend, "create_load_balancer", create_load_balancer)
    _replace(ELBv2Backend, "delete_load_balancer", delete_load_balancer)
    _replace(ELBv2Backend, "create_target_group", create_target_group)
    _replace(ELBv2Backend, "describe_target_health", describe_target_health)
    _replace(FakeTargetGroup, "register", each(balancers.begin))
    _replace(FakeTargetGroup, "deregister", each(balancers.end))
    _replace(FakeLoadBalancer, "availability_zones", availability_zones)


# Security groups


def _groups() -> None:
    def same(one: Any, other: Any) -> bool:
        """Two rules are one when all but the description agrees."""

        def key(rule: Any) -> tuple[Any, ...]:
            ports = None if str(rule.ip_protocol) == "-1" else (int(rule.from_port), int(rule.to_port))
            return (
                str(rule.ip_protocol),
                ports,
                rule.ip_range.get("CidrIp"),
                rule.ip_range.get("CidrIpv6"),
                rule.source_group.get("GroupId"),
                rule.prefix_list_id,
            )

        return key(one) == key(other)

    SecurityGroupRule.__eq__ = same  # type: ignore[assignment,method-assign]
    SecurityGroupRule.__hash__ = object.__hash__  # type: ignore[method-assign]
    SecurityGroupRule.description = property(  # type: ignore[assignment]
        lambda rule: rule.ip_range.get("Description") or rule.source_group.get("Description")
    )

    def modify_security_group_rules(original: Any) -> Any:
        def modify(backend: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
            original(backend, group_id, rules)
            for rule_id, wanted in rules.items():
                rule = backend.get_security_group_by_name_or_id(group_id).get_rule(rule_id)
                if wanted.get("ReferencedGroupId"):
                    rule.source_group = {
                        "GroupId": wanted["ReferencedGroupId"],
                        "UserId": backend.account_id,
                        "OwnerId": backend.account_id,
                        "Description": wanted.get("Description"),
                    }
                    rule.ip_range = {}

        return modify

    def modify_instance_security_groups(original: Any) -> Any:
        def modify(backend: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
            instance = original(backend, instance_id, new_group_id_list)
            account.primary(instance)._group_set = list(instance.security_groups)
            return instance

        return modify

    def modify_network_interface_attribute(original: Any) -> Any:
        def modify(backend: Any, eni_id: str, group_ids: list[str], *args: Any, **kwargs: Any) -> None:
            original(backend, eni_id, group_ids, *args, **kwargs)
            nic = backend.get_network_interface(eni_id)
            if group_ids and nic.instance is not None and account.primary(nic.instance) is nic:
                nic.instance.security_groups = list(nic._group_set)

        return modify

    _replace(EC2Backend, "modify_security_group_rules", modify_security_group_rules)
    _replace(EC2Backend, "modify_instance_security_groups", modify_instance_security_groups)
    _replace(EC2Backend, "modify_network_interface_attribute", modify_network_interface_attribute)
