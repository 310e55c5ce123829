"""The stock of a study: the start file with its task's constants, fitted to the GPU's memory."""

from __future__ import annotations

from search.config.messages import UserError, in_short
from search.config.schema import Config
from search.runner.device.batch_size import fit
from search.runner.device.gpus import listed
from search.study import source
from search.study.identity import BATCH_CONSTANT, Stock


def stock_of(config: Config) -> Stock:
    """The stock as it would be now; the journal of a running study has the one that it began with. Raises UserError."""
    try:
        text = config.start_file.read_text(encoding="utf-8-sig")  # Windows begins files with a mark
        batch = fit(text, config.task, listed(config.task.device))
        values = config.task.constants
        if batch is not None and batch.rows != source.constants(text)[BATCH_CONSTANT]:
            values = {**values, BATCH_CONSTANT: batch.rows}
        stock = source.fit_to_task(text, config.task.name, values)
        source.constants(stock)
    except source.UnknownConstant as error:
        raise UserError(
            f"task.constants.{error.args[0]}: {config.start} has no constant of that name; correct one of them"
        ) from error
    except SyntaxError as error:
        raise UserError(f"start={config.start}: is not Python (line {error.lineno}); name a train.py") from error
    except (ValueError, OSError) as error:  # ValueError: not UTF-8 too
        raise UserError(f"start={config.start}: {error}") from error
    return Stock(stock, batch)


def set_by_task(config: Config) -> str | None:
    """Says in one line which constants of the start file its task sets to other values; None if there are none, or if
    the file was already fitted to the task."""
    text = config.start_file.read_text(encoding="utf-8-sig")
    if source.is_fitted(text):
        return None
    own = source.constants(text)
    changed = {name: value for name, value in config.task.constants.items() if own.get(name) != value}
    if not changed:
        return None
    words = in_short(", ".join(f"{name}={value} (file: {own[name]})" for name, value in changed.items()))
    return f"task={config.task.name} sets constants of {config.start}: {words}; '~task.constants' keeps the file's own"
