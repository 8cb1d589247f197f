"""AWS Backup: what moto has not of it, and where AWS refuses and moto does not.

moto knows vaults and plans. Here are a plan's selections and its update, recovery points that are made on request and
hold no data (no schedule runs), and the one managed policy a role for backups needs.
"""

import json
import time
import uuid
from typing import Any
from urllib.parse import unquote

import moto.backup.urls as urls
from moto.backup.exceptions import InvalidParameterValueException, InvalidRequestException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Vault
from moto.backup.responses import BackupResponse
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import IAMBackend, iam_backends

# Of AWS's own policies only these are there: moto's thousand would be written at every save of the account.
_POLICIES = "AWSBackupServiceRolePolicy"

# Who must be allowed to take on the role.
_SERVICE = "backup.amazonaws.com"


def install() -> None:
    """Completes moto. Must run before requests are wrapped and its server serves the first one."""
    # moto's server takes what is variable in a path only as a named group.
    points = r"{0}/backup-vaults/(?P<name>[^/]+)/recovery-points"
    for path in (points + "/?$", points + r"/(?P<arn>[^/]+)$", r"{0}/backup-jobs/?$"):
        urls.url_paths[path] = BackupResponse.dispatch
    for action in (
        _create_backup_selection,
        _get_backup_selection,
        _list_backup_selections,
        _delete_backup_selection,
        _update_backup_plan,
        _start_backup_job,
        _list_recovery_points_by_backup_vault,
        _delete_recovery_point,
        _list_tags,
    ):
        setattr(BackupResponse, action.__name__.removeprefix("_"), action)
    _deletions()
    _policies()


def _parameter(response: Any, name: str) -> str:
    """A parameter in the request's path, where AWS writes its first letter small."""
    return unquote(str(response.uri_match[name[0].lower() + name[1:]]))


def _body(response: Any) -> dict[str, Any]:
    return dict(json.loads(response.body))


# Selections


def _plan(response: Any) -> Any:
    plan = response.backup_backend.plans.get(_parameter(response, "BackupPlanId"))
    if plan is None or plan.deletion_date is not None:
        raise ResourceNotFoundException(msg="there is no such backup plan")
    return plan


def _selections(plan: Any) -> dict[str, dict[str, Any]]:
    """The selections of a plan by id, as the API shows each."""
    if not hasattr(plan, "_selections"):
        plan._selections = {}
    found: dict[str, dict[str, Any]] = plan._selections
    return found


def _check_role(arn: str) -> None:
    """AWS takes only a role that it may take on itself."""
    for backend in iam_backends[DEFAULT_ACCOUNT_ID].values():
        for role in backend.get_roles():
            if role.arn == arn and _SERVICE in str(role.assume_role_policy_document):
                return
    raise InvalidParameterValueException(msg=f"IAM Role {arn} cannot be assumed by AWS Backup")


def _create_backup_selection(response: Any) -> str:
    plan, body = _plan(response), _body(response)
    selection = body["BackupSelection"]
    _check_role(selection["IamRoleArn"])
    found = {
        "BackupPlanId": plan.backup_plan_id,
        "SelectionId": str(uuid.uuid4()),
        "CreationDate": time.time(),
        "CreatorRequestId": body.get("CreatorRequestId"),
        "BackupSelection": selection,
    }
    _selections(plan)[found["SelectionId"]] = found
    return json.dumps({name: found[name] for name in ("BackupPlanId", "SelectionId", "CreationDate")})


def _selection(response: Any) -> dict[str, Any]:
    found = _selections(_plan(response)).get(_parameter(response, "SelectionId"))
    if found is None:
        raise ResourceNotFoundException(msg="there is no such selection")
    return found


def _get_backup_selection(response: Any) -> str:
    return json.dumps(_selection(response))


def _list_backup_selections(response: Any) -> str:
    found = [
        {
            "BackupPlanId": each["BackupPlanId"],
            "SelectionId": each["SelectionId"],
            "SelectionName": each["BackupSelection"]["SelectionName"],
            "IamRoleArn": each["BackupSelection"]["IamRoleArn"],
            "CreationDate": each["CreationDate"],
        }
        for each in _selections(_plan(response)).values()
    ]
    return json.dumps({"BackupSelectionsList": found})


def _delete_backup_selection(response: Any) -> str:
    found = _selection(response)
    del _selections(_plan(response))[found["SelectionId"]]
    return "{}"


# Plans


def _update_backup_plan(response: Any) -> str:
    plan = _plan(response)
    # Completed as a new plan is, it keeps its id and gets another version.
    made = type(plan)(_body(response)["BackupPlan"], "", response.backup_backend)
    plan.backup_plan, plan.version_id = made.backup_plan, made.version_id
    return json.dumps(plan.to_dict())


# Recovery points


def _points(vault: Vault) -> dict[str, dict[str, Any]]:
    """The recovery points of a vault by ARN."""
    if not hasattr(vault, "_points"):
        vault._points = {}  # type: ignore[attr-defined]
    found: dict[str, dict[str, Any]] = vault._points  # type: ignore[attr-defined]
    vault.num_of_recovery_points = len(found)
    return found


def _start_backup_job(response: Any) -> str:
    body = _body(response)
    _check_role(body["IamRoleArn"])
    vault = response.backup_backend.describe_backup_vault(body["BackupVaultName"])
    point = str(uuid.uuid4())
    arn = f"arn:aws:backup:{response.region}:{response.current_account}:recovery-point:{point}"
    _points(vault)[arn] = {
        "RecoveryPointArn": arn,
        "BackupVaultName": vault.backup_vault_name,
        "ResourceArn": body["ResourceArn"],
        "IamRoleArn": body["IamRoleArn"],
        "Lifecycle": body.get("Lifecycle"),
        "Status": "COMPLETED",
        "CreationDate": time.time(),
    }
    return json.dumps({"BackupJobId": str(uuid.uuid4()), "RecoveryPointArn": arn, "CreationDate": time.time()})


def _vault(response: Any) -> Vault:
    found: Vault = response.backup_backend.describe_backup_vault(_parameter(response, "BackupVaultName"))
    return found


def _list_recovery_points_by_backup_vault(response: Any) -> str:
    return json.dumps({"RecoveryPoints": list(_points(_vault(response)).values())})


def _delete_recovery_point(response: Any) -> str:
    vault = _vault(response)
    if _points(vault).pop(_parameter(response, "RecoveryPointArn"), None) is None:
        raise ResourceNotFoundException(msg="there is no such recovery point")
    _points(vault)
    return "{}"


def _list_tags(response: Any) -> str:
    # moto expects a slash at the end of the path, which clients leave out.
    return json.dumps({"Tags": response.backup_backend.list_tags(_parameter(response, "ResourceArn"))})


# Refusals


def _deletions() -> None:
    delete_plan, delete_vault = BackupBackend.delete_backup_plan, BackupBackend.delete_backup_vault

    def delete_backup_plan(backend: BackupBackend, backup_plan_id: str) -> Any:
        plan = backend.plans.get(backup_plan_id)
        if plan is not None and _selections(plan):
            raise InvalidRequestException(msg="the backup plan has selections, which must be deleted first")
        return delete_plan(backend, backup_plan_id)

    def delete_backup_vault(backend: BackupBackend, backup_vault_name: str) -> None:
        vault = backend.vaults.get(backup_vault_name)
        if vault is not None and _points(vault):
            raise InvalidRequestException(msg="the backup vault has recovery points and cannot be deleted")
        delete_vault(backend, backup_vault_name)

    BackupBackend.delete_backup_plan = delete_backup_plan  # type: ignore[method-assign]
    BackupBackend.delete_backup_vault = delete_backup_vault  # type: ignore[method-assign]


# The role's policy


def _policies() -> None:
    import moto.iam.models as models

    known = json.loads(models.aws_managed_policies_data)
    few = {name: policy for name, policy in known.items() if name.startswith(_POLICIES)}
    models.aws_managed_policies_data = json.dumps(few)
    models.load_iam_aws_managed_policies = lambda: True
