"""One trial of a train.py as it is: `python train.py task=cpu`. Its keys are in conf/once.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.schema import Config
from search.config.validate import check_values
from search.console.command import Command
from search.console.command_line import run


def main(config: Config) -> None:
    from rich.console import Console

    from search.config.messages import UserError
    from search.config.places import MLRUNS
    from search.config.scratch import scratch
    from search.console.progress import make_display
    from search.console.run_study import check
    from search.data.tokens import prepare_data
    from search.executor.local import make_runner
    from search.runner.stock import set_by_task, stock_of
    from search.study.budget import budget_in_words
    from search.study.request import TrialRequest
    from search.study.seeds import training_seed
    from search.study.trial import Origin, Status

    check(config)
    console = Console()
    display = make_display(console, trials=1)
    try:
        prepared = prepare_data(config, display.say)
        display.say(f"{config.start}, task={config.task.name}: {budget_in_words(config.task.budget)}")
        stock = stock_of(config)
        if (constants := set_by_task(config)) is not None:
            display.say(constants)
        if stock.batch is not None:
            display.say(str(stock.batch))
        with scratch(MLRUNS / "once") as folder:
            runner = make_runner(config, prepared, folder)
            seed = training_seed(config.seed, 0)
            request = TrialRequest(stock.text, seed, folder / "logs" / "trial", is_stock=True)
            display.started(0, Origin.STOCK, config.start)
            outcome = runner.run(request, lambda progress: display.progress(0, progress))
    finally:
        display.close()
    if outcome.status is not Status.COMPLETED:
        print(outcome.log_tail, file=sys.stderr)
        raise UserError(f"{config.start}: {outcome.status}: {outcome.reason}")
    print(f"val_bpb {outcome.val_bpb:.6f}")
    phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in outcome.seconds.items())
    print(f"{outcome.steps} steps, {outcome.tokens:,} tokens; seconds: {phases}; peak {outcome.peak_memory_mb:.0f} MB")
    facts = {**outcome.described, "device": outcome.device, **outcome.telemetry}
    print(
        "; ".join(f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}" for name, value in facts.items())
    )


COMMAND = Command("once", Config, check_values, main, "stopped")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
