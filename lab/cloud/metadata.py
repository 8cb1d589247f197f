"""What the instance metadata service of each host answers, as files that the host serves."""

import base64
import shutil
from pathlib import Path
from typing import Any

import account
from files import write_if_changed


def documents(backend: Any, instance: Any) -> dict[str, bytes]:
    """Path below /latest to content. Empty where a request without a token gets nothing."""
    options = instance.metadata_options
    if options.http_endpoint == "disabled" or options.http_tokens == "required":
        return {}
    nic = account.primary(instance)
    texts = {
        "meta-data/ami-id": instance.image_id,
        "meta-data/instance-id": instance.id,
        "meta-data/instance-type": instance.instance_type,
        "meta-data/local-ipv4": nic.private_ip_address,
        "meta-data/hostname": instance.private_dns_name,
        "meta-data/local-hostname": instance.private_dns_name,
        "meta-data/placement/availability-zone": instance.availability_zone,
        "meta-data/placement/region": backend.region_name,
        "meta-data/security-groups": "\n".join(sorted(group.name for group in account.groups_of(instance))),
    }
    if nic.public_ip:
        texts["meta-data/public-ipv4"] = nic.public_ip
    pair = backend.key_pairs.get(instance.key_name) if instance.key_name else None
    if pair is not None:
        texts["meta-data/public-keys/index.html"] = f"0={pair.key_name}"
        texts["meta-data/public-keys/0/openssh-key"] = pair.public_key
    found = {path: text.encode() for path, text in texts.items()}
    if instance.user_data:
        found["user-data"] = base64.b64decode(str(instance.user_data))
    return found


def write(folder: Path, backend: Any, instance: Any) -> None:
    """Makes the served files be exactly what the service answers now."""
    wanted = documents(backend, instance)
    root = folder / "imds" / "latest"
    root.mkdir(parents=True, exist_ok=True)
    for path, content in wanted.items():
        write_if_changed(root / path, content)
    for item in root.rglob("*"):
        if item.is_file() and str(item.relative_to(root)) not in wanted:
            item.unlink()


def remove(folder: Path) -> None:
    """Forgets an instance's files; they hold its user data."""
    shutil.rmtree(folder, ignore_errors=True)
