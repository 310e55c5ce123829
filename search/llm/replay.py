"""The record of an earlier study in place of an LLM."""

from __future__ import annotations

from search.config.messages import UserError
from search.config.places import resolve
from search.llm.record import CALL, PROPOSAL, records
from search.llm.reply import Exhausted, Messages, Reply

NOTHING_SPENT = {"seconds": 0.0, "usd": None}  # by who only reads what was replied once


class Replay:
    """The recorded replies of an earlier study, in their order: nothing is paid again. `record`: that study's folder, or its
    trials' `conversation` folders as downloaded from MLflow."""

    patience_minutes = 0.0

    def __init__(self, record: str | None) -> None:
        if not record:
            raise UserError("llm.record: is not set; name the folder of an earlier study, as llm.record=mlruns/studies/...")
        self.record = record
        try:
            calls = records(resolve(record), f"{CALL}*.json")
            self.replies = {(call["ask"], call["call"]): Reply(**{**call["reply"], **NOTHING_SPENT}) for call in calls}
            self._unusable = {end["ask"] for end in records(resolve(record), PROPOSAL) if not end["usable"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"llm.record={record}: cannot be read ({error!r}); name the folder of one study") from error
        if not calls or len(self.replies) < len(calls):
            what = "the replies of several studies" if calls else "no recorded replies"
            raise UserError(f"llm.record={record}: holds {what}; name the folder of one study of strategy=agent")
        self._previous: tuple[int, int] | None = None

    def check(self) -> None:
        """Nobody is to be asked."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        if call == 0 and self._previous is not None:
            before, last = self._previous
            if (before, last + 1) in self.replies:
                raise self._diverged(before, "the record needed another call, but here the first one suffices")
        self._previous = (ask, call)
        if (ask, call) in self.replies:
            return self.replies[ask, call]
        if call == 0:
            raise Exhausted("all recorded replies are used up")
        if ask in self._unusable:
            raise Exhausted("the record has no further reply either")
        raise self._diverged(ask, "the reply was usable there, but is not usable here")

    def _diverged(self, ask: int, how: str) -> UserError:
        return UserError(
            f"llm=replay: the conversation diverges from {self.record} at proposal {ask + 1}: {how}.\n"
            "Scores differ between machines and seeds, and so does what is kept; the trials so far stay"
        )
