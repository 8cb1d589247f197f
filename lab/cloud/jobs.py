"""Work that goes on after a request was answered, as on AWS."""

import threading
import traceback
from collections import deque
from typing import Callable

from files import say


class Jobs:
    """A queue per key: jobs of one key run in turn, keys run side by side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, key: str, work: Callable[[], None]) -> None:
        """Runs `work` after everything submitted for `key` before it."""
        with self._lock:
            queue = self._queues.get(key)
            if queue is not None:
                queue.append(work)
                return
            self._queues[key] = deque([work])
        threading.Thread(target=self._drain, args=(key,), daemon=True, name=f"jobs {key}").start()

    def _drain(self, key: str) -> None:
        while True:
            with self._lock:
                queue = self._queues[key]
                if not queue:
                    del self._queues[key]
                    return
                work = queue.popleft()
            try:
                work()
            except Exception:  # noqa: BLE001 - a failed job must not end the queue
                say(f"job {key} failed:\n{traceback.format_exc()}")
