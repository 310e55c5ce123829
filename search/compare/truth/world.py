"""Experiments whose truth is known: a fake trainer with chosen effects and noise, published as studies and a confirmation.

`simulate(seed, world)` gives the experiment as `search.compare` would read it, and what is true of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from search.compare.read import parse
from search.compare.read.tables import ConfirmationTable, Experiment
from search.compare.truth.record import Json, header, row
from search.compare.truth.trainer import PER_LOG, STOCK, STOCK_BPB, Noise, Program, Trainer
from search.study.seeds import confirmation_seed, training_seed


@dataclass(frozen=True)
class Rival:
    """A strategy of the fake world. `tuning`, `code`: true gains (bits per byte) of its programs over the stock, by what
    they change. `between`: standard deviation of that gain between studies. `within`: between programs of one study.
    `overfit`: part of the gain that is there on validation only. `noise`, `speed`: its programs', in multiples of the
    stock's. `fails`: share of training seeds with which they diverge. `heat`: what they slow the machine by. `studies`: as
    many at most, where that is not the world's. `crashes`: share of a study's trials. `unlucky`: share of its studies that
    find nothing."""

    label: str
    name: str
    kinds: tuple[str, ...]
    tuning: float = 0.0
    code: float = 0.0
    between: float = 0.0
    within: float = 0.0
    overfit: float = 0.0
    noise: float = 1.0
    speed: float = 1.0
    fails: float = 0.0
    heat: float = 0.0
    studies: int | None = None
    crashes: float = 0.0
    unlucky: float = 0.0
    trials: int = 8
    usd: float | None = None


AGENT = Rival("agent-playbook", "agent", ("both",), usd=0.01)
OPTUNA = Rival("optuna-tpe", "optuna", ("constants",))
CONTROL = Rival("seeds", "seeds", ("none",), trials=12)


@dataclass(frozen=True)
class World:
    """`plans`: of the confirmation, one after the other: studies of each strategy, and repeats. `looks`: planned.
    `confirmed`: whether there is a confirmation. `ordered`: whether each block is trained in one fixed order."""

    rivals: tuple[Rival, ...] = (AGENT, OPTUNA, CONTROL)
    noise: Noise = field(default_factory=Noise)
    plans: tuple[tuple[int, int], ...] = ((6, 5),)
    looks: int = 1
    stock_runs: int = 3
    at: tuple[int, ...] = ()
    confirmed: bool = True
    ordered: bool = False
    anchor_every: int = 4


@dataclass(frozen=True)
class Truth:
    """What is true of a study's winner: gains over the stock on unseen text, and their parts. `luck`: by how much its search
    score was better than its true score at the machine's speed of that hour."""

    gain: float
    overfitting: float
    tuning: float
    code: float
    luck: float


@dataclass
class Study:
    """A study of the fake world, with its programs by trial."""

    rival: Rival
    header: Json
    rows: list[Json]
    programs: dict[int, Program]

    @property
    def winner(self) -> Json:
        return self.winner_at(len(self.rows))

    def winner_at(self, trials: int) -> Json:
        """The best score among the first so many trials that count."""
        counted = [one for one in self.rows if one["origin"] != "anchor"][:trials]
        return min((one for one in counted if one["score"] is not None), key=lambda one: one["score"])


def simulate(seed: int, world: World | None = None) -> tuple[Experiment, dict[str, Truth]]:
    """An experiment, and what is true of each of its studies' winners."""
    studies, confirmation, truths = records(seed, world or World())
    return parse.experiment("simulated", studies, [] if confirmation is None else [confirmation]), truths


def looks(seed: int, world: World) -> Iterator[Experiment]:
    """The experiment as it is at each look: after each plan is worked off."""
    studies, confirmation, _ = records(seed, world)
    assert confirmation is not None
    last = parse.experiment("simulated", studies, [confirmation])
    for number, plan in enumerate(last.confirmation.plans, 1):
        seen = tuple(study for study in last.studies if study.identity in plan.studies or study.is_control)
        done = sum(int(row["facts"]["plan"]) < number for row in confirmation[1])
        table = ConfirmationTable(last.confirmation.plans[:number], last.confirmation.rows[:done])
        yield replace(last, studies=seen, confirmation=table)


def records(
    seed: int, world: World
) -> tuple[list[tuple[Json, list[Json]]], tuple[Json, list[Json], list[Json]] | None, dict[str, Truth]]:
    """Headers and rows as MLflow would carry them; confirmation: header, rows and plans."""
    random = np.random.default_rng(seed)
    trainer = Trainer(world.noise, random)
    everyone = sorted(world.rivals, key=lambda rival: rival.name != "seeds")  # the control in one go, before the others
    most = max(studies for studies, _ in world.plans)
    studies = [
        _study(rival, search_seed, world, trainer)
        for search_seed in range(most)
        for rival in everyone
        if search_seed < (1 if rival.name == "seeds" else rival.studies or most)
    ]
    truths = {study.header["identity"]: _truth(study, trainer) for study in studies}
    tables = [(study.header, study.rows) for study in studies]
    if not world.confirmed:
        return tables, None, truths
    rows, plans = _confirmation(studies, world, trainer)
    return tables, (header("confirmation", "agent", 0, len(rows)), rows, plans), truths


def _truth(study: Study, trainer: Trainer) -> Truth:
    program, trial = study.programs[study.winner["number"]], study.winner
    usual = STOCK_BPB - program.gain - program.overfit + PER_LOG * trainer.slow(trial["started"])
    luck = 0.0 if program is STOCK else usual - trial["score"]
    scale = trainer.noise.unseen
    return Truth(scale * program.gain, scale * program.overfit, scale * program.tuning, scale * program.code, luck)


def _study(rival: Rival, search_seed: int, world: World, trainer: Trainer) -> Study:
    random = trainer.random
    found = random.normal(0, rival.between) if rival.between else 0.0
    nothing = random.random() < rival.unlucky
    study = Study(rival, header(rival.label, rival.name, search_seed, rival.trials), [], {})
    proposed = 0
    while proposed < rival.trials:
        number = len(study.rows)
        anchor = number > 0 and number % (world.anchor_every + 1) == 0
        origin = "stock" if number == 0 else "anchor" if anchor else "strategy"
        replicate = proposed if rival.name == "seeds" and not anchor else 0
        program = STOCK
        if origin == "strategy" and rival.name != "seeds" and not nothing:
            program = _propose(rival, f"{rival.label}/{search_seed}/{number}", found, random)
        crashes = origin == "strategy" and random.random() < rival.crashes
        seed = training_seed(search_seed, replicate)
        outcome = trainer.crash(seed) if crashes else trainer.train(program, seed)
        study.rows.append(row(number, origin, program, outcome, replicate, rival.usd if origin == "strategy" else None))
        study.programs[number] = program
        proposed += not anchor
    _judge(study.rows)
    return study


def _judge(rows: Sequence[Json]) -> None:
    """By best score; and a study never sees the confirmation split."""
    best = np.inf
    for one in rows:
        one["confirmation_bpb"] = None
        one["kept"] = one["score"] is not None and one["score"] < best
        best = one["score"] if one["kept"] else best


def _propose(rival: Rival, name: str, found: float, random: np.random.Generator) -> Program:
    kind = rival.kinds[random.integers(len(rival.kinds))] if len(rival.kinds) > 1 else rival.kinds[0]
    quality = found + (random.normal(0, rival.within) if rival.within else 0.0)
    tunes, codes = kind in ("constants", "both"), kind in ("code", "both")
    return Program(
        name=name,
        strategy=rival.label,
        kind=kind,
        tuning=(rival.tuning + (0.0 if codes else quality)) * tunes,
        code=(rival.code + quality) * codes,
        overfit=rival.overfit,
        noise=rival.noise,
        speed=rival.speed if codes else 1.0,
        fails=rival.fails,
        heat=rival.heat,
        constants={"MATRIX_LR": 0.02, "DEPTH": 2} if tunes else {},
    )


# ---- the confirmation ----


def _confirmation(studies: Sequence[Study], world: World, trainer: Trainer) -> tuple[list[Json], list[Json]]:
    """Its rows and its plans, which are worked off one after the other. Rows say in their facts which plan they are of."""
    rows: list[Json] = []
    plans: list[Json] = []
    done: set[tuple[str, int, int]] = set()
    visits: dict[tuple[int, int], int] = {}
    for number, (count, repeats) in enumerate(world.plans):
        chosen = [study for study in studies if study.header["config"]["seed"] < count]
        arms: dict[int, dict[str, Program]] = {search_seed: {} for search_seed in range(count)}
        planned = {study.header["identity"]: _plan(study, world, arms[_seed(study)]) for study in chosen}
        plans.append(_record(number, repeats, world, planned))
        for repeat, search_seed in itertools.product(range(repeats), range(count)):
            fresh = {name: arm for name, arm in arms[search_seed].items() if (name, search_seed, repeat) not in done}
            if not fresh:
                continue
            visit = visits[search_seed, repeat] = visits.get((search_seed, repeat), -1) + 1
            runs = [("stock", STOCK, run) for run in range(world.stock_runs)] + [
                (name, arm, 0) for name, arm in fresh.items()
            ]
            seed = confirmation_seed(search_seed, repeat)
            order = range(len(runs)) if world.ordered else trainer.random.permutation(len(runs))
            for name, program, run in (runs[place] for place in order):
                outcome = trainer.train(program, seed)
                one = row(len(rows), "strategy", program, outcome, repeat, None)
                block = {"search_seed": search_seed, "repeat": repeat, "visit": visit, "run": run, "plan": number}
                one["facts"] = {"arm": name, "stage": "report", **{key: str(value) for key, value in block.items()}}
                rows.append(one)
            done |= {(name, search_seed, repeat) for name in fresh}
    return rows, plans


def _plan(study: Study, world: World, arms: dict[str, Program]) -> Json:
    """What a plan says of a study, whose arms are added."""
    winner = study.programs[study.winner["number"]]
    early = {trials: study.winner_at(trials)["number"] for trials in world.at if trials < study.rival.trials}
    at = {str(trials): {"trial": one, "arm": _arm(study.programs[one], arms)} for trials, one in early.items()}
    return {
        "search_seed": _seed(study),
        "winner": {"trial": study.winner["number"], "arm": _arm(winner, arms)},
        "constants": _constants(winner, arms),
        "left_in_code": ["NEW_CONSTANT"] if winner.kind == "both" else [],
        "screened": [],
        "at": at,
    }


def _seed(study: Study) -> int:
    return int(study.header["config"]["seed"])


def _arm(program: Program, arms: dict[str, Program]) -> str:
    if program is not STOCK:
        arms[program.name] = program
    return program.name


def _constants(winner: Program, arms: dict[str, Program]) -> str | None:
    if winner.kind in ("none", "constants"):
        return None
    if winner.kind == "code":
        return "stock"
    alone = Program(f"{winner.name}, its constants alone", winner.strategy, "constants", tuning=winner.tuning)
    alone.noise = winner.noise
    arms[alone.name] = alone
    return alone.name


def _record(number: int, repeats: int, world: World, planned: Json) -> Json:
    return {
        "time": float(number),
        "repeats": repeats,
        "top": 1,
        "looks": world.looks,
        "stock_runs": world.stock_runs,
        "at": list(world.at),
        "studies": planned,
    }
