"""What the agent's prompt holds after 0, 5, 50 and 500 trials of a made-up history: sizes, and the whole text of one.

python -m tests.prompts          writes both into .github/docs/agent-prompt.md
"""

from __future__ import annotations

from search.agent import prompt
from search.agent.follow import on_offer
from search.agent.modes import next_mode
from search.agent.turns import MOST_TURNS, Turns
from search.config.places import ROOT
from search.runner.stock import stock_of
from search.testing.subject import task_config
from tests.agent.histories import memory

LENGTHS = (0, 5, 50, 500)  # trials that were told after the stock
SHOWN = 5
PAGE = ROOT / ".github" / "docs" / "agent-prompt.md"
NOTES = """- MATRIX_LR: 0.013 -> 0.0131 helped a little (trial 1); go further, 0.02 next.
- Scaling heads broke on a shape (trial 2): the scale must be [heads, 1]. Worth one repair.
- A wider model learns more per token and is slow (trial 3): try it with fewer rows per step.
- SiLU missed by 0.005 at the old rate (trial 4): with MATRIX_LR 0.02?"""


def parts(told: int, stock: str) -> dict[str, str]:
    """The sections of a prompt by their titles, the instructions first."""
    known = memory(told + 1, stock, notes=NOTES if told else "")
    program = (ROOT / "program.md").read_text(encoding="utf-8")
    made = prompt.sections(program, known, next_mode(known), on_offer(known, 1))
    return {"Instructions (system message)": prompt.INSTRUCTIONS, **{title: text for title, text in made.items() if text}}


def table(stock: str) -> str:
    """Characters by section."""
    columns = [{_short(title): len(text) for title, text in parts(told, stock).items()} for told in LENGTHS]
    titles = list(dict.fromkeys(title for column in reversed(columns) for title in column))
    rows = [f"| characters after | {' | '.join(f'{told} trials' for told in LENGTHS)} |", "|---|" + "---|" * len(LENGTHS)]
    rows += [f"| {title} | {' | '.join(f'{column.get(title, 0):,}' for column in columns)} |" for title in titles]
    return "\n".join([*rows, f"| all | {' | '.join(f'{sum(column.values()):,}' for column in columns)} |"])


def _short(title: str) -> str:
    return "train.py" if title.startswith("train.py") else title.partition(" (")[0]


def page() -> str:
    """The whole page, which is the same each time."""
    stock = stock_of(task_config()).text
    turns = "\n\n".join(f"# {title}\n\n{text}" for title, text in Turns(MOST_TURNS, str).section().items())
    whole = "\n\n".join(f"# {title}\n\n{text}" for title, text in parts(SHOWN, stock).items())
    return f"""# The agent's prompt, measured and whole

Made by `python -m tests.prompts`, for a made-up history of `task=cpu`. What the sections are for stands in
[agent.md](agent.md).

{table(stock)}

The whole prompt after {SHOWN} trials:

````text
{whole}
````

With `strategy.turns={MOST_TURNS}` it ends with one part more:

````text
{turns}
````
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
