"""Words that this project does not use, in what people read: pages, help texts, messages and docstrings."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GENERATED = ("agent-prompt.md", "zoo.md", "CHANGELOG.md")  # the last is a record
TEMPLATES = [path for path in (ROOT / "search").rglob("*.j2") if path.suffixes[0] == ".md"]
PAGES = [*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "conf").rglob("*.yaml"), *TEMPLATES]
CODE = [path for room in ("search", "baselines") for path in (ROOT / room).rglob("*.py")]
ROOMS = [
    path for room in ("compare/show", "compare/read", "review", "confirm") for path in (ROOT / "search" / room).rglob("*.py")
]
COMPOUND = "run|process|seed|step|text|loss|batch|token|budget|set|split|file|code|loop|program|row|time|script|data|task"

EVERYWHERE = {  # what is not written, and what to write
    rf"trainings|(?<!\")(?:a|one|another) training(?![ -](?:{COMPOUND})s?\b)": "training run",
    r"(?<!\")(?:a|one|each|every|another) search(?! (?:seed|score|space|box)s?\b)": "study",
    "hears? (?:of|nothing)|for ever|[Ii]n the place of|nobody's business": "is told, forever, in place of",
}
ON_PAGES = {
    r"(?<!here )(?:is|are) no (?!longer|more|better|worse|faster)\w+ (?!in|on|at|here|yet)": "is not a ...",
    r"(?:held|hold|holds) (?:\w+ )?against": "compared with",
    "(?:optimis|initialis|normalis|recognis|randomis|behaviour|colour|neighbour|modelled|cancelled|licence)\\w*": "American",
    "mend(?:s|ed)?|go on with|comes off|flatters": "fix, continue, is taken off, is biased",
}


IN_ROOMS = {
    r"(?:held|hold|holds) (?:\w+ )?against": "compared with",
    r"(?<!here )(?:is|are) no (?!longer|more|better|worse|faster)\w+|(?:that|it) is none": "is not a ...",
    r"(?:goes|went|go) on(?! with| to)|stands? in conf": "continue, is in",
    r"[Mm]end(?:s|ed)?|learnt|flatters": "fix, learned, is biased",
}


@pytest.mark.parametrize(
    ("paths", "words"),
    [(PAGES, EVERYWHERE | ON_PAGES), (CODE, EVERYWHERE), (ROOMS, IN_ROOMS)],
    ids=["pages", "code", "what people read of results"],
)
def test_no_text_has_words_that_a_technical_writer_would_not_use(paths, words):
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\b")
    found = []
    for path in paths:
        if path.name not in GENERATED:
            text = re.sub(r'<!--.*?-->|"\n\s*f?"', "", path.read_text(encoding="utf-8"))
            text = re.sub(r"\n *(?:[#>] )?", " ", text)  # what a line's end divides is one text
            found += [
                f"{path.relative_to(ROOT)}: ...{text[max(0, m.start() - 30) : m.end() + 20]}" for m in pattern.finditer(text)
            ]
    assert not found, "\n".join([*found, f"Write instead: {', '.join(words.values())}"])
