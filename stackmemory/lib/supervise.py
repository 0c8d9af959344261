"""Run several programs as one: start them, restart the ones that die, stop them all together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

TICK = 0.1  # seconds
GRACE = 10.0  # seconds between asking to stop and killing, unless told otherwise
DEATHS, WITHIN = 3, 60.0  # so many deaths in so many seconds are given up on


@dataclass
class Service:
    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))

    def start(self) -> None:
        """Start in a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone."""
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.alive and self.process is not None:
            self.process.terminate()

    def bury(self) -> None:
        """Kill whatever is left of it, children included."""
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Keeps services running until a signal asks to stop or one cannot be kept alive."""

    def __init__(
        self, services: Sequence[Service], say: Callable[[str], object], grace: float = GRACE
    ) -> None:
        self.services = services
        self.say = say
        self.grace = grace
        self.signals = 0
        self.failed: Service | None = None

    def run(self, *, is_ready: Callable[[], bool], when_ready: Callable[[], object]) -> int:
        """Return 0 after a signal, 1 when a service kept dying. Nothing is left running."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)
        ready = False
        try:
            for service in self.services:
                service.start()
            while not self.signals and not self.failed:
                self._revive()
                if not ready and is_ready():
                    ready = True
                    when_ready()
                time.sleep(TICK)
        finally:
            self._stop()
        return 1 if self.failed else 0

    def _note(self, number: int, frame: object) -> None:
        self.signals += 1

    def _revive(self) -> None:
        for service in self.services:
            if service.alive or self.signals:
                continue
            service.bury()
            service.deaths.append(time.monotonic())
            if len(service.deaths) == DEATHS and service.deaths[-1] - service.deaths[0] < WITHIN:
                self.failed = service
                self.say(f"The {service.name} stopped {DEATHS} times within {WITHIN:.0f} seconds.")
                return
            self.say(f"The {service.name} stopped unexpectedly; starting it again.")
            service.start()

    def _stop(self) -> None:
        """Ask politely, wait; a second signal or the end of patience kills."""
        self.signals = 0
        for service in self.services:
            service.ask_to_stop()
        deadline = time.monotonic() + self.grace
        while any(s.alive for s in self.services) and time.monotonic() < deadline:
            if self.signals:
                break
            time.sleep(TICK)
        for service in self.services:
            service.bury()


def die_with_parent() -> None:
    """On Linux: be asked to stop when the supervisor is killed outright."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
