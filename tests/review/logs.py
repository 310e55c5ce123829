"""Small logs in the shapes that people publish, and reading them."""

from __future__ import annotations

from search.config.commands import ReviewConfig, ReviewNoiseConfig
from search.review.read.log import Log, read_log

TABS = """commit\tval_bpb\tmemory_gb\tstatus\tdescription
aaa\t1.0000\t44.0\tkeep\tbaseline
bbb\t0.9900\t44.0\tkeep\tlarger batch
ccc\t0.0\t0.0\tcrash\tdepth 12
ddd\t0.9950\t44.0\tdiscard\twarm-up
eee\t0.9895\t44.0\tkeep\tlearning rate é 2
"""
COMMAS = """description,status,val_bpb,commit
baseline,KEEP,1.0000,aaa
"larger, batch",kept,0.9900,bbb
depth 12,oom,,ccc
warm-up,reverted,0.9950,ddd
learning rate,Keep (best yet),0.9895,eee
"""
JSON = """{"type":"config","metricName":"bpb","metricUnit":"bits","bestDirection":"lower"}
{"run":1,"commit":"aaa","metric":1.0,"metrics":{"loss":3},"status":"keep","description":"baseline"}
{"run":2,"commit":"bbb","metric":0.99,"metrics":{"loss":2},"status":"keep","description":"larger batch"}

{"run":3,"commit":"bbb","metric":0,"metrics":{},"status":"crash","description":"depth 12","segment":0}
{"run":4,"commit":"bbb","metric":0.995,"status":"checks_failed","description":"warm-up","confidence":null}
{"run":5,"commit":"eee","metric":0.9895,"status":"keep","description":"learning rate"}
"""


def settings(**given) -> ReviewConfig:
    noise = ReviewNoiseConfig(**{"repeats": "same", **given.pop("noise", {})})
    return ReviewConfig(noise=noise, minutes=5.5, program="train.py", **given)


def read(folder, text: str, **given) -> Log:
    path = folder / "results"
    path.write_text(text, encoding="utf-8")
    return read_log(path, settings(**given))
