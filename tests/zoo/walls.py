"""The walls, each with a way to take exactly it away, and cheats that then get through."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.config.places import ROOT
from search.config.schema import AllowanceConfig, AllowancesConfig
from search.runner import auditor, challenge, scoring, training, trial_runner
from search.runner.auditor import Auditor
from search.runner.process import candidate_process, watchdog
from search.runner.process.compile_cache import CACHE
from search.runner.process.frozen import Frozen

# As conf/task/smoke.yaml has them: factor, seconds.
ALLOWANCES = {"startup": (3.0, 5.0), "ready": (2.0, 1.0), "answers": (10.0, 5.0)}

Off = Callable[[pytest.MonkeyPatch, Path], dict[str, Any]]


@dataclass(frozen=True)
class Wall:
    """`off`: takes the wall away, and returns changes to the task. `cheats`: that get through then.

    `sandbox`: none where that is the wall, or where it would hide the harm. `warm`: whether processes may be forks of a warm
    one. `attempts`: where chance has a part in it. `breaks`: the error that the harness itself
    ends with.
    """

    off: Off
    cheats: tuple[str, ...]
    sandbox: str | None = None
    warm: bool = True
    attempts: int = 1
    breaks: type[Exception] | None = None


def setting(**changes: Any) -> Off:
    return lambda patch, folder: changes


def no_deadline(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(training, "_limits", lambda task: ("for ever", 60.0))
    return {}


def no_challenge(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(Auditor, "_challenge", lambda *arguments: challenge.Finding(None, None, None))
    return {}


def whole_rows(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(challenge, "challenge_rows", lambda rows, challenge, bos, secret: rows[challenge.rows, :-1])
    return {}


def one_folder(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """The challenged process finds what the claiming one left in its folder."""
    kept = folder / "kept"
    kept.mkdir()
    fixed = shutil.ignore_patterns(scoring.SOURCE, scoring.WEIGHTS, scoring.ANSWER, "packages")

    class Sharing(candidate_process.CandidateProcess):
        def __init__(self, module: str, own: Path, *arguments: Any, **settings: Any) -> None:
            self.own = own
            shutil.copytree(kept, own, ignore=fixed, dirs_exist_ok=True)
            super().__init__(module, own, *arguments, **settings)

        def kill(self) -> None:
            super().kill()
            shutil.copytree(self.own, kept, ignore=fixed, dirs_exist_ok=True)

    patch.setattr(scoring, "CandidateProcess", Sharing)
    return {}


def whole_log(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(candidate_process, "LOG_TAIL", 2**40)
    return {}


def anything_is_nats(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    judged = Auditor._sum
    patch.setattr(challenge, "malformed", lambda nats: None)
    patch.setattr(Auditor, "_sum", lambda *arguments: judged(*arguments) or True)  # nor does it matter what they sum up to
    return {}


def links_are_files(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(Path, "is_symlink", lambda path: False)
    return {}


def children_live_on(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(candidate_process, "os", SimpleNamespace(**{**vars(os), "killpg": os.kill}))
    patch.setattr(candidate_process.CandidateProcess, "_bury", lambda *arguments: None)
    return {}


def whole_environment(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    scrubbed = candidate_process._environment
    patch.setattr(candidate_process, "_environment", lambda *arguments: {**os.environ, **scrubbed(*arguments)})
    return {}


def changed_harness(name: str, careful: str, careless: str) -> Off:
    """Candidates' processes get a copy of the frozen part, one line of which is another."""

    def off(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
        copy = folder / "harness"
        shutil.copytree(ROOT / "search", copy / "search", ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / "search" / "task" / name
        assert file.read_text().count(careful) == 1
        file.write_text(file.read_text().replace(careful, careless))
        patch.setattr(candidate_process, "ROOT", copy)
        return {}

    return off


def anything_may_change(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(Frozen, "check", lambda frozen: None)
    return {}


def shared_folders(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """Compilers' caches and temporary files of all trials lie in one place."""
    scrubbed, shared = candidate_process._environment, folder / "shared"
    shared.mkdir()
    places = {"HOME": str(shared), "TMPDIR": str(shared), "TORCHINDUCTOR_CACHE_DIR": str(shared / CACHE)}
    patch.setattr(candidate_process, "_environment", lambda *arguments: {**scrubbed(*arguments), **places})
    return {}


def nothing_is_held_against(name: str) -> Off:
    """A program may take as long as it likes for that; for the rest as long as the task says."""
    others = {other: AllowanceConfig(*values) for other, values in ALLOWANCES.items()}
    return setting(allowances=AllowancesConfig(**{**others, name: AllowanceConfig(1.0, 1e6)}))


def batches_take_any_time(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    patch.setattr(scoring, "BATCH_SECONDS", math.inf)
    return {**nothing_is_held_against("answers")(patch, folder), "scoring_seconds": 600.0}


def walk_by_names(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    def size(path: str) -> int:
        with os.scandir(path) as entries:
            return sum(size(entry.path) if entry.is_dir() else 1 for entry in entries)

    patch.setattr(watchdog, "usage", lambda path: (0, size(path)))
    return {}


def pythons_own_clean_up(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    for module in (auditor, trial_runner):
        patch.setattr(module, "remove_tree", lambda path: shutil.rmtree(path) if path.exists() else None)
    return {}


WALLS = {
    "sandbox": Wall(
        setting(),
        (
            "learns_the_validation_text",
            "reads_the_stocks_nats",
            "reads_other_trials",
            "fills_shared_memory",
            "signals_the_harness",
            "writes_outside_its_folder",
        ),
        sandbox="none",
    ),
    "clock": Wall(no_deadline, ("patches_the_budget", "hands_in_late_from_a_thread")),
    "start-up": Wall(
        nothing_is_held_against("startup"),
        (
            "counts_pairs_of_visible_source",
            "learns_in_orphans_before_the_clock",
            "learns_in_short_lived_children_before_the_clock",
            "learns_in_threads_before_the_clock",
        ),
    ),
    "challenge": Wall(no_challenge, ("remembers_rows", "learns_while_scored", "patches_cross_entropy")),
    "random tail": Wall(whole_rows, ("looks_ahead", "attends_without_a_mask", "statistic_over_positions")),
    "fresh process": Wall(one_folder, ("notes_in_the_folder", "notes_in_the_compiler_cache")),
    "gain positions": Wall(setting(audit_gain_positions=0), ("lies_on_few_tokens", "lies_on_the_hardest_token"), attempts=3),
    "uniform positions": Wall(
        setting(audit_uniform_positions=0), ("takes_the_best_of_two_experts", "never_worse_than_the_stock")
    ),
    "token tolerance": Wall(
        setting(audit_token_tolerance=math.inf), ("hides_a_lie_among_decoys", "hides_a_lie_behind_rounding")
    ),
    "mean test": Wall(setting(audit_mean_tolerance=math.inf), ("lies_inside_the_tolerance", "lies_a_little_on_hard_tokens")),
    # A negative claim is no such cheat: the challenge stops it too, since no answer can be below zero.
    "malformed": Wall(anything_is_nats, ("claims_nan", "claims_minus_infinity"), breaks=ValueError),
    "scoring limits": Wall(
        setting(scoring_seconds=60.0, weights_gb=1.0, source_kb=1000.0),
        ("thinks_for_too_long", "hoards_the_training_text", "hides_data_in_its_source"),
    ),
    "ready": Wall(
        nothing_is_held_against("ready"),
        ("trains_a_table_while_scored", "trains_a_table_in_the_warm_up", "works_before_it_imports_late"),
    ),
    "batches": Wall(batches_take_any_time, ("trains_a_table_at_the_first_row", "trains_a_table_at_every_row")),
    "weights": Wall(
        setting(weights_factor=math.inf), ("hoards_text_beyond_the_stock", "hoards_text_in_rows_that_never_come")
    ),
    "lookups": Wall(
        changed_harness("scorer.py", "listener = seccomp.supervise()", "listener = None"),
        ("whispers_through_missing_names", "whispers_through_missing_files", "whispers_by_listing_folders"),
        sandbox="none",
        warm=False,
        attempts=3,
    ),
    "weights only": Wall(
        changed_harness("scorer.py", "weights_only=True", "weights_only=False"),
        ("pickles_code", "pickles_a_module"),
        sandbox="none",
        warm=False,
    ),
    "plain files": Wall(links_are_files, ("links_to_the_validation_text", "links_to_the_stocks_nats")),
    "process group": Wall(children_live_on, ("leaves_a_process_behind", "leaves_a_process_behind_when_scored")),
    "environment": Wall(whole_environment, ("prints_the_keys", "raises_the_keys")),
    "log": Wall(whole_log, ("prints_without_end", "prints_without_end_when_scored")),
    "memory": Wall(
        setting(memory_gb=1000.0),
        (
            "eats_memory",
            "eats_memory_in_parts",
            "orphans_eat_memory",
            "fills_memory_with_memfds",
            "fills_memory_with_closed_memfds",
            "fills_memory_with_pipes",
            "fills_memory_with_page_tables",
        ),
    ),
    "processes": Wall(
        setting(most_processes=1e6), ("forks_without_end", "starts_threads_without_end", "orphans_are_not_counted")
    ),
    "disk": Wall(
        setting(disk_gb=1000.0), ("fills_the_disk", "fills_the_disk_in_parts", "fills_the_disk_with_unlinked_files")
    ),
    "system calls": Wall(
        changed_harness("confine.py", "    seccomp.apply(seccomp.EVERYWHERE)\n", ""),
        (
            "takes_more_cores",
            "opens_the_network_by_datagrams",
            "limits_the_harness",
            "hides_from_the_watch",
            "whispers_through_the_page_cache",
        ),
        sandbox="none",
        warm=False,
        attempts=3,
    ),
    "frozen": Wall(anything_may_change, ("writes_the_harness", "writes_the_training_text"), sandbox="none"),
    "cache": Wall(shared_folders, ("smuggles_through_the_cache", "smuggles_through_temporary_files"), sandbox="none"),
    "walk": Wall(walk_by_names, ("swaps_folders_for_files", "links_folders_in_circles"), attempts=3, breaks=OSError),
    "clean-up": Wall(
        pythons_own_clean_up, ("buries_the_harness_in_folders", "buries_its_scores_in_folders"), breaks=RecursionError
    ),
}

WITHOUT_A_SWITCH = {
    "none": "these programs gain nothing, so that nothing has to stop them",
    "end of processes": "a folder is cleared once nothing runs that writes there: else it is a race that either may win",
    "protocol": "what is not a message has no other meaning that a switch could give it",
    "token budget": "not there: the training process counts its own tokens, which is why budgets of tokens are for tests",
}

# Asking about a row once is no wall by itself. Were a row asked about at several positions, a process could compare them and
# know the next token of all but the longest; that one would still show the lie.
