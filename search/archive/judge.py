"""Judges whether a retrained trial agrees with its record: exactly, within noise, or not. The machine's speed is
allowed for."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from search.study.identity import ENVIRONMENT
from search.study.schedule import Entry
from search.study.trial import Outcome

REACH = 2.58  # standard deviations: 99 of 100 honest trials are within


class Agreement(StrEnum):
    EXACT = "agrees exactly"
    WITHIN = "agrees within noise"
    REFERENCE = "is the reference"  # the stock, where its difference is the machine's speed
    DIFFERS = "DIFFERS"
    UNJUDGED = "not judged: the noise is not known; give noise="


@dataclass(frozen=True)
class Again:
    """A trial, and its outcome here."""

    entry: Entry
    here: Outcome

    @property
    def difference(self) -> float | None:
        """The score here minus the recorded one; None if there is none here."""
        there = self.entry.trial.val_bpb
        return None if self.here.val_bpb is None or there is None else self.here.val_bpb - there


@dataclass(frozen=True)
class Judge:
    """`in_tokens`: whether the budget is one, which no machine's speed changes. `alike`: whether versions and device are
    those of the record, so that such a budget gives the same score to the last digit. `noise`: standard deviation of a
    score, in bits per byte; None if it is not known."""

    in_tokens: bool
    alike: bool
    noise: float | None

    def judge(self, again: Sequence[Again]) -> list[Agreement]:
        """Of the stock, which comes first, and of the other trials."""
        stock = again[0].difference
        if stock is None:
            return [Agreement.DIFFERS, *([Agreement.UNJUDGED] * (len(again) - 1))]
        # A slower machine trains on fewer tokens: what the stock loses by that is taken off from all.
        shift = 0.0 if self.in_tokens else stock
        first = self._one(again[0], 0.0, 2) if self.in_tokens else Agreement.REFERENCE
        return [first, *(self._one(one, shift, 2 if self.in_tokens else 4) for one in again[1:])]

    def _one(self, again: Again, shift: float, scores: int) -> Agreement:
        """`scores`: how many noisy ones the difference is made of."""
        difference = again.difference
        if difference is None:
            return Agreement.DIFFERS
        if self.in_tokens and difference == 0:
            return Agreement.EXACT
        if self.in_tokens and self.alike:
            return Agreement.DIFFERS
        if self.noise is None:
            return Agreement.UNJUDGED
        return Agreement.WITHIN if abs(difference - shift) <= REACH * math.sqrt(scores) * self.noise else Agreement.DIFFERS


def environment() -> dict[str, str]:
    """The versions here, as a journal's first line has them."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in ENVIRONMENT}}


def alike(header: Mapping[str, Any], first: Again) -> bool:
    """Whether versions and the model of the device are the record's."""
    there, here = (outcome.device.rpartition(" ")[0] for outcome in (first.entry.trial.outcome, first.here))
    return dict(header["environment"]) == environment() and there == here and there != ""
