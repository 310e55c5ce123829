"""Programs of another harness: whatever they do ends as a named result, and what they print last is what counts."""

from __future__ import annotations

import psutil
import pytest

from search.config.messages import UserError
from search.runner import plain
from search.runner.plain import Way
from search.runner.printed import End, Metric, judged, last_printed
from search.study.external import Ended
from tests.runner.test_external import BOXES, walled

METRIC = Metric("val_bpb", zero=False, most=1000.0, negative=False)
CHILD = """import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{token}"], start_new_session=True)
print("val_bpb: 0.5")
"""
TRAINS = "import prepare\nprint('val_bpb: 2.5')\nprint(f'val_bpb:   {prepare.SCORE}')\nprint('peak: 3')"
# As psutil does, and as a compiler that precompiles PyTorch's headers (149 MB) needs.
ASKS = """import os, shutil
assert os.getloadavg() and open("/proc/stat").read() and open("/proc/meminfo").read()
assert shutil.disk_usage("/tmp").total > 2**28
print("val_bpb: 0.5")
"""
SLEEPS = "import time\nprint('val_bpb: 0.5', flush=True)\ntime.sleep(600)"
PROGRAMS = {
    "trains": (TRAINS, End.SCORED, ""),
    "asks about the machine": (ASKS, End.SCORED, ""),
    "leaves a child": (CHILD, End.SCORED, ""),
    "sleeps": (SLEEPS, End.TIMED_OUT, "still running after 2 seconds"),
    "prints nothing": ("loss = 0.5", End.SILENT, "no line of its output is val_bpb: NUMBER"),
    "diverges": ("print('val_bpb: 0.5')\nprint('val_bpb: nan')", End.NO_NUMBER, "printed nan, which is no finite number"),
    "dies": ("print('val_bpb: 0.5')\nraise SystemExit('out of luck')", End.FAILED, "exit code 1: out of luck"),
    "reads outside": ("open('{secret}').read()\nprint('val_bpb: 0.5')", End.FAILED, "FileNotFoundError"),
}


def way(**given):
    usual = {"command": "python train.py", "python": None, "shown": (), "environment": {}, "device": "cpu", "threads": 1}
    return Way(**{**usual, "memory_gb": 4, "disk_gb": 1, "sandbox": "bubblewrap", **given})


def tried(folder, text, seconds=60.0, **given):
    folder.mkdir()
    (folder / "train.py").write_text(text)
    (folder / "prepare.py").write_text("SCORE = 0.5\n")
    return plain.run(folder, way(**given), METRIC, seconds, lambda holders: None)


@walled
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_end_has_a_name(name, tmp_path):
    text, end, why = PROGRAMS[name]
    secret, token = tmp_path / "secret", f"token-of-{tmp_path.name}"
    secret.write_text("validation text")
    text = text.replace("{secret}", str(secret)).replace("{token}", token)
    run = tried(tmp_path / "work", text, seconds=2.0 if name == "sleeps" else 60.0)
    assert (run.end, run.value) == (end, 0.5 if end is End.SCORED else None) and why in run.reason
    assert not [one for one in psutil.process_iter(["cmdline"]) if token in (one.info["cmdline"] or ())]


@pytest.mark.parametrize("box", BOXES)
def test_data_is_shown_below_home_and_cannot_be_written(tmp_path, monkeypatch, box):
    home, data = tmp_path / "home", tmp_path / "home" / ".cache" / "night"
    data.mkdir(parents=True)
    (data / "text").write_text("0.25")
    (home / "diary").write_text("private")
    monkeypatch.setenv("HOME", str(home))
    text = (
        "import os\nhome = os.path.expanduser('~')\n"
        "print('val_bpb:', open(home + '/.cache/night/text').read())\n"
        "print(sorted(os.listdir(home)))\n"
        "try:\n    open(home + '/.cache/night/more', 'w')\nexcept OSError as error:\n    print(error.strerror)\n"
    )
    run = tried(tmp_path / "work", text, shown=(data,), sandbox=box)
    assert run.value == 0.25
    if box == "bubblewrap":
        assert "['.cache']" in run.output and "Read-only file system" in run.output


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ("val_bpb: 1.5\nval_bpb: 0.9979\nmfu: 3\n", 0.9979),
        ("step 1 val_bpb: 7\n val_bpb: 8\n", None),
        ("\rval_bpb: 2.0\rval_bpb: 1e-2, best\n", 0.01),
        ("val_bpb:\n3\nval_bpb: pending\nbest_val_bpb: 4\n", None),
    ],
)
def test_the_last_line_with_the_metric_counts(output, value):
    assert last_printed(output, "val_bpb") == value


@pytest.mark.parametrize("printed", ["inf", "-3", "0.0", "1e9"])
def test_an_absurd_number_is_no_score(printed):
    end, value, why = judged(Ended(0, "", f"val_bpb: {printed}", "", 1.0), METRIC, 60.0)
    assert (end, value) == (End.NO_NUMBER, None) and "it printed" in why


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"command": "no-such-program x", "sandbox": "none"}, "plain.command: no program no-such-program"),
        ({"python": "/no/python", "sandbox": "none"}, "plain.python: no program /no/python"),
        ({"threads": 10_000, "sandbox": "none"}, "plain.threads=10000"),
        ({"command": "python '", "sandbox": "none"}, "is no command"),
    ],
)
def test_what_cannot_run_is_told_with_its_key(given, said):
    with pytest.raises(UserError, match=said):
        plain.check(way(**given))
