"""A fake model that plays the agent. It knows ideas and has opinions of them, right more often than not; of the study it
knows what the prompt says, and nothing else: it does what it is asked for, and cannot remember what it is not shown."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from search.llm.reply import Messages, Reply
from search.study import source
from tests.loops.world import CALL, CONSTANTS, IDEAS, World

MALFORMED, AGAIN = 0.15, 0.3  # share of replies that are no good form of an edit, and of those after a complaint
TERSE = 0.5  # share of edits of a constant that quote its line without its comment
SLIP = 0.2  # share of new code that breaks; half of it where the code and its traceback are shown
KNOWS = 0.7  # how often it knows which way a constant should go
TUNES = 0.25  # how often it changes a constant where nobody asks for one
ANCHOR = "    x = 1"
PROGRAM = re.compile(r"^# (?:Current )?train\.py \(trial.*?```python\n(.*?)\n```", re.MULTILINE | re.DOTALL)
TOLD = (
    re.compile(r"^- (\d+): (\S+)(?: \(([-+][\d.]+) against \d+\))? (KEPT )?((?:idea|LR|BATCH|DECAY|both).*)$", re.MULTILINE),
    re.compile(r"^\| (\d+) \| ([\d.]*) \| ([-+][\d.]+)?[^|]*\| \w+ \| ([^|]*) \| (kept|discarded)", re.MULTILINE),
    re.compile(r"^- trial (\d+): ([\d.]+) (.*)$", re.MULTILINE),
)
OFFER = re.compile(r"follow up trial (\d+) \((.*?)\), which.*?```diff\n(.*?)\n```", re.DOTALL)

MERGE = re.compile(r"^Operator: MERGE:.*?Trial (\d+) \(.*?```diff\n(.*?)\n```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """A trial that the prompt tells of."""

    note: str
    kept: bool
    lost: float | None  # by how much; None where it broke or is not said


@dataclass(frozen=True)
class Plan:
    """An edit: a line of the program, and what to put in its place."""

    note: str
    old: str
    new: str
    base: str = ""


class Player:
    """A client of the agent's, as `llm._target_`."""

    patience_minutes = 0.0

    def __init__(self, seed: int) -> None:
        self.seed, self.world = seed, World(seed)

    def check(self) -> None:
        pass

    def complete(self, messages: Messages, ask: int, call: int) -> Reply:
        draw = random.Random(f"{self.seed} {ask} {call}")
        prompt = messages[1]["content"]
        shown = PROGRAM.search(prompt).group(1)  # type: ignore[union-attr]
        plan = self._plan(prompt, shown, draw)
        edit = _written(plan, shown, draw, AGAIN if call else MALFORMED)
        notes = ", ".join(sorted({seen.note for seen in _told(prompt)}))
        head = f"IDEAS:\n- {plan.note}\nNOTE: {plan.note}\nHYPOTHESIS: it should help\nEXPECT: -0.01\n{plan.base}"
        read = sum(len(message["content"]) for message in messages) // 4  # characters of a token, about
        return Reply(f"{head}\n{edit}\nNOTES: seen: {notes}", "stop", "player", read, 100, 0)

    def _plan(self, prompt: str, shown: str, draw: random.Random) -> Plan:
        seen = _told(prompt)
        offer = OFFER.search(prompt)
        if offer is not None and (plan := self._follow(offer, prompt, seen, shown, draw)):
            return plan
        if (merge := MERGE.search(prompt)) and (plan := self._merge(merge, shown)):
            return plan
        asked = re.search(r"^Mode: (\w+)", prompt, re.MULTILINE)
        mode = asked.group(1) if asked else ("TUNE" if draw.random() < TUNES else "STRUCTURE")
        if mode == "TUNE":
            return self._tune(seen, shown, draw)
        if mode == "SIMPLIFY" and (used := CALL.findall(shown)):
            worst = max(used, key=lambda call: self.world.ideas[int(call[0])].believed)
            line = next(line for line in shown.split("\n") if f"idea_{worst[0]}(" in line)
            return Plan(f"without idea {worst[0]}", f"{line}\n", "")
        if mode == "COMBINE" and (near := self._near(seen, shown)):
            lines = "\n".join(f"    x = idea_{number:02d}(x)" for number in near)
            return Plan(f"both ideas {near[0]:02d} and {near[1]:02d}", ANCHOR, f"{ANCHOR}\n{lines}")
        return self._new_idea(seen, shown, draw)

    def _follow(self, offer: re.Match[str], prompt: str, seen: list[Seen], shown: str, draw: random.Random) -> Plan | None:
        """The same idea made fast; or mended or with another learning rate, where it still thinks as much of it as of the
        next new one."""
        added = [line[1:] for line in offer.group(3).split("\n") if line.startswith("+") and "idea_" in line]
        if not added:
            return None
        line, base = added[-1], f"BASE: {offer.group(1)}\n"
        note = offer.group(2).split(",")[0]
        told = prompt.partition(f"\nTrial {offer.group(1)}: ")[2].partition("\n\n")[0]
        number = int(CALL.search(line).group(1))  # type: ignore[union-attr]
        if "being slow" in told:
            return Plan(f"{note}, fast", line, line.replace("(x)", "(x, fast)"), base)
        believed = [idea.believed for idea in self.world.ideas]
        if believed[number] > min((believed[other] for other in self._free(seen, shown) if other != number), default=1.0):
            return None
        if "broken" in line:
            slips = draw.random() < SLIP / 2
            return Plan(f"{note}, mended", line, line if slips else line.replace(", broken", ""), base)
        right = self.world.ideas[number].shift or 1.0
        return self._step("LR", right if draw.random() < KNOWS else -right, shown, f"{note}, LR", base)

    @staticmethod
    def _merge(merge: re.Match[str], shown: str) -> Plan | None:
        """The other program's ideas in this one."""
        lines = [line[1:] for line in merge.group(2).split("\n") if line.startswith("+") and "idea_" in line]
        lacks = [line for line in lines if CALL.search(line).group(1) not in {call[0] for call in CALL.findall(shown)}]  # type: ignore[union-attr]
        return Plan(f"with trial {merge.group(1)}", ANCHOR, "\n".join([ANCHOR, *lacks])) if lacks else None

    def _tune(self, seen: list[Seen], shown: str, draw: random.Random) -> Plan:
        """A constant by a factor of two: on where that helped, back where it did not, and else as it thinks."""
        for name in draw.sample(CONSTANTS, len(CONSTANTS)):
            past = [one for one in seen if one.note.startswith(f"{name} ")]
            last = past[-1] if past else None
            up = last is not None and " up " in last.note
            if last is not None and len(past) > 1 and not last.kept and not past[-2].kept:
                continue  # both ways failed
            if last is not None:
                return self._step(name, 1 if up == last.kept else -1, shown, name)
            off = self.world.best[name]
            return self._step(name, off if draw.random() < KNOWS else -off, shown, name)
        return self._new_idea(seen, shown, draw)

    @staticmethod
    def _step(name: str, direction: float, shown: str, note: str, base: str = "") -> Plan:
        line = next(line for line in shown.split("\n") if line.startswith(f"{name} = "))
        value = source.constants(shown)[name] * (2.0 if direction > 0 else 0.5)
        way = "up" if direction > 0 else "down"
        new = re.sub(r"= [\d.e-]+", f"= {value:.6g}", line, count=1)
        return Plan(f"{note} {way} to {value:.6g}", line, new, base)

    def _near(self, seen: list[Seen], shown: str) -> list[int]:
        lost = [
            one for one in seen if one.note.startswith("idea ") and not one.kept and one.lost is not None and one.lost < 0.01
        ]
        numbers = dict.fromkeys(int(one.note[5:7]) for one in reversed(lost) if f"idea_{one.note[5:7]}(" not in shown)
        return list(numbers)[:2] if len(numbers) > 1 else []

    def _new_idea(self, seen: list[Seen], shown: str, draw: random.Random) -> Plan:
        """The one it thinks most of, among those that it does not know to be tried; one that broke may be written again."""
        free = self._free(seen, shown) or [draw.randrange(IDEAS)]
        best = min(free, key=lambda number: self.world.ideas[number].believed + draw.gauss(0, 0.003))
        form = ", broken" if draw.random() < SLIP else ""
        return Plan(f"idea {best:02d}", ANCHOR, f"{ANCHOR}\n    x = idea_{best:02d}(x{form})")

    @staticmethod
    def _free(seen: list[Seen], shown: str) -> list[int]:
        tried = {one.note[5:7] for one in seen if one.note.startswith("idea ") and (one.lost is not None or one.kept)}
        broke = [one.note[5:7] for one in seen if one.note.startswith("idea ") and one.lost is None and not one.kept]
        tried |= {name for name in broke if broke.count(name) > 1} | {call[0] for call in CALL.findall(shown)}
        return [number for number in range(IDEAS) if f"{number:02d}" not in tried]


class Plays(Player):
    """The same for llm=playbook, whose setting it does not use."""

    def __init__(self, file: str) -> None:
        super().__init__(0)


def _told(prompt: str) -> list[Seen]:
    """The trials that a prompt tells of, in the form of either loop."""
    now, table, older = TOLD
    found = [Seen(m[5], bool(m[4]), float(m[3]) if m[3] else None) for m in now.finditer(prompt)]
    found += [Seen(m[3].strip(), False, 0.0) for m in older.finditer(prompt) if m[3]]
    found += [Seen(m[4].strip(), m[5] == "kept", float(m[3]) if m[3] else None) for m in table.finditer(prompt)]
    return found


def _written(plan: Plan, shown: str, draw: random.Random, malformed: float) -> str:
    """The edit as a reply has it: mostly blocks, some of them terse, and some replies that are no edit or another form."""
    if draw.random() < malformed:
        form = draw.choice(("prose", "diff", "overlap"))
        if form == "prose":
            return "I would change that."
        if form == "diff":
            return "\n".join(_diff(plan, shown)) + "\n"
        return _block(plan.old, plan.new) + _block(plan.old, plan.new)
    terse = "  #" in plan.old and draw.random() < TERSE
    return _block(plan.old.partition("  #")[0] if terse else plan.old, plan.new.partition("  #")[0] if terse else plan.new)


def _block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def _diff(plan: Plan, shown: str) -> Iterator[str]:
    if plan.old in shown:
        before, after = shown.split("\n"), shown.replace(plan.old, plan.new, 1).split("\n")
        return difflib.unified_diff(before, after, "a/train.py", "b/train.py", lineterm="")
    return iter(
        ["@@ -1 +1 @@", *(f"-{line}" for line in plan.old.split("\n")), *(f"+{line}" for line in plan.new.split("\n"))]
    )
