"""Does the work of `python -m search.verify`: checks hashes, trains a sample again, and says what that shows and what
it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.archive.ground import ground
from search.archive.judge import Again, Agreement, Judge, alike
from search.archive.retrain import drawn, expected_seconds, retrained
from search.archive.unpack import Archive, unpack
from search.config.commands import VerifyConfig
from search.config.messages import UserError
from search.config.places import MLRUNS, resolve
from search.config.scratch import scratch
from search.study.schedule import Entry

Say = Callable[[str], None]


def verify(config: VerifyConfig, say: Say) -> None:
    """Raises UserError if the archive was changed, cannot be trained here, or does not agree with what is trained."""
    archive = unpack(resolve(config.archive))
    trials = len(archive.entries)
    say(f"{archive.header['identity']}: {archive.files} files and {trials} trials are those of the manifest and the journal")
    if config.sample == 0:
        say("sample=0: nothing is trained again, so a score that was edited together with its hashes is not detected")
        return
    entries = drawn(archive, config.sample)
    here = ground(archive, config, say)
    seconds = expected_seconds(entries)
    say(f"training {len(entries)} of its trials again, about {seconds / 3600:.2f} hours on a machine like the record's")
    again: list[Again] = []
    with scratch(MLRUNS / "verify") as folder:
        for one in retrained(archive, entries, here, folder):
            again.append(one)
            say(_scores(one))
    _conclude(archive, config, again, say)


def _conclude(archive: Archive, config: VerifyConfig, again: Sequence[Again], say: Say) -> None:
    header, in_tokens = archive.header, archive.header["task"]["budget"]["tokens"] is not None
    noise, same = archive.noise_sd if config.noise is None else config.noise, alike(header, again[0])
    if line := _speed(again[0]):
        say(line)
    if not (in_tokens and same):
        whose = "as given" if config.noise is not None else "as the archive says; give noise= to use another value"
        say("noise of a score: not known" if noise is None else f"noise of a score: {noise:.4f}, {whose}")
    found = Judge(in_tokens, same, noise).judge(again)
    for one, agreement in zip(again, found, strict=True):
        say(f"trial {one.entry.number}: {agreement}")
    others = sum(entry.trial.val_bpb is not None for entry in archive.entries) - len(again)
    if others:
        say(f"{others} more scores were checked by hashes alone; one that was edited with its hashes is found only if drawn")
    wrong = [str(one.entry.number) for one, agreement in zip(again, found, strict=True) if agreement is Agreement.DIFFERS]
    if wrong:
        raise UserError(
            f"archive={config.archive}: does not agree: trial {', '.join(wrong)} has another score here than there.\n"
            "The archive was edited, or versions and device here differ from those in its journal"
        )
    if Agreement.UNJUDGED in found:
        raise UserError("not all of it could be judged; give noise=, the standard deviation of a score on this task")
    say(f"it agrees: {len(again)} of {len(again)} trials that were trained again")


def _scores(again: Again) -> str:
    entry: Entry = again.entry
    here = again.here.reason if again.here.val_bpb is None else f"{again.here.val_bpb:.6f}"
    return f"trial {entry.number}: {entry.trial.val_bpb:.6f} in the archive, {here} here"


def _speed(stock: Again) -> str:
    """How fast this machine is, measured by the stock: if the budget is time, this shifts all scores."""
    there, here = stock.entry.trial.outcome.tokens_per_second, stock.here.tokens_per_second
    if there is None or here is None:
        return ""
    return f"this machine trains the stock at {here / there:.2f} times the speed of the record's"
