"""What an account says about all its launches: metadata defaults, allowed images, quotas.

moto has none of it. Shapes are those of AWS's API; what a refused launch answers is unverified.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend

import images
from settings import Lab

_METADATA = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags", "HttpTokensEnforced")


def install(lab: Lab) -> None:
    """Adds the calls. Must run before requests are wrapped."""
    for action in (
        get_instance_metadata_defaults,
        modify_instance_metadata_defaults,
        get_allowed_images_settings,
        enable_allowed_images_settings,
        disable_allowed_images_settings,
        replace_image_criteria_in_allowed_images_settings,
        describe_images,
    ):
        setattr(EC2Response, action.__name__, action)
    _quotas(lab)


# Metadata defaults


def _metadata(backend: Any) -> dict[str, Any]:
    return dict(getattr(backend, "metadata_defaults", {}))


def get_instance_metadata_defaults(response: Any) -> ActionResult:
    """GetInstanceMetadataDefaults."""
    return ActionResult({"AccountLevel": {**_metadata(response.ec2_backend), "ManagedBy": "account"}})


def modify_instance_metadata_defaults(response: Any) -> ActionResult:
    """ModifyInstanceMetadataDefaults; `no-preference` takes a default away."""
    given = {name: response._get_param(name) for name in _METADATA if response._get_param(name) is not None}
    merged = {**_metadata(response.ec2_backend), **given}
    response.ec2_backend.metadata_defaults = {k: v for k, v in merged.items() if v not in ("no-preference", -1)}
    return ActionResult({"Return": True})


def check_tokens(backend: Any, options: dict[str, Any]) -> None:
    """Refuses a launch without tokens where the account enforces them."""
    tokens = options.get("HttpTokens") or _metadata(backend).get("HttpTokens") or "optional"
    if _metadata(backend).get("HttpTokensEnforced") == "enabled" and tokens != "required":
        raise EC2ClientError("OperationNotPermitted", "The account enforces that HttpTokens is required.")


# Allowed images


def _allowed(backend: Any) -> dict[str, Any]:
    return dict(getattr(backend, "allowed_images", {"State": "disabled", "ImageCriteria": []}))


def get_allowed_images_settings(response: Any) -> ActionResult:
    """GetAllowedImagesSettings."""
    return ActionResult({**_allowed(response.ec2_backend), "ManagedBy": "account"})


def enable_allowed_images_settings(response: Any) -> ActionResult:
    """EnableAllowedImagesSettings, as `enabled` or `audit-mode`."""
    state = response._get_param("AllowedImagesSettingsState")
    response.ec2_backend.allowed_images = {**_allowed(response.ec2_backend), "State": state}
    return ActionResult({"AllowedImagesSettingsState": state})


def disable_allowed_images_settings(response: Any) -> ActionResult:
    """DisableAllowedImagesSettings."""
    response.ec2_backend.allowed_images = {**_allowed(response.ec2_backend), "State": "disabled"}
    return ActionResult({"AllowedImagesSettingsState": "disabled"})


def replace_image_criteria_in_allowed_images_settings(response: Any) -> ActionResult:
    """ReplaceImageCriteriaInAllowedImagesSettings; of a criterion only the providers count here."""
    criteria = response._get_param("ImageCriteria", []) or []
    response.ec2_backend.allowed_images = {**_allowed(response.ec2_backend), "ImageCriteria": criteria}
    return ActionResult({"ReturnValue": True})


def is_forbidden(backend: Any, image: Any) -> bool:
    """True for an image of somebody else whose publisher the account does not allow."""
    settings = _allowed(backend)
    if settings["State"] != "enabled" or image.owner_id == backend.account_id:
        return False
    providers = {name for criterion in settings["ImageCriteria"] for name in criterion.get("ImageProviders", [])}
    return image.owner_id not in providers


def describe_images(response: Any) -> ActionResult:
    """DescribeImages without the images that AWS would leave out; moto shows all it has."""
    response.error_on_dryrun()
    backend = response.ec2_backend
    asked = response._get_param("ImageIds", []) or []
    deprecated = str(response._get_param("IncludeDeprecated")).lower() == "true"
    found = [
        image
        for image in backend.describe_images(
            ami_ids=asked,
            filters=response._filters_from_querystring(),
            exec_users=response._get_param("ExecutableUsers", []),
            owners=response._get_param("Owners", []),
        )
        if not images.is_hidden(image, asked, deprecated) and not is_forbidden(backend, image)
    ]
    if asked and not found:
        raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{', '.join(asked)}]' does not exist")
    return ActionResult({"Images": found})


# Quotas


def _quotas(lab: Lab) -> None:
    granted = {
        "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", lab.vcpu_quota),
        "L-0263D0A3": ("EC2-VPC Elastic IPs", lab.address_quota),
    }

    def get_service_quota(backend: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "ec2" or quota_code not in granted:
            raise NoSuchResource
        name, value = granted[quota_code]
        return {
            "ServiceCode": service_code,
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": f"arn:aws:servicequotas:{backend.region_name}:{backend.account_id}:{service_code}/{quota_code}",
            "QuotaCode": quota_code,
            "QuotaName": name,
            "Value": float(value),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    ServiceQuotasBackend.get_service_quota = get_service_quota  # type: ignore[method-assign]
