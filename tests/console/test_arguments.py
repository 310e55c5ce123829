"""Command lines of `key=value`: what they give, and what is said of a wrong one."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import pytest
from omegaconf import MISSING

from search.config.messages import UserError
from search.console import arguments
from search.console.arguments import Tracking, default_of, parse, setting


@dataclass
class Settings:
    experiment: str = default_of("experiment", "whose studies")
    name: str = setting(MISSING, "must be given")
    repeats: int = setting(5, "trainings of each program", arguments.count)
    share: float | None = setting(None, "of all", arguments.share)
    several: str | None = setting(None, "numbers", arguments.several)
    tracking: Tracking = field(default_factory=Tracking)


def test_defaults_stand_in_conf_and_values_are_taken_as_they_are_written():
    settings = parse(Settings, ["name=007", "repeats=8", "share=0.5", "tracking.uri=sqlite:///a=b.db"])
    assert settings == Settings("autoresearch", "007", 8, 0.5, None, Tracking("sqlite:///a=b.db"))
    assert parse(Settings, ["name=a", "share=null"]).share is None
    assert parse(Settings, ["name=a"]).tracking.uri == "sqlite:///mlruns/mlflow.db"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "name: is not set; give it on the command line, as name=..."),
        (["name=a", "repeats=many"], "repeats=many: must be a whole number"),
        (["name=a", "share=most"], "share=most: must be a number"),
        (["name=a", "repeats=0"], "repeats=0: must be a whole number above 0"),
        (["name=a", "share=1"], "share=1: must be above 0 and below 1"),
        (["name=a", "share=nan"], "share=nan: must be above 0"),
        (["name=a", "several=1,x"], "several=1,x: must be numbers with commas"),
        (["name=a", "several=1,-2"], "several=1,-2: must be a number above 0"),
        (["name=a", "repeat=3"], "repeat: no such key; did you mean repeats?"),
        (["name=a", "foo=3"], "foo: no such key; --help shows all keys"),
        (["name=a", "tracking=x"], "tracking: no such key"),
        (["name=a", "-m"], "-m: no such key"),
        (["name"], "name: has no value; give it as name=..."),
        (["name=a", "name=b"], "name: is given twice"),
        (["name=null"], "name=null: must be given"),
        (["name=a", "repeats=${x}"], "repeats=${x}: Interpolation key 'x' not found"),
        (["name=${x}"], "name: Interpolation key 'x' not found"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_a_line(given, said):
    with pytest.raises(UserError, match=r"^[^\n]*$") as error:
        parse(Settings, given)
    assert said in str(error.value)


def run(monkeypatch, *given, main):
    monkeypatch.setattr(sys, "argv", ["command", *given])
    return arguments.run(Settings, main, "What it does.", "stopped; go on")


def test_exit_codes(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    seen = []
    assert run(monkeypatch, "name=a", main=seen.append) == 0 and seen[0].name == "a"
    assert run(monkeypatch, "nam=a", main=seen.append) == 1
    assert capsys.readouterr().err == "error: nam: no such key; did you mean name?\n"
    assert run(monkeypatch, "name=a", main=stop) == 130
    assert capsys.readouterr().err == "stopped; go on\n"


def test_help_shows_every_setting_with_its_default_and_runs_nothing(monkeypatch, capsys):
    assert run(monkeypatch, "name=a", "--help", main=None) == 0
    shown = capsys.readouterr().out
    for words in (
        "What it does.",
        "experiment=autoresearch",
        "whose studies",
        "name=...",
        "share=null",
        "tracking.uri=sqlite",
    ):
        assert words in shown
