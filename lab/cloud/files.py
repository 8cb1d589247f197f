"""Small helpers for files and commands."""

import os
import subprocess
import sys
import time
from pathlib import Path


def say(message: str) -> None:
    """One line in the cloud's log, which is its standard output."""
    print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)


def write_if_changed(path: Path, content: str | bytes, mode: int = 0o600) -> bool:
    """Replaces the file at once when its content differs; tells whether it did."""
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".new")
    partial.write_bytes(data)
    partial.chmod(mode)
    os.replace(partial, path)
    return True


def run(*command: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs a command and returns it with its output.

    Raises RuntimeError with the command's own message when it fails and `check` is set.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def fail(message: str) -> None:
    """Ends the process with a message for the person who started the lab."""
    print(f"cloud: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
