"""The lab's cloud: AWS's API by moto, with real hosts behind it.

    python main.py --env <lab>/env.json           serve until SIGTERM; hosts live on
    python main.py --env <lab>/env.json --clean   remove every host, network, rule and device of the lab
"""

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from files import fail, say
from settings import Lab, read_settings

_REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Reads the arguments and serves or cleans."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--env", type=Path, required=True, help="the lab's env.json")
    arguments.add_argument("--clean", action="store_true", help="remove what the cloud made on this machine")
    given = arguments.parse_args()
    if os.geteuid() != 0:
        fail("must run as root: it makes networks, devices and firewall rules")
    lab = read_settings(given.env)
    lab.dir.mkdir(parents=True, exist_ok=True)
    if given.clean:
        clean(lab)
    else:
        serve(lab)


def prepare_moto(lab: Lab) -> None:
    """Settings that moto reads while it is imported."""
    empty = lab.dir / "cloud-amis.json"
    empty.write_text("[]")
    os.environ.update(
        MOTO_AMIS_PATH=str(empty),
        MOTO_ENABLE_AMI_VALIDATION="true",
        MOTO_ENABLE_KEYPAIR_VALIDATION="true",
        MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="true",
        AWS_ACCESS_KEY_ID="lab",
        AWS_SECRET_ACCESS_KEY="lab",
        AWS_DEFAULT_REGION=lab.region,
    )


def serve(lab: Lab) -> None:
    """Serves the API on loopback and DNS on the internet's gateway until SIGTERM."""
    prepare_moto(lab)
    # moto reads its environment while it is imported, hence here.
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    import account
    import balancers
    import dns
    import hooks
    import images
    from addresses import Pool, Translation, warn_without_conntrack
    from engine import Engine
    from hosts import Hosts
    from moto.ec2.models.amis import Ami
    from strict import Consistency
    from volumes import Volumes

    warn_without_conntrack()
    table = images.read_table(lab.dir, _REPOSITORY)
    engine = Engine(lab)
    engine.ensure_internet()
    pool = Pool(lab)
    snapshot = account.Snapshot(lab.dir / "cloud.state")
    translation = Translation(lab, balancers.forwards)
    checks = balancers.Balancers(engine, translation.sync)
    hosts = Hosts(lab, engine, snapshot, pool, translation, Volumes(lab), checks)
    consistency = Consistency()
    hooks.install(lab, hosts, pool, table, consistency)

    try:
        saved = snapshot.restore()
    except Exception as error:  # noqa: BLE001 - whatever the file holds, it is of no use
        fail(f"the account in {lab.dir / 'cloud.state'} cannot be read ({error}); run: make lab-down")
    if saved is None:
        say("a new account")
    else:
        pool.position = int(saved["position"])
        say(f"the account is restored: {sum(1 for _ in account.all_instances())} instances")
    images.load(account.region(lab.region), table, Ami)
    consistency.learn(fresh=False)

    try:
        dns.serve(lab)
        server = make_server(
            "127.0.0.1",
            lab.port,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=_quiet(MotoRequestHandler),
        )
    except OSError as error:
        fail(f"cannot listen on 127.0.0.1:{lab.port} and {lab.internet_gateway}:53: {error}")
    hosts.resume()
    checks.watch()

    def stop(*_: Any) -> None:
        # Requests in flight hold the lock; with it in hand the account on disk is whole.
        account.lock.acquire(timeout=10)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"ready: http://127.0.0.1:{lab.port}, region {lab.region}, hosts at {lab.vpc_cidr}")
    server.serve_forever()


def _quiet(handler: type) -> type:
    """The request handler without a line for each request."""
    return type("QuietHandler", (handler,), {"log_request": lambda self, *args, **kwargs: None})


def clean(lab: Lab) -> None:
    """Removes what the cloud made. Safe to repeat, and with nothing there."""
    prepare_moto(lab)
    from addresses import Translation
    from engine import Engine
    from volumes import Volumes

    engine = Engine(lab)
    for instance_id in sorted(engine.instance_ids()):
        say(f"removing {instance_id}")
        engine.remove_host(instance_id)
    Volumes(lab).remove()
    for vpc_id in engine.vpc_ids():
        engine.remove_vpc(vpc_id)
    Translation(lab).remove()
    engine.remove_internet()
    for name in ("cloud.state", "cloud-amis.json"):
        (lab.dir / name).unlink(missing_ok=True)
    for name in ("hosts", "volumes", "shares"):
        shutil.rmtree(lab.dir / name, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
