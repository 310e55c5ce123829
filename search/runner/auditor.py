"""Judges a trained candidate: process A claims, the harness sums, and if the claim matters, process B is challenged."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.config.files import remove_tree, write_whole
from search.config.messages import UserError
from search.config.schema import GB, AllowanceConfig, TaskConfig
from search.data.tokens import Prepared
from search.runner import challenge
from search.runner.device.leases import Device
from search.runner.process.residency import bring_back, bring_into_memory
from search.runner.process.sandbox import Sandbox, visible
from search.runner.process.scatter import scatter
from search.runner.scoring import ScoringFailed, Submission, ask_scorer
from search.study.request import Observer, Progress, TrialRequest
from search.study.trial import Status
from search.task.loader import PACKINGS, scoring_rows
from search.task.protocol import WEIGHTS

ABSURD = 10.0  # times the loss of a model that takes all tokens for equally likely
MB = 2**20


@dataclass
class Score:
    """The result of scoring a trained candidate, as fields of its outcome with the same names."""

    status: Status = Status.COMPLETED
    val_bpb: float | None = None
    val_nats: float | None = None
    confirmation_bpb: float | None = None
    field_bpb: float | None = None
    audited: bool = False
    audit_sd: float | None = None
    audit_max: float | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def fail(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
        self.val_bpb = self.val_nats = self.confirmation_bpb = self.field_bpb = None

    def lacks_memory(self, missing: int) -> None:
        """`missing`: bytes that candidates can read and that did not fit into memory."""
        self.spent["not_in_memory_mb"] = max(missing / MB, self.spent.get("not_in_memory_mb", 0.0))


class Auditor:
    """Scores candidates of one task on one or two splits.

    `confirming`: score the confirmation split besides validation. `reference`: the file that keeps the stock's nats
    between processes.
    """

    def __init__(self, task: TaskConfig, prepared: Prepared, reference: Path, sandbox: Sandbox, confirming: bool) -> None:
        splits = ("validation", "confirmation") if confirming else ("validation",)
        self.task = _for_so_much_text(task, len(splits))
        self.sandbox = sandbox
        self.reference = reference
        tokenizer = prepared.tokenizer()
        self.bos = tokenizer.bos
        self.byte_lengths = tokenizer.byte_lengths()
        self.field_byte_lengths = tokenizer.field_byte_lengths()
        packer = PACKINGS[task.packing](task.sequence_length, self.bos)
        rows = [scoring_rows(prepared.documents(split), packer, task.scoring_rows) for split in splits]
        self.rows = np.concatenate(rows)
        self.parts = {split: slice(at * task.scoring_rows, (at + 1) * task.scoring_rows) for at, split in enumerate(splits)}

    def audit(self, work: Path, device: Device, request: TrialRequest, submission: Submission, observe: Observer) -> Score:
        """Score the weights that a training run left. `work`: the trial's folder; what else training left in it is removed.
        Raises OSError if the disk fails."""
        score, weights = Score(), submission.weights
        wrong = self._unacceptable(weights, request)
        if wrong is not None:
            score.fail(Status.DISQUALIFIED, wrong)
            return score
        score.spent["weights_mb"] = weights.stat().st_size / MB
        held = work / "held"
        held.mkdir()
        weights.rename(held / WEIGHTS)
        remove_tree(work / "train")  # nobody else must see what else training left
        held_submission = replace(submission, weights=held / WEIGHTS)
        try:
            self._claim_and_challenge(score, held_submission, work, device, request, observe)
        except ScoringFailed as failure:
            score.fail(failure.status, failure.reason)
            request.logs.with_suffix(".scoring.txt").write_text(failure.log, encoding="utf-8")
        return score

    def _unacceptable(self, weights: Path, request: TrialRequest) -> str | None:
        """Why the weights file cannot be accepted, or None. A file far larger than the stock's may hold text to learn
        from."""
        if weights.is_symlink() or not weights.is_file() or weights.stat().st_size > self.task.weights_gb * GB:
            return f"no weights file of at most task.weights_gb={self.task.weights_gb:g} GB"
        stock = (request.stock or {}).get("weights_mb")
        if stock is not None and weights.stat().st_size > self.task.weights_factor * stock * MB:
            return f"its weights are over task.weights_factor={self.task.weights_factor:g} times the stock's {stock:.2g} MB"
        return None

    def _claim_and_challenge(
        self,
        score: Score,
        submission: Submission,
        work: Path,
        device: Device,
        request: TrialRequest,
        observe: Observer,
    ) -> None:
        observe(Progress("score"))
        targets = self.rows[:, 1:]
        with _timed(score, "score"):
            score.lacks_memory(bring_into_memory(visible()))
            rows_file = _write(work / "rows.bin", self.rows)
            answers = ask_scorer(
                self.task,
                submission,
                "claim",
                [rows_file],
                targets.shape,
                work / "claim",
                device,
                self.sandbox,
                request.stock,
            )
            rows_file.unlink()  # the challenged process must find nothing that this one saw or left
            remove_tree(work / "claim")
        claimed, submission = answers.values, replace(submission, late=answers.late)
        score.spent |= {"ready": answers.ready, "answers": answers.answers / len(self.parts)}
        wrong = challenge.malformed(claimed[self.byte_lengths[targets] > 0])
        if wrong is not None:
            score.fail(Status.DIVERGED if "finite" in wrong else Status.DISQUALIFIED, f"the model's nats are {wrong}")
            return
        if not self._sum(score, claimed):
            return
        wins = request.beat is None or (score.val_bpb is not None and score.val_bpb <= request.beat)
        if wins or request.is_stock or request.audit_anyway:
            observe(Progress("audit"))
            with _timed(score, "audit"):
                score.lacks_memory(bring_back(visible()))
                finding = self._challenge(claimed, request, submission, work, device)
            score.audit_sd, score.audit_max = finding.sd, finding.largest
            if finding.reason is not None:
                score.fail(Status.DISQUALIFIED, finding.reason)
                return
            score.audited = True
        if request.is_stock:
            write_whole(self.reference, claimed.astype(np.float32).tobytes())

    def _sum(self, score: Score, claimed: challenge.Nats) -> bool:
        """The claim's bits per byte for each split, and for validation also by the field's count of bytes. False if the
        loss is too high to come from an honest training run."""
        targets = self.rows[:, 1:]
        bits = {
            split: challenge.bits_per_byte(claimed[part], targets[part], self.byte_lengths)
            for split, part in self.parts.items()
        }
        score.val_bpb, score.confirmation_bpb = bits["validation"], bits.get("confirmation")
        validation = self.parts["validation"]
        score.field_bpb = challenge.bits_per_byte(claimed[validation], targets[validation], self.field_byte_lengths)
        text = self.byte_lengths[targets[validation]] > 0
        score.val_nats = float(claimed[validation][text].mean(dtype=np.float64))
        if score.val_nats <= ABSURD * math.log(self.task.vocab_size):
            return True
        score.fail(
            Status.DIVERGED, f"a loss of {score.val_nats:.3g} nats per token is more than {ABSURD:g} times that of chance"
        )
        return False

    def _reference(self, request: TrialRequest) -> challenge.Nats | float:
        """The nats that a claim is compared with: the stock's, and for the stock itself a uniform guess."""
        return float(np.log(self.task.vocab_size)) if request.is_stock else self.stock_nats()

    def stock_nats(self) -> challenge.Nats:
        """The nats that the study's first trial left. Raises UserError if they cannot be read."""
        try:
            # Plain numbers: NumPy reads its own format with `ast`, which in Python 3.11 is for one thread at a time.
            nats: challenge.Nats = np.fromfile(self.reference, np.float32).reshape(self.rows[:, 1:].shape)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.reference}: is missing or damaged. It holds the stock's nats, which audits need.\n"
                "Restore it from a copy, or use another experiment="
            ) from error
        return nats

    def _challenge(
        self, claimed: challenge.Nats, request: TrialRequest, submission: Submission, work: Path, device: Device
    ) -> challenge.Finding:
        """Ask a second process for its logits, and compare. Raises ScoringFailed."""
        task = self.task
        secret = np.random.default_rng()  # from the system's entropy: a candidate must not foresee the positions
        scored = self.byte_lengths[self.rows[:, 1:]] > 0
        drawn = challenge.draw_challenge(
            claimed,
            self._reference(request),
            scored,
            task.audit_gain_positions * len(self.parts),
            task.audit_uniform_positions * len(self.parts),
            secret,
        )
        order = secret.permutation(len(drawn.rows))
        filler = -len(order) % task.scoring_batch  # every batch has the one fixed shape
        order = np.concatenate([order, np.zeros(filler, np.int64)])
        inputs = challenge.challenge_rows(self.rows, drawn, self.bos, secret)[order]
        files = [
            _write(work / "challenge_rows.bin", inputs),
            _write(work / "challenge_positions.bin", drawn.positions[order]),
        ]
        shape = (len(order), task.vocab_size)
        folder = work / "challenge"
        scatter(device.cores)
        answers = ask_scorer(task, submission, "challenge", files, shape, folder, device, self.sandbox, request.stock)
        logits = np.empty((len(drawn.rows), task.vocab_size), dtype=np.float32)
        logits[order] = answers.values
        tolerance = challenge.Tolerance(task.audit_token_tolerance, task.audit_mean_tolerance)
        return challenge.verify(claimed, self.rows, drawn, logits, tolerance)


def _write(path: Path, array: npt.NDArray[Any]) -> Path:
    array.tofile(path)
    return path


def _for_so_much_text(task: TaskConfig, splits: int) -> TaskConfig:
    """The task with the time that scoring so many splits may take."""
    allowances = task.allowances
    answers = AllowanceConfig(allowances.answers.factor * splits, allowances.answers.seconds * splits)
    return replace(task, scoring_seconds=task.scoring_seconds * splits, allowances=replace(allowances, answers=answers))


@contextmanager
def _timed(score: Score, phase: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        score.seconds[phase] = time.monotonic() - began
