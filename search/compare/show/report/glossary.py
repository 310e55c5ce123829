"""Every term of the report, in a sentence or two."""

from __future__ import annotations

TERMS = (
    ("agent", "A strategy in which a large language model edits the program train.py. Each edit is trained and scored."),
    (
        "anchor",
        "The stock with the same training seed, trained again in the middle of a study. If its score moves, the machine "
        "did.",
    ),
    (
        "claimed gain",
        "The stock's mean score minus the winner's search score. It is what a study seems to have found, luck included.",
    ),
    (
        "code and interaction",
        "What is left of a confirmed gain when tuning is taken away: what the changed code brings, alone or only together "
        "with the changed constants.",
    ),
    (
        "confirmation",
        "The stock and the winners, trained again under fresh training seeds and scored on text that no study has seen. "
        "Only what it shows is a result.",
    ),
    (
        "confirmed gain",
        "The stock's mean score minus the winner's, both from the confirmation. On unseen text it is the headline; on the "
        "validation text it is what the parts add up to.",
    ),
    ("contrast", "The question whether one strategy's confirmed programs are better than another's."),
    (
        "control",
        "The strategy seeds: it trains the unchanged stock under other training seeds, again and again. What it gains is "
        "luck.",
    ),
    ("duplicate", "A proposal that had been trained before. It is not trained again, and gets no second draw."),
    ("flag", "Something in a program's code or numbers that a reader should know of, such as that it sets a seed itself."),
    ("gain", "A difference of scores in bits per byte; positive is better."),
    (
        "interval",
        "A 95 % interval holds the true value in 19 of 20 such experiments. Where it reaches zero, there may be nothing.",
    ),
    (
        "look",
        "One plan of the confirmation. Extending it after seeing results gives chance another try, so that p is "
        "multiplied by the number of looks.",
    ),
    (
        "luck",
        "How much better the winner's search score was than its confirmed mean score on the same text. The best of many "
        "noisy scores flatters itself.",
    ),
    (
        "luck alone, null band",
        "What the best of n training runs of the unchanged stock reaches. It is measured up to half of the control's "
        "trials, and extrapolated beyond.",
    ),
    (
        "machine's speed",
        "Tokens per second of the stock's runs, in multiples of the control's mean. They are one program, so that only the "
        "machine can differ. What that is worth follows from what 1 % fewer tokens cost the stock.",
    ),
    (
        "method",
        "Sign-flip permutation asks how often the pairs' differences would average as much with their signs drawn at "
        "random. Where studies ended with the same program, their errors are shared, and a t-test counts them once.",
    ),
    (
        "noise floor",
        "The standard deviation of the control's scores. Two training runs of one program differ by about 1.4 times as "
        "much.",
    ),
    ("not shown", "The data do not exclude that there is no difference. It does not mean that there is none."),
    (
        "not stated",
        "There are too few control trials, studies or repeats to say anything, or the budgets differ. The report names "
        "the command that adds what is missing.",
    ),
    (
        "overfitting",
        "The winner's confirmed gain on the validation text minus that on unseen text. A study that looked at the "
        "validation score often enough may have learnt that text.",
    ),
    (
        "p",
        "How often chance alone would give a result at least as good, if there were no difference. After Holm's "
        "correction the number of contrasts is accounted for.",
    ),
    ("repeat", "One training of a program in the confirmation. Repeats use the same seeds for all programs."),
    ("search", "One study of a strategy."),
    ("search score", "The score a trial had during the search. It is what the study chose by."),
    ("search seed", "Drives what a strategy proposes. Studies of different strategies with one search seed are a pair."),
    ("shown", "The test's p, corrected, is below 0.05. By chance alone that happens in at most 1 of 20 cases."),
    ("stock", "The unchanged train.py from which every study starts."),
    (
        "stock's shift",
        "The stock's mean score during the studies minus its mean in the confirmation. It is drift of the machine, and "
        "noise.",
    ),
    ("strategy", "What proposes the programs that are trained: an agent, Optuna, the control, or another."),
    ("study", "One strategy with one search seed and one budget."),
    ("trial", "One program, trained for the task's budget and scored."),
    ("tuning", "The gain of the winner's constants put into the stock's code. It is what needs no change of code."),
    ("unconfirmed", "No fresh seeds and no unseen text have tested it. It may be nothing but luck."),
    ("val_bpb", "The score: bits per byte of validation text that the trained model needs; lower is better."),
    ("winner", "The best trial of a study by search score."),
    (
        "winner's speed",
        "Its tokens per second in multiples of the stock's, in the confirmation and repeat by repeat: merit of the program, "
        "and not of the machine. Its own process counts the tokens, and nothing checks that count.",
    ),
)
