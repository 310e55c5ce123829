"""Outlasts a server's outage: asks again, with growing pauses, until there is a reply or patience ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from search.config.messages import UserError
from search.llm.reply import Client, Messages, Reply, Unavailable

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds; each is twice the one before, or what the server asks for
SLICE = 0.5  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Clock:
    """Seconds that pass, and a way to let them."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class PatientClient:
    """A client that outlasts its server's outages. `say`: shows the user a line. `stop`: whether a stop was requested.
    `node`: the key of its settings."""

    def __init__(
        self,
        client: Client,
        say: Callable[[str], None],
        stop: Callable[[], bool],
        clock: Clock | None = None,
        node: str = "llm",
    ) -> None:
        self.client = client
        self.say = say
        self.stop = stop
        self.clock = clock or Clock()
        self.node = node
        self.patience_minutes = client.patience_minutes

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        return self._outlast(lambda: self.client.complete(messages, ask, call))

    def check(self) -> None:
        self._outlast(self.client.check)

    def _outlast(self, attempt: Callable[[], T]) -> T:
        """What the attempt returns in the end. Raises KeyboardInterrupt where a stop is requested, UserError where patience
        ends."""
        retries, began, server = 0, 0.0, ""
        while True:
            try:
                result = attempt()
            except Unavailable as error:
                if retries == 0:
                    began, server = self.clock.now(), error.server
                left = began + 60 * self.patience_minutes - self.clock.now()
                if left <= 0:
                    raise UserError(self._gave_up(error, retries)) from None
                if retries == 0:
                    self.say(
                        f"{self.node}: {server} gives no reply ({error}); asking again for up to "
                        f"{self.patience_minutes:g} minutes; Ctrl-C stops"
                    )
                self._pause(min(left, max(error.after or 0.0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(retries, 10)))))
                retries += 1
            else:
                if retries:
                    minutes = (self.clock.now() - began) / 60
                    self.say(f"{self.node}: {server} replies again, after {minutes:.1f} minutes and {_counted(retries)}")
                return result

    def _gave_up(self, error: Unavailable, retries: int) -> str:
        made = f" in {self.patience_minutes:g} minutes, after {_counted(retries)}" if retries else ""
        return (
            f"{self.node}: {error.server} gave no reply{made} ({error}).\n"
            "Nothing is lost: fix the server or the connection, and run the same command again (it waits "
            f"{self.node}.patience_minutes)"
        )

    def _pause(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while True:
            if self.stop():
                raise KeyboardInterrupt
            left = until - self.clock.now()
            if left <= 0:
                return
            self.clock.sleep(min(left, SLICE))


def _counted(retries: int) -> str:
    return "1 retry" if retries == 1 else f"{retries} retries"
