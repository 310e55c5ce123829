"""What kind of thing an edit changes, told by the names in it: a table, and the rule that reads it.

The names are those of the field's programs, of PyTorch, and of `train.py`. Foreign code whose names say nothing is `other`.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Mapping, Sequence

OTHER, ARCHITECTURE = "other", "architecture"
# Patterns of names. The first category with a pattern that fits a name is the name's: EMBEDDING_LR is no architecture.
# Capitals are for constants. Brackets hold a class's bases: a class of nn.Module is architecture, whatever it is called.
PATTERNS: Mapping[str, str] = {
    "precision": """
        *DTYPE* *PRECISION* *BF16* *FP16* *FP8* *AUTOCAST* *TF32*
        precision autocast bfloat16 float16 float8* GradScaler *allow_tf32* set_float32_matmul_precision *_dtype""",
    "batch": """
        *BATCH* *ACCUM* *MICRO*
        *batch_size* *accumulat* micro*""",
    "initialization": """
        *INIT_* *_INIT
        initialize init_weights* _init_weights* init_params* reset_parameters
        normal_ uniform_ zeros_ ones_ constant_ orthogonal_ trunc_normal_ xavier_* kaiming_*""",
    "schedule": """
        *WARMUP* *WARMDOWN* *COOLDOWN* *SCHEDULE* *ANNEAL* *FINAL_LR* *MIN_LR* *DECAY_STEPS* MOMENTUM_STEPS
        *schedule* *Scheduler* *warmup* *warmdown* *cooldown* *anneal* progress get_lr* lr_multiplier""",
    "optimizer": """
        LR *_LR *_LR_* LR_* *LEARNING_RATE* *WEIGHT_DECAY* *BETA *BETA[0-9S]* *MOMENTUM* *ADAM* *MUON* *CLIP* POLAR_EXPRESS
        *NS_STEPS* EMA_* *_EMA
        *Optimizer* *optimizer* *Muon* muon* *Adam* adam* SGD Lion optim lr *weight_decay* *momentum* beta[0-9s]*
        param_groups *clip_grad* orthogonalize *newton_schulz*""",
    ARCHITECTURE: """
        DEPTH WIDTH ASPECT_RATIO *_DIM *LAYERS *HEADS *WINDOW* *SOFTCAP* *EXPANSION* *DROPOUT* ROPE_* *_ROPE* *ROTARY* N_EMBD
        *HIDDEN* *MLP* *EXPERTS* *ACTIVATION*
        *(*Module)* *(nn.*)* *(*.nn.*)* *Attention* *MLP* Block* *GPT* *Transformer*
        norm *rms_norm* rotate *rotary* apply_rope* *attention* layer_window build_model""",
}
NAMES: Mapping[str, Sequence[str]] = {category: patterns.split() for category, patterns in PATTERNS.items()}
CATEGORIES = (*NAMES, OTHER)


def categories(touched: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Of an edit, by the parts that it touched, as `search.study.touched` writes them. Every edit has at least one."""
    return frozenset(category for part, words in touched.items() for category in _of_part(part, words))


def _of_part(part: str, words: Sequence[str]) -> set[str]:
    """By the part's own name. Where that is a part of the model, or says nothing, the words of its changed lines come first:
    weights can be initialised in any class."""
    named = next((category for name in _names(part) if (category := category_of(name)) is not None), OTHER)
    if named not in (ARCHITECTURE, OTHER):
        return {named}
    said = {category for word in words if (category := category_of(word)) is not None and category != ARCHITECTURE}
    return said or {named}


def _names(part: str) -> list[str]:
    """The names in a part's: of a method, its own and then its class's; of an assignment, all that it sets."""
    if part.endswith(")"):
        return [part]  # a class: its bases may hold commas and dots
    owner, _, own = part.rpartition(".")
    return [*own.split(", "), owner] if owner else own.split(", ")


@functools.lru_cache(maxsize=4096)
def category_of(name: str) -> str | None:
    """None where no pattern fits a name."""
    fitting = (category for category, patterns in NAMES.items() if any(fnmatch.fnmatchcase(name, one) for one in patterns))
    return next(fitting, None)
