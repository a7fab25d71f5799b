"""A thread that always works on the newest picture; older ones that it had no time for are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable

from adas_perception.types import Image

STOP_S = 2.0


class PictureWorker:
    """Calls ``see`` with the newest picture offered; what it raises goes to ``failed``, and the next one is seen."""

    def __init__(self, name: str, see: Callable[[Image], None], failed: Callable[[Exception], None]) -> None:
        self._see, self._failed = see, failed
        self._newest: Image | None = None
        self._arrived = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def offer(self, image: Image) -> None:
        """Hand over a picture; returns at once."""
        with self._arrived:
            self._newest = image
            self._arrived.notify()

    def stop(self) -> None:
        """End the thread after the picture it works on."""
        with self._arrived:
            self._running = False
            self._arrived.notify()
        self._thread.join(STOP_S)

    def _work(self) -> None:
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: self._newest is not None or not self._running)
                if not self._running:
                    return
                image, self._newest = self._newest, None
            assert image is not None
            try:
                self._see(image)
            except Exception as error:  # whatever a backend raises, the next picture must be seen
                self._failed(error)
