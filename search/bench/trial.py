"""Shows what a trial of the stock achieves: its trials so far, the speed of the loader, and one training step.

The loader runs on one core, on the task's own text. The step is the stock's, on synthetic tokens, outside of the harness.
"""

from __future__ import annotations

import runpy
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import mean, stdev
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from search.config.places import STUDIES, usable_cores
from search.config.schema import Config, TaskConfig
from search.runner.device.pinning import on_cores
from search.study.journal import Entry, Journal
from search.study.trial import Outcome

if TYPE_CHECKING:
    from search.data.tokens import Prepared

LOADER_SECONDS = 5.0
STEPS = 10  # timed, after as many to warm up
KERNELS = 15  # of the profile that are shown


def tables(config: Config) -> Iterator[str]:
    from search.data.tokens import prepare_data

    prepared = prepare_data(config, print)
    yield from trials_table(config)
    yield "\n### Loader\n"
    with on_cores([min(usable_cores())]):
        yield loader_line(config.task, prepared)
    yield "\n### One step\n"
    yield from step_lines(config)


def trials_table(config: Config) -> Iterator[str]:
    """A column per trial of the control, with their mean and standard deviation."""
    folder = STUDIES / config.experiment / config.task.name / "seeds" / str(config.seed)
    if not folder.is_dir():
        keys = f"task={config.task.name} experiment={config.experiment} study.trials=3"
        yield f"None yet: `python -m search strategy=seeds {keys}`"
        return
    with Journal(folder, print) as journal:
        entries = [entry for entry in journal.entries if entry.trial.val_bpb is not None]
    if not entries:
        yield f"None with a score yet in {folder}"
        return
    outcomes = [entry.trial.outcome for entry in entries]
    yield f"{outcomes[0].device}; {outcomes[0].described}; {time.strftime('%Y-%m-%d', time.gmtime(entries[0].finished))}\n"
    yield f"| | {' | '.join(f'seed {entry.training_seed}' for entry in entries)} | mean | sd |"
    yield "|---|" + "---|" * (len(entries) + 2)
    for name, values in _facts(entries).items():
        known = [value for value in values if value is not None]
        if not known:  # such as the device's clocks on a CPU
            continue
        spread = [f"{mean(known):.6g}", f"{stdev(known):.2g}" if len(known) > 1 else ""]
        cells = ["" if value is None else f"{value:.6g}" for value in values]
        yield f"| {' | '.join([name, *cells, *spread])} |"


def _facts(entries: Sequence[Entry]) -> dict[str, list[float | None]]:
    outcomes = [entry.trial.outcome for entry in entries]
    facts: dict[str, list[float | None]] = {
        "val_bpb": [outcome.val_bpb for outcome in outcomes],
        "val_bpb by the field's count of bytes": [outcome.field_bpb for outcome in outcomes],
        "million tokens": [outcome.tokens / 1e6 for outcome in outcomes],
        "steps": [outcome.steps for outcome in outcomes],
        "tokens per second": [outcome.tokens / outcome.train_seconds for outcome in outcomes],
        "model TFLOP/s": [_teraflops(outcome) for outcome in outcomes],
        "peak memory, MB": [outcome.peak_memory_mb for outcome in outcomes],
        "share of the text dropped": [outcome.dropped_share for outcome in outcomes],
        "audit: sd of B - A, nats": [outcome.audit_sd for outcome in outcomes],
        "audit: largest difference, nats": [outcome.audit_max for outcome in outcomes],
    }
    if any(outcome.probe_before is not None for outcome in outcomes):
        facts["probe before, GFLOP/s"] = [outcome.probe_before for outcome in outcomes]
        facts["probe after, GFLOP/s"] = [outcome.probe_after for outcome in outcomes]
    for phase in dict.fromkeys(phase for outcome in outcomes for phase in outcome.seconds):
        facts[f"seconds: {phase}"] = [outcome.seconds.get(phase) for outcome in outcomes]
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.telemetry):
        facts[f"device: {name}"] = [outcome.telemetry.get(name) for outcome in outcomes]
    return facts


def _teraflops(outcome: Outcome) -> float | None:
    """Floating-point operations per second by what the program says of a token's; None if it says nothing."""
    of_a_token = outcome.described.get("flops_per_token")
    if not isinstance(of_a_token, int | float):
        return None
    return of_a_token * outcome.tokens / outcome.train_seconds / 1e12


def loader_line(task: TaskConfig, prepared: Prepared) -> str:
    """Speed of making batches as training does."""
    import numpy as np

    from search.task.loader import PACKINGS, training_rows

    packer = PACKINGS[task.packing](task.sequence_length, prepared.tokenizer().bos)
    source = training_rows(prepared.documents("train"), packer, seed=0)
    rows = max(1, 524_288 // task.sequence_length)
    made, began = -rows, 0.0
    while made < 0 or time.process_time() - began < LOADER_SECONDS:
        if made < 0:  # the first batch fills the buffer
            began = time.process_time()
        np.stack(list(islice(source, rows))).astype(np.int64)
        made += rows
    speed = made * task.sequence_length / (time.process_time() - began)
    return f"{task.packing}, one core: {speed / 1e6:.1f} million tokens per second; {packer.dropped_share:.1%} dropped"


def step_lines(config: Config) -> Iterator[str]:
    """Time, memory and the most expensive kernels of the stock's step."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    from search.runner.training import device_of

    task = config.task
    facts: dict[str, Any] = {}
    device = torch.device(device_of(task))
    if device.type == "cuda" and not torch.cuda.is_available():
        yield f"task.device={task.device}: not on this machine"
        return
    if device.type == "cpu":
        torch.set_num_threads(task.threads)
    run: Any = SimpleNamespace(
        device=device,
        vocab_size=task.vocab_size,
        sequence_length=task.sequence_length,
        describe=facts.update,
    )
    module = _stock(config)
    trainer = module["Trainer"](run)
    rows = max(1, module["TOTAL_BATCH_SIZE"] // task.sequence_length)
    synthetic = torch.randint(task.vocab_size, (rows, task.sequence_length + 1)).to(device)
    tokens, targets = synthetic[:, :-1].contiguous(), synthetic[:, 1:].contiguous()

    def steps(count: int) -> float:
        began = time.monotonic()
        for _ in range(count):
            loss = trainer.step(tokens, targets, 0.1)
        float(loss)  # waits for the device
        return (time.monotonic() - began) / count

    steps(STEPS)
    seconds = steps(STEPS)
    yield f"{facts}: {1000 * seconds:.1f} ms, {tokens.numel() / seconds / 1e6:.3f} million tokens per second"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as profiled:
        steps(1)
    if device.type == "cuda":
        yield f"peak memory {torch.cuda.max_memory_allocated() / 2**20:.0f} MB"
    order = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    yield "```\n" + profiled.key_averages().table(sort_by=order, row_limit=KERNELS, max_name_column_width=60) + "\n```"


def _stock(config: Config) -> dict[str, Any]:
    """The stock's names, as a program of its own has them."""
    from search.runner.stock import stock_of

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_text(stock_of(config).text)
        return runpy.run_path(str(path), run_name="stock")
