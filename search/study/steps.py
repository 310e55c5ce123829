"""The next step that a study asks for."""

from __future__ import annotations

from dataclasses import dataclass

from search.study.request import TrialRequest
from search.study.schedule import Asked
from search.study.trial import Outcome


@dataclass(frozen=True)
class Ask:
    """Have the study ask for this trial (`Study.ask`): the strategy may take minutes to answer."""

    number: int


@dataclass(frozen=True)
class Work:
    """Start this trial (`Study.start`), and run the request."""

    asked: Asked
    request: TrialRequest


@dataclass(frozen=True)
class Known:
    """This trial needs no run: take its outcome."""

    asked: Asked
    outcome: Outcome


@dataclass(frozen=True)
class Wait:
    """Nothing can be done before a running trial has ended."""


@dataclass(frozen=True)
class Over:
    """The study has ended."""

    reason: str


Due = Ask | Work | Known | Wait | Over
