"""No user and no password of an address is written, published or shown."""

from __future__ import annotations

import pytest

from search.config.messages import UserError
from search.config.secrets import all_masked, masked

SECRET = "hunter2url"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"http://joe:{SECRET}@host:5000/x", "http://***@host:5000/x"),
        (f"postgresql://joe:{SECRET}/with/slashes@host/db", "postgresql://***@host/db"),
        (f"https://{SECRET}@host/x", "https://***@host/x"),
        (f"socks5h://:{SECRET}@[::1]:1080", "socks5h://***@[::1]:1080"),
        (f"joe:{SECRET}@proxy:3128", "***@proxy:3128"),
        (
            f"postgresql:///db?user=joe&password={SECRET}&sslmode=require",
            "postgresql:///db?user=***&password=***&sslmode=require",
        ),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("sqlite:////home/joe@work/a b/mlflow.db", "sqlite:////home/joe@work/a b/mlflow.db"),
        ("git@github.com:owner/name, at 12:30", "git@github.com:owner/name, at 12:30"),
    ],
)
def test_what_is_in_an_address_is_masked_and_nothing_else(address, shown):
    assert masked(address) == shown and masked(shown) == shown
    assert masked(f"llm.base_url={address}: no answer") == f"llm.base_url={shown}: no answer"
    assert all_masked({"a": [{"b": (address, 3)}]}) == {"a": [{"b": (shown, 3)}]}
    assert str(UserError(f"tracking.uri={address}: no")) == f"tracking.uri={shown}: no"


@pytest.mark.parametrize("several", [[], ["-m", "seed=0,1"]], ids=["one study", "multirun"])
def test_a_command_line_leaves_no_password_behind(quick_clone, several):
    done = quick_clone.run(
        *several, "strategy=seeds", "task=smoke", f"tracking.uri=http://joe:{SECRET}@127.0.0.1:9", "study.trials=1"
    )
    assert done.returncode == 1 and "http://***@127.0.0.1:9" in done.stdout, done.stdout
    written = [path for path in (quick_clone.root / "mlruns").rglob("*") if path.is_file()]
    assert any(path.name == "overrides.yaml" for path in written)
    assert not [path for path in written if SECRET.encode() in path.read_bytes()] and SECRET not in done.stdout
