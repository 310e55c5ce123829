"""The texts on MLflow's pages, for somebody who does not know this code."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from search.study.journal import Entry
from search.study.trial import one_line

EXPERIMENT_DESCRIPTION = (
    "Studies that are compared with each other: each spends the same budget on the same training task, and `seeds` is the "
    "control, whose gain is luck. Select the studies and press Compare to overlay `best_val_bpb` (validation bits per byte, "
    "lower is better) over trials. The best of many noisy trials looks better than it is: compare it with the control's "
    "spread."
)

IMPORTED = "imported"  # the kind of a run made from somebody else's log: not a study, since nothing here measured it

CONFIRMATION_DESCRIPTION = (
    "The stock, the studies' winners, and the winners' constants alone in the stock's code, trained again on seeds that no "
    "study has used. `val_bpb`: validation, as the studies saw it; `confirmation_bpb`: text that no study has seen. Each "
    "trial's tag `arm` says which program it repeats; those of one `search_seed` and `repeat` are a block with one training "
    "seed, in random order; `plans.json` says what was planned, and when."
)

NOTE = "mlflow.note.content"  # the tag that holds a page's text

MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def as_markdown(text: str) -> str:
    """The text as one line that a Markdown page shows as it is: neither HTML, nor links, nor pictures."""
    return MARKDOWN.sub(r"\\\1", html.escape(one_line(text), quote=False))


def study_description(header: Mapping[str, Any]) -> str:
    config = header["config"]
    if header["role"] != "study":
        return CONFIRMATION_DESCRIPTION
    llm = config["strategy"].get("llm", {})
    remark = f"**{llm['name']}: {llm['about']}.**\n\n" if llm.get("about") else ""
    return (
        f"{remark}**{header['strategy']}**, search seed {config['seed']}, on task {config['task']['name']}. "
        "`best_val_bpb`: score of the winner so far, the last trial that was kept; `trial_val_bpb`: each trial; "
        "`system/anchor_val_bpb`: the stock again, for drift; the step is the trial's number. Artifacts: the winner's "
        "`train.py` and its change from the stock, all trials as `trials.jsonl`, the study's settings as `study.json`."
    )


def kept_chain(rows: list[str]) -> str:
    """The kept trials, one after the other, as Markdown. A replicate has the name of the edit that it confirms. `rows`:
    in the order of telling."""
    lines = ["| trial | val_bpb | edit | why it was kept |", "|---|---|---|---|"]
    trials = {trial["number"]: trial for trial in map(json.loads, rows)}
    for row in trials.values():
        if row["kept"]:
            edit = as_markdown(row["note"])
            if row["replicate"] and row["parent"]:
                edit = f"{as_markdown(trials[row['parent']]['note'])} (trial {row['parent']}, confirmed)"
            cells = [str(row["number"]), f"{row['val_bpb']:.4f}", edit, as_markdown(row["verdict"])]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def trial_description(entry: Entry) -> str:
    outcome, hypothesis = entry.trial.outcome, entry.trial.answer.facts.get("hypothesis", "")
    score = "no score" if outcome.val_bpb is None else f"val_bpb {outcome.val_bpb:.4f}"
    judged = f"{'kept' if entry.verdict.kept else 'not kept'}: {entry.verdict.reason}" if entry.verdict.reason else ""
    idea = f"\n\n{as_markdown(entry.trial.answer.note)}. Hypothesis: {as_markdown(hypothesis)}" if hypothesis else ""
    said = "\n\n`described` is what the program reports about itself." if outcome.described else ""
    return f"Trial {entry.trial.number}, {outcome.status}, {score}. {as_markdown(judged)}{idea}{said}"
