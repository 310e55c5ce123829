"""A hand-picked list of edits in place of an LLM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.config.messages import UserError
from search.config.places import resolve
from search.llm.reply import Exhausted, Messages, Reply


class Playbook:
    """A hand-picked list of edits to this repository's train.py, served in order. It proves nothing about LLMs: it shows the
    whole loop without one."""

    patience_minutes = 0.0

    def __init__(self, file: str) -> None:
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException
        from yaml import YAMLError

        try:
            entries: Any = OmegaConf.load(resolve(file))
            self.replies = [_as_reply(entry) for entry in entries]
        except (OSError, OmegaConfBaseException, YAMLError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"llm.file={file}: is not a list of edits ({_short(error)}); name another file") from error
        if not self.replies:
            raise UserError(f"llm.file={file}: holds no edits; name another file")

    def check(self) -> None:
        """Nobody is to be asked."""

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        if call > 0:
            raise Exhausted("the playbook has no second answer")
        if ask >= len(self.replies):
            raise Exhausted(f"all {len(self.replies)} edits of the playbook are used up")
        return Reply(self.replies[ask], "stop", "playbook", tokens_in=0, tokens_out=0, tokens_cached=0)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _as_reply(entry: Mapping[str, str]) -> str:
    """An edit of the playbook in the form that an LLM replies in."""
    meant = f" (planted; expected: {entry['fails']})" if "fails" in entry else ""
    return f"NOTE: {entry['note']}{meant}\nHYPOTHESIS: {entry['hypothesis']}\n\n{entry['edit']}"
