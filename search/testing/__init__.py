"""What every strategy promises, to check your own with pytest:

from search.testing import PROMISES, Subject

def make(task, seed):
    return Mine(task, seed, step=1.1)

@pytest.mark.parametrize("promise", PROMISES)
def test_mine_keeps(promise, tmp_path):
    promise(Subject(make), tmp_path)

The studies are real ones; only the training runs are made up. Their stock has the constants of `train.py` and no code;
where your strategy edits code, give `Subject(make, stock=...)` a text that has some.
"""

from search.testing.promises import PROMISES
from search.testing.subject import Make, Subject

__all__ = ["PROMISES", "Make", "Subject"]
