"""The one command line: what holds for every command, and the console script."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import os
import shlex
import shutil
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from search.config.keys import known_keys
from search.config.overrides import as_text, prepared
from search.config.places import CONF, MLRUNS, ROOT
from search.config.schema import Config
from search.console import command_line
from search.console.help import STUDY, commands, help_text

ALL = [STUDY, *commands()]
OF_A_FILE = {"export": "study=e/t/s/0", "verify": "archive=a.zip"}  # what these are about, and not an experiment
OF_AN_EXPERIMENT = [name for name in ALL if name not in OF_A_FILE]
MUST = {"transfer": ["scale=longer"]}  # what else must be given
GROUPS = [path for path in CONF.iterdir() if path.is_dir()]


def command(name: str) -> command_line.Command:
    module = importlib.import_module("search" if name == STUDY else f"search.{name}")
    return (importlib.import_module(f"{module.__name__}.__main__") if hasattr(module, "__path__") else module).COMMAND


@pytest.fixture
def settings(monkeypatch):
    """Runs a command that does nothing but tell the settings it was given; None where there were none."""
    monkeypatch.setattr(sys, "argv", ["command"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def give(name, *given):
        told = []
        code = command_line.run(dataclasses.replace(command(name), body=told.append), given)
        assert code == (0 if told else 1)
        return told[0] if told else None

    return give


def test_commands_are_found_by_looking():
    assert commands() == [
        *("bench", "compare", "confirm", "demo", "export", "once", "plan", "prepare", "review", "transfer", "ui", "verify"),
    ]
    for name in ALL:
        assert command(name).name == name


@pytest.mark.parametrize("name", ALL)
def test_every_commands_yaml_composes_and_validates(settings, name, tmp_path):
    about = OF_A_FILE.get(name, "experiment=mine")
    given = settings(name, about, *MUST.get(name, ()), f"hydra.run.dir={tmp_path}")
    key, _, value = about.partition("=")
    assert type(given) is command(name).schema and getattr(given, key) == value


@pytest.mark.parametrize("name", OF_AN_EXPERIMENT)
@pytest.mark.parametrize("written", ["1e3", "007", "1.50", "true", "1_000", "a-b.c"])
def test_a_name_is_taken_as_it_is_written(settings, name, written, tmp_path):
    given = settings(name, f"experiment={written}", *MUST.get(name, ()), f"hydra.run.dir={tmp_path}")
    assert given.experiment == written


def test_what_several_commands_share_has_one_default():
    study = OmegaConf.load(CONF / "config.yaml")
    for name in ("compare", "plan", "ui"):
        assert OmegaConf.load(CONF / f"{name}.yaml").tracking == study.tracking
    assert OmegaConf.load(CONF / "compare.yaml").experiment == study.experiment


@pytest.mark.parametrize("name", OF_AN_EXPERIMENT)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("experimnt=x", "experimnt: no such key; did you mean experiment?"),
        ("foo=1", "foo: no such key; --help shows the keys"),
        ("+foo=1", "foo: no such key; --help shows the keys"),
        ("experiment", "experiment: has no value; give it as experiment=..."),
        ("experiment=a experiment=b", "experiment: is given twice; give it only once"),
        ("experiment=a(b", "and quote the whole for the shell: 'experiment=\"a(b\"'"),
        ("=3", "=3: has no key; give it as key=value"),
        ("experiment=${x}", "experiment: Interpolation key 'x' not found"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_by_every_command(settings, capsys, name, given, said, tmp_path):
    assert settings(name, *given.split(), f"hydra.run.dir={tmp_path}") is None
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and told.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("confirm", "", "experiment: is not set; give it on the command line as experiment=..."),
        ("confirm", "experiment=null", "experiment=null: must be text"),
        ("compare", "experiment=null", "experiment=null: must be text"),
        ("confirm", "experiment=a/b", "use letters, digits"),
        ("transfer", "experiment=a", "scale: is not set; give it on the command line as scale=..."),
        ("export", "study=a/b", "study=a/b: must be EXPERIMENT/TASK/STRATEGY/SEED"),
        ("export", "study=a/../b/0", "study=a/../b/0: must be the name of a study"),
        ("verify", "archive=a sample=-1", "sample=-1: must be a whole number of trials, 0 or more"),
        ("confirm", "experiment=a repeats=many", "repeats=many: must be a whole number or null"),
        ("confirm", "experiment=a repeats=0", "repeats=0: must be a whole number above 0"),
        ("confirm", "experiment=a stock_runs=1000", "stock_runs=1000: must be 100 or less"),
        ("confirm", "experiment=a at=10", "at=10: must be whole numbers such as [10,30] or null"),
        ("confirm", "experiment=a at=[0]", "at=[0]: must be whole numbers of trials above 0"),
        ("confirm", "experiment=a repeats=1,2", "repeats=1,2: takes one value"),
        ("compare", "tracking=x", "tracking=x: must be given by its keys"),
        ("plan", "sd=1 between=0.1,x", "between=0.1,x: must be 0 or more"),
        ("plan", "sd=nan", "sd=nan: must be a number above 0"),
        ("ui", "port=0", "port=0: must be 1 to 65535"),
        ("compare", "demo", "demo: is not a key; did you mean experiment=demo?"),
        ("once", "task smoke", "task: has no value; give it as task=smoke"),
        ("once", "--task=smoke", "--task=smoke: settings have no dashes; give it as task=smoke"),
        ("once", "trials=5", "trials: no such key; did you mean study.trials?"),
        ("once", "strategy=seeds strategy.llm=x", "strategy.llm: no such key; strategy has name, role, trials"),
        ("once", "task=cpu space.MATRX_LR.low=1", "did you mean space.MATRIX_LR.low?"),
        ("once", "task=cpu space.NEW.low=1", "a new dimension has a +: '+space.NEW="),
        ("once", "sampler=tpe sampler.build.n_startup_trial=3", "did you mean sampler.build.n_startup_trials?"),
        ("once", "task=null", "Could not find 'task/null'; choose one of cpu, demo, gpu, smoke"),
        *((name, "-m experiment=a,b", "-m: works for studies only") for name in commands()),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(settings, capsys, name, given, said):
    assert settings(name, *given.split()) is None
    told = capsys.readouterr().err
    assert told.startswith("error: ") and said in told and told.count("\n") == 1


@pytest.mark.parametrize("name", ["compare", "confirm", "plan"])
def test_where_no_study_is_composed_a_task_is_a_name(settings, name):
    assert settings(name, "experiment=a", "task=my-own").task == "my-own"


def test_several_numbers_are_one_value(settings):
    assert settings("plan", "between=0.01,0.02").both_between == (0.01, 0.02)


def test_the_exit_code_after_control_c(settings, capsys):
    def stop(_):
        raise KeyboardInterrupt

    assert command_line.run(dataclasses.replace(command("demo"), body=stop), ["experiment=a"]) == 130
    assert capsys.readouterr().err == "stopped; run the same command to resume\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "No", str(MLRUNS / "x")), f"{MLRUNS / 'x'}: cannot be written (No)"),
        (FileNotFoundError(errno.ENOENT, "Gone", str(MLRUNS / "x")), f"{MLRUNS / 'x'}: Gone; fix that"),
        (PermissionError(errno.EACCES, "No", "/elsewhere"), "/elsewhere: No; fix that"),
        (OSError(errno.ENOSPC, "Full"), "Full; fix that"),
    ],
)
def test_an_error_of_the_system_is_explained_as_what_it_is(capsys, error, said):
    def fail(_):
        raise error

    assert command_line.run(dataclasses.replace(command("plan"), body=fail, check=lambda _: None), []) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("experiment=1e3,b,007", "experiment='1e3',b,'007'"),
        ("experiment='1e3'", "experiment='1e3'"),
        ("experiment=choice(1,2)", "experiment=choice(1,2)"),
        ("experiment=null", "experiment=null"),
        ("seed=0,1", "seed=0,1"),
        ("--cfg", "--cfg"),
        ("data.corpus.folder=~/texts", "data.corpus.folder='~/texts'"),
        ("data.corpus.folder=/a b=c#d", "data.corpus.folder='/a b=c#d'"),
        ("data.corpus.folder=~/a,~/b", "data.corpus.folder=~/a,~/b"),
        ("study.trials=[1", "study.trials=[1"),
    ],
)
def test_only_what_hydra_would_take_for_another_thing_is_quoted(word, expected):
    assert prepared([word], Config, sweeps=True) == [expected]
    assert as_text("a=1,2") == "a='1,2'"
    assert as_text("contrasts=a>b") == "contrasts='a>b'"


# ---- help ----


HELP_OF_ALL = """
import sys, runpy
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(name, run_name="__main__")
    except SystemExit as end:
        assert not end.code
heavy = {"hydra", "torch", "mlflow", "optuna", "numpy", "scipy", "rich"} & set(sys.modules)
assert not heavy, heavy
"""


def test_help_needs_no_heavy_import():
    modules = ["search", *(f"search.{name}" for name in commands())]
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL, *modules], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Keys with their defaults") == len(modules)


@pytest.mark.parametrize("name", ALL)
def test_help_shows_every_key_and_how_to_call(name):
    shown = help_text(name)
    schema = command(name).schema
    leaves = {
        key.rpartition(".")[2] for key in known_keys(schema) if not key.startswith(("task.", "data.", "sampler.", "coder."))
    }
    groups = {path.name for path in GROUPS}
    for key in leaves if not issubclass(schema, Config) else leaves - groups:
        assert f"{key}:" in shown
    assert "python -m search" in shown and "hydra:" not in shown and max(map(len, shown.splitlines())) <= 140


@pytest.mark.parametrize("name", [STUDY, "once", "prepare"])
def test_help_lists_every_choice_with_the_first_line_of_its_yaml(name):
    shown = help_text(name)
    for group in GROUPS:
        for path in group.glob("*.yaml"):
            first = path.read_text().partition("\n")[0].removeprefix("# ").partition(". ")[0].rstrip(".:")
            assert any(line.split(maxsplit=1) == [path.stem, first] for line in shown.splitlines()), path


def test_a_third_partys_choice_shows_up_by_itself(clone):
    (clone.root / "conf" / "sampler" / "mine.yaml").write_text("# My own way to sample.\nname: mine\n")
    shown = clone.run("--help").stdout
    assert any(line.split(maxsplit=1) == ["mine", "My own way to sample"] for line in shown.splitlines())
    assert all(f"  {name} " in shown for name in commands())


# ---- places ----


def test_a_command_that_runs_no_study_leaves_nothing_behind(clone):
    assert clone.run("sd=0.01", "difference=0.01", module="search.plan").returncode == 0
    assert "'task/nothing'" in clone.run("task=nothing", module="search.once").stdout
    assert list((clone.root / "mlruns").rglob("*")) == [] and not (clone.root / "outputs").exists()


@pytest.mark.parametrize("module", ["search", "search.compare", "search.demo"])
def test_a_copy_of_the_code_alone_says_how_to_install(tmp_path, module):
    shutil.copytree(ROOT / "search", tmp_path / "search", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run([sys.executable, "-m", module], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert told.returncode == 1
    assert "clone the repository" in told.stderr and "`pip install -e .`" in told.stderr and told.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ["search", "search.compare"])
def test_another_copy_than_the_one_that_is_stood_in_does_not_run(clone, module):
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-m", module], cwd=clone.root, env=environment, capture_output=True, text=True)
    assert told.returncode == 1 and told.stderr.count("\n") == 2
    assert told.stderr.startswith(f"error: {clone.root}: is another copy") and "PYTHONSAFEPATH" in told.stderr


def test_a_folder_that_is_gone_is_named(tmp_path):
    script = f"cd {tmp_path} && rmdir {tmp_path} && exec {sys.executable} -m search.plan sd=0.01 hours=1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert told.stderr == "error: the current folder no longer exists; change to another one (cd)\n"


# ---- the console script ----


def fairtrial(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from search.console.fairtrial import main; sys.argv[0] = '/usr/bin/fairtrial'; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *shlex.split(line)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_console_script_gives_every_command():
    assert "To show a difference" in fairtrial("plan sd=0.01 difference=0.01").stdout
    assert fairtrial("compare experimnt=a").stderr == "error: experimnt: no such key; did you mean experiment?\n"
    choices = ", ".join(sorted(path.stem for path in (ROOT / "conf/strategy").glob("*.yaml")))
    assert fairtrial("strategy=agnet").stderr == f"error: Could not find 'strategy/agnet'; choose one of {choices}\n"
    assert fairtrial("confirm --help").stdout == help_text("confirm") + "\n"
    assert fairtrial("--help").stdout == help_text(STUDY) + "\n"
    assert fairtrial("comprae").stderr == "error: comprae: no such command; did you mean compare?\n"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fairtrial strategy=", {"strategy=agent", "strategy=optuna", "strategy=seeds"}),
        ("fairtrial study.t", {"study.trials=", "study.train_hours="}),
        ("fairtrial comp", {"compare"}),
        ("fairtrial confirm rep", {"repeats="}),
        ("fairtrial once task=", {"task=cpu", "task=demo", "task=gpu", "task=smoke"}),
    ],
)
def test_the_shell_completes_groups_keys_and_commands(line, offered):
    assert "complete" in fairtrial("-sc install=bash").stdout.splitlines()[-1]
    assert offered <= set(fairtrial("-sc query=bash", COMP_LINE=line, COMP_POINT=str(len(line))).stdout.split())


def test_the_version_is_the_programs(capsys):
    assert command_line.run(command(STUDY), ["--version"]) == 0
    assert capsys.readouterr().out.startswith("fairtrial ")
