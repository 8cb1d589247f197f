"""Where AWS refuses and moto does not.

Each check is called before the action of its name with the region's backend and the request's parameters, and
raises AWS's own error code. Messages are ours.
"""

import base64
import time
from typing import Any, Callable

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.elbv2.exceptions import ELBClientError
from moto.efs.exceptions import BadRequest, EFSError, FileSystemNotFound, SecurityGroupLimitExceeded

import account
import guards
import shares
import volumes
from settings import Lab

Get = Callable[..., Any]
Check = Callable[[Any, Get], None]

_USER_DATA_BYTES = 16384

# Longest name of a load balancer.
_BALANCER_NAME = 32

# Security groups that a mount target takes.
_TARGET_GROUPS = 5

# How long a new id stays unknown when nobody asks for it, in seconds.
_FRESH_SECONDS = 10.0

# Action, its id parameter, and AWS's code for an id that is not known.
_DESCRIBES = {
    "describe_instances": ("InstanceIds", "InvalidInstanceID.NotFound"),
    "describe_security_groups": ("GroupIds", "InvalidGroup.NotFound"),
    "describe_volumes": ("VolumeIds", "InvalidVolume.NotFound"),
    "describe_vpcs": ("VpcIds", "InvalidVpcID.NotFound"),
    "describe_subnets": ("SubnetIds", "InvalidSubnetID.NotFound"),
    "describe_route_tables": ("RouteTableIds", "InvalidRouteTableID.NotFound"),
    "describe_internet_gateways": ("InternetGatewayIds", "InvalidInternetGatewayID.NotFound"),
    "describe_addresses": ("AllocationIds", "InvalidAllocationID.NotFound"),
}


class Consistency:
    """Eventual consistency: the first question about a new id does not know it yet."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._fresh: dict[str, float] = {}

    def learn(self, fresh: bool) -> None:
        """Takes note of ids made since the last call. `fresh` is False for what was restored."""
        ids = set(_ids())
        if fresh:
            for new in ids - self._known:
                self._fresh[new] = time.monotonic() + _FRESH_SECONDS
        self._known = ids

    def check(self, action: str, get: Get) -> None:
        """Refuses a describe by id that comes first."""
        if action not in _DESCRIBES:
            return
        parameter, code = _DESCRIBES[action]
        for asked in get(parameter, []) or []:
            until = self._fresh.pop(asked, None)
            if until is not None and time.monotonic() < until:
                raise EC2ClientError(code, f"The ID '{asked}' does not exist")


def _ids() -> list[str]:
    found: list[str] = []
    for backend in account.regions():
        found += [instance.id for instance in account.instances(backend)]
        found += [group.id for group in account.all_groups(backend)]
        found += [subnet.id for subnet in account.subnets(backend)]
        found += [address.allocation_id for address in backend.addresses]
        for kind in (backend.volumes, backend.vpcs, backend.route_tables, backend.internet_gateways):
            found += list(kind)
    return found


class Checks:
    """The refusals, by the action they guard."""

    def __init__(self, lab: Lab, has_vpc: Callable[[str], bool]) -> None:
        self._lab = lab
        self._has_vpc = has_vpc
        self.by_action: dict[str, Check] = {
            "run_instances": self.run_instances,
            "start_instances": self.start_instances,
            "stop_instances": self.stop_instances,
            "allocate_address": self.allocate_address,
            "associate_address": self.associate_address,
            "release_address": self.release_address,
            "attach_volume": self.attach_volume,
            "detach_volume": self.detach_volume,
            "delete_subnet": self.delete_subnet,
            "delete_security_group": self.delete_security_group,
            "delete_vpc": self.delete_vpc,
            "detach_internet_gateway": self.detach_internet_gateway,
            "create_mount_target": self.create_mount_target,
            "delete_mount_target": self.delete_mount_target,
            "create_load_balancer": self.create_load_balancer,
            "create_target_group": self.create_target_group,
            "register_targets": self.register_targets,
        }

    # Instances

    def run_instances(self, backend: Any, get: Get) -> None:
        kind = get("InstanceType") or "m1.small"
        described = INSTANCE_TYPES.get(kind)
        if described is None:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        image = backend.amis.get(get("ImageId"))
        architectures = described.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
        if image is not None and image.architecture not in architectures:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
                f"architecture '{image.architecture}' of the specified AMI.",
            )
        if image is not None and guards.is_forbidden(backend, image):
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{image.id}]' does not exist")
        guards.check_tokens(backend, get("MetadataOptions") or {})
        data = get("UserData")
        if data and len(base64.b64decode(str(data))) > _USER_DATA_BYTES:
            raise EC2ClientError("InvalidParameterValue", f"User data is limited to {_USER_DATA_BYTES} bytes")
        nics = get("NetworkInterfaces", []) or []
        subnet_id = get("SubnetId") or next((nic["SubnetId"] for nic in nics if "SubnetId" in nic), None)
        if subnet_id is None:
            raise EC2ClientError("VPCIdNotSpecified", "No subnet is given and no default VPC has hosts in this lab.")
        subnet = backend.get_subnet(subnet_id)
        if not self._has_vpc(subnet.vpc_id):
            raise EC2ClientError("InvalidSubnetID.NotFound", f"The VPC of '{subnet_id}' has no hosts in this lab.")
        for group_id in [*(get("SecurityGroupIds", []) or []), *(g for nic in nics for g in nic.get("Groups", []))]:
            group = backend.get_security_group_from_id(group_id)
            if group is not None and group.vpc_id != subnet.vpc_id:
                raise EC2ClientError(
                    "InvalidParameter",
                    f"Security group {group_id} and subnet {subnet_id} belong to different networks.",
                )
        self._quota(backend, [kind] * int(get("MinCount") or 1))

    def start_instances(self, backend: Any, get: Get) -> None:
        asleep = []
        for instance in backend.get_multi_instances_by_id(get("InstanceIds", [])):
            if instance.state not in ("stopped", "running", "pending"):
                raise _incorrect_state(instance, "started")
            if instance.state == "stopped":
                asleep.append(instance.instance_type)
        self._quota(backend, asleep)

    def stop_instances(self, backend: Any, get: Get) -> None:
        for instance in backend.get_multi_instances_by_id(get("InstanceIds", [])):
            if instance.state not in ("running", "stopping", "stopped"):
                raise _incorrect_state(instance, "stopped")

    def _quota(self, backend: Any, types: list[str]) -> None:
        running = [i.instance_type for i in account.instances(backend) if i.state in ("pending", "running")]
        wanted = sum(_vcpus(kind) for kind in [*running, *types])
        if types and wanted > self._lab.vcpu_quota:
            raise EC2ClientError(
                "VcpuLimitExceeded",
                f"This needs {wanted} vCPUs and your current vCPU limit is {self._lab.vcpu_quota}.",
            )

    # Addresses

    def allocate_address(self, backend: Any, get: Get) -> None:
        if len(backend.addresses) >= self._lab.address_quota:
            raise EC2ClientError("AddressLimitExceeded", "The maximum number of addresses has been reached.")

    def associate_address(self, backend: Any, get: Get) -> None:
        if not get("InstanceId"):
            return
        instance = backend.get_instance(get("InstanceId"))
        if instance.state not in ("running", "stopped", "stopping"):
            raise EC2ClientError(
                "InvalidInstanceID",
                f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation.",
            )
        if not any(gateway.vpc and gateway.vpc.id == instance.vpc_id for gateway in backend.internet_gateways.values()):
            raise EC2ClientError(
                "Gateway.NotAttached", f"Network {instance.vpc_id} is not attached to any internet gateway"
            )

    def release_address(self, backend: Any, get: Get) -> None:
        for address in backend.addresses:
            if address.allocation_id == get("AllocationId") and address.association_id:
                raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")

    # Volumes

    def attach_volume(self, backend: Any, get: Get) -> None:
        volume, instance = backend.get_volume(get("VolumeId")), backend.get_instance(get("InstanceId"))
        if volume.attachment is not None:
            raise EC2ClientError(
                "VolumeInUse", f"{volume.id} is already attached to an instance ({volume.attachment.instance.id})"
            )
        if instance.state not in ("running", "stopped"):
            raise EC2ClientError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
        if volume.availability_zone != instance.availability_zone:
            raise EC2ClientError(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
            )
        if get("Device") in instance.block_device_mapping:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Invalid value '{get('Device')}' for unixDevice. Attachment point {get('Device')} is already in use",
            )

    def detach_volume(self, backend: Any, get: Get) -> None:
        volume = backend.get_volume(get("VolumeId"))
        attachment = volume.attachment
        if attachment is None:
            raise EC2ClientError("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
        if volumes.is_root(attachment.instance, attachment.device) and attachment.instance.state != "stopped":
            raise EC2ClientError(
                "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from '{attachment.instance.id}'"
            )

    # Networks

    def delete_subnet(self, backend: Any, get: Get) -> None:
        subnet_id = get("SubnetId")
        if any(nic.subnet.id == subnet_id for nic in _interfaces(backend)):
            raise _dependency(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")

    def delete_security_group(self, backend: Any, get: Get) -> None:
        group = backend.get_security_group_by_name_or_id(get("GroupId") or get("GroupName") or "")
        if group is None:
            return
        if group.is_default:
            raise EC2ClientError("CannotDelete", f"the default group {group.id} cannot be deleted by a user")
        used = any(group in nic.group_set for nic in _interfaces(backend))
        named = any(
            rule.source_group and rule.source_group.get("GroupId") == group.id
            for other in account.all_groups(backend)
            if other.id != group.id
            for rule in [*other.ingress_rules, *other.egress_rules]
        )
        if used or named:
            raise _dependency(f"resource {group.id} has a dependent object")

    def delete_vpc(self, backend: Any, get: Get) -> None:
        vpc_id = get("VpcId")
        groups = any(group.vpc_id == vpc_id and not group.is_default for group in account.all_groups(backend))
        gateways = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values())
        if groups or gateways:
            raise _dependency(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")

    def detach_internet_gateway(self, backend: Any, get: Get) -> None:
        vpc_id = get("VpcId")
        if any(nic.public_ip and nic.subnet.vpc_id == vpc_id for nic in _interfaces(backend)):
            raise _dependency(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those before detaching the gateway."
            )

    # File systems; `backend` is the region's EFS.

    def create_mount_target(self, backend: Any, get: Get) -> None:
        file_system = backend.file_systems_by_id.get(get("FileSystemId"))
        if file_system is None:
            raise FileSystemNotFound(get("FileSystemId"))
        if shares.state(file_system) != "available":
            raise _conflict("IncorrectFileSystemLifeCycleState", "The file system is not available yet.")
        groups = get("SecurityGroups") or []
        if len(groups) > _TARGET_GROUPS:
            raise SecurityGroupLimitExceeded(f"A mount target takes {_TARGET_GROUPS} security groups.")
        subnet = backend.ec2_backend.get_subnet(get("SubnetId"))
        for group in account.all_groups(backend.ec2_backend):
            if group.id in groups and group.vpc_id != subnet.vpc_id:
                raise BadRequest(f"Security group {group.id} and subnet {subnet.id} belong to different networks.")

    def delete_mount_target(self, backend: Any, get: Get) -> None:
        target = backend.mount_targets_by_id.get(get("MountTargetId"))
        if target is not None and shares.state(target) == "deleting":
            raise _conflict("IncorrectMountTargetState", "The mount target is being deleted.")


    # Load balancers; `backend` is the region's ELB.

    def create_load_balancer(self, backend: Any, get: Get) -> None:
        name, mappings = get("Name") or "", get("SubnetMappings") or []
        if get("Type") != "network" or not mappings or any("AllocationId" not in one for one in mappings):
            raise ELBClientError("ValidationError", "The lab has network load balancers with Elastic IPs only.")
        if len(name) > _BALANCER_NAME:
            raise ELBClientError("ValidationError", f"The name '{name}' is longer than {_BALANCER_NAME} characters.")
        if any(other.name == name for other in backend.load_balancers.values()):
            raise ELBClientError("DuplicateLoadBalancerName", f"A load balancer '{name}' exists already.")
        ec2 = backend.ec2_backend
        subnets = [ec2.get_subnet(one["SubnetId"]) for one in mappings]
        if len({subnet.availability_zone for subnet in subnets}) < len(subnets):
            raise ELBClientError("InvalidConfigurationRequest", "Two subnets are in the same zone.")
        for subnet in subnets:
            if not any(gateway.vpc and gateway.vpc.id == subnet.vpc_id for gateway in ec2.internet_gateways.values()):
                raise ELBClientError("InvalidSubnet", f"VPC {subnet.vpc_id} has no internet gateway")
        for mapping in mappings:
            held = [one for one in ec2.addresses if one.allocation_id == mapping["AllocationId"]]
            if not held:
                raise ELBClientError("AllocationIdNotFound", f"{mapping['AllocationId']} does not exist")
            if held[0].association_id:
                raise ELBClientError("ResourceInUse", f"Address {held[0].public_ip} is in use.")

    def create_target_group(self, backend: Any, get: Get) -> None:
        if (get("Protocol"), get("TargetType"), get("HealthCheckProtocol")) != ("TCP", "instance", "TCP"):
            raise ELBClientError("ValidationError", "The lab has instances as targets, by TCP and checked by TCP, only.")

    def register_targets(self, backend: Any, get: Get) -> None:
        group = backend.target_groups.get(get("TargetGroupArn"))
        for target in get("Targets") or []:
            instance = backend.ec2_backend.get_instance_by_id(target["Id"])
            if group is not None and (instance is None or instance.vpc_id != group.vpc_id):
                raise ELBClientError("InvalidTarget", f"The target '{target['Id']}' is not in the group's VPC")


def _conflict(code: str, message: str) -> EFSError:
    error = EFSError(code, message)
    error.code = 409
    return error


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES.get(kind, {}).get("VCpuInfo", {}).get("DefaultVCpus", 1))


def _interfaces(backend: Any) -> list[Any]:
    """Network interfaces that exist: those of instances that are not terminated, and free ones."""
    return [nic for nic in backend.enis.values() if nic.instance is None or nic.instance.state in account.LIVE]


def _incorrect_state(instance: Any, wish: str) -> EC2ClientError:
    return EC2ClientError(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {wish}.",
    )


def _dependency(message: str) -> EC2ClientError:
    return EC2ClientError("DependencyViolation", message)
