"""Makes the text of `--help` from the YAML files in conf/: their comments are the help."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from search.config.places import CONF

STUDY = "config"  # the YAML of `python -m search`, whose keys other commands include
GROUP = re.compile(r"^  - (\w+): (\w+) *#? *(.*)", re.MULTILINE)
INCLUDED = re.compile(r"^  - (?!_self_)(\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One YAML file of conf/: its first comment, its defaults list, and its keys with their comments."""

    about: str
    defaults: str
    keys: str

    @classmethod
    def read(cls, path: Path) -> Page:
        text = path.read_text(encoding="utf-8")
        about = re.match(r"(?:#.*\n)*", text)
        blocks = {key: _block(key, text) for key in ("defaults", "hydra")}  # the latter: Hydra's own settings
        keys = text[about.end() if about else 0 :]
        for block in blocks.values():
            keys = keys.replace(block, "")
        return cls(re.sub(r"^# ?", "", about[0] if about else "", flags=re.MULTILINE), blocks["defaults"], keys.strip("\n"))

    @property
    def summary(self) -> str:
        """The first sentence of the first line."""
        return self.about.partition("\n")[0].partition(". ")[0].rstrip(".:")


def help_text(name: str) -> str:
    """What a command does, the choices of each group, and its keys with their defaults. `name`: of its YAML."""
    page = Page.read(CONF / f"{name}.yaml")
    included = INCLUDED.search(page.defaults)
    settings = Page.read(CONF / f"{included[1]}.yaml") if included else page
    lines = [page.about]
    for group, default, about in GROUP.findall(settings.defaults):
        lines += [f"{group}={default}: {about}. Choices:", *_table(_summaries((CONF / group).glob("*.yaml"))), ""]
    keys = "\n\n".join(dict.fromkeys(part.keys for part in (page, settings) if part.keys))  # its own first
    lines += ["Keys with their defaults (key=value):", "", *(f"  {line}".rstrip() for line in keys.splitlines())]
    lines += ["", "--cfg job shows every key with the value that it would have."]
    if name == STUDY:
        others = (CONF / f"{command}.yaml" for command in commands())
        lines += ["", "Other commands, such as python -m search.compare --help:", *_table(_summaries(others))]
    return "\n".join(lines)


def commands() -> list[str]:
    """The commands besides `python -m search`: each has a YAML in conf/ and a module of that name in search/."""
    return sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != STUDY)


def _block(key: str, text: str) -> str:
    """A top-level key with what is indented below it; empty if there is none."""
    found = re.search(rf"^{key}:(?: *#.*)?\n(?:[ #].*\n|\n)*", text, re.MULTILINE)
    return found[0] if found else ""


def _summaries(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    return ((path.stem, Page.read(path).summary) for path in sorted(paths))


def _table(rows: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {words}".rstrip() for name, words in rows]
