"""The machine images: exactly the RancherOS ones that the program's table names, each in its region."""

import json
from pathlib import Path
from typing import Any

from files import run

OWNER = "605812595337"

# Public images are deprecated two years after they are made; these were made in February 2021. The day is a guess.
_DEPRECATED = "2023-02-28T00:00:00.000Z"

# Prints the first exported table whose values are all image ids.
_READ_TABLE = """
const table = Object.values(require(process.argv[1])).find(
  (value) => value !== null && typeof value === "object" &&
    Object.values(value).length > 0 && Object.values(value).every((id) => /^ami-/.test(id)));
process.stdout.write(JSON.stringify(table));
"""


def read_table(lab_dir: Path, repository: Path) -> dict[str, str]:
    """Region to image id: from amis.json beside env.json, or else from the program itself.

    Raises RuntimeError when neither can be read.
    """
    prepared = lab_dir / "amis.json"
    if prepared.exists():
        return dict(json.loads(prepared.read_text()))
    source = repository / "config" / "amis.ts"
    shown = run(
        "node", "--require", str(repository / "node_modules/tsx/dist/cjs/index.cjs"), "-e", _READ_TABLE, str(source)
    )
    return dict(json.loads(shown.stdout))


def load(backend: Any, table: dict[str, str], make: Any) -> None:
    """Gives a region its image where it lacks it. `make` is moto's image class."""
    image_id = table.get(backend.region_name)
    if image_id is None or image_id in backend.amis:
        return
    image = backend.amis[image_id] = make(
        backend,
        image_id,
        name="rancheros-v1.5.8-hvm-1",
        description="RancherOS v1.5.8, played by a lab host",
        owner_id=OWNER,
        public=True,
        virtualization_type="hvm",
        architecture="x86_64",
        hypervisor="xen",
        image_location=f"{OWNER}/rancheros-v1.5.8-hvm-1",
        root_device_type="ebs",
        root_device_name="/dev/sda1",
        boot_mode="legacy-bios",
        region_name=f"{backend.region_name}a",
    )
    image.ena_support = True
    image.deprecation_time = _DEPRECATED


def is_hidden(image: Any, asked: list[str], with_deprecated: bool) -> bool:
    """True for an image that a listing leaves out: AWS shows deprecated ones of others only to who asks for them."""
    deprecated = getattr(image, "deprecation_time", None) is not None
    return deprecated and image.owner_id == OWNER and image.id not in asked and not with_deprecated
