"""Every way of attention means the same: held against scores that are all in memory, masked, in float32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from search.task import attention_choice
from search.task.attention import AttentionUnavailable, Flex, Masked, Varlen, reference
from search.task.attention_choice import WAYS, check, choose

CPU = torch.device("cpu")
LENGTH = 96


def inputs(length=LENGTH, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, length, 2, 16, generator=generator) for _ in range(3)]


def varlen_as_documented(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, window_size=(-1, -1)):
    """What PyTorch's documentation says of varlen_attn, sequence by sequence, with every score in memory."""
    mixed = torch.empty_like(query)
    for begin, end in zip(cu_seq_q[:-1].tolist(), cu_seq_q[1:].tolist(), strict=True):
        assert end - begin <= max_q and torch.equal(cu_seq_q, cu_seq_k)
        places = torch.arange(end - begin)
        distance = places[:, None] - places[None, :]
        seen = torch.ones_like(distance, dtype=torch.bool)
        if window_size[0] >= 0:
            seen &= distance <= window_size[0]
        if window_size[1] >= 0:
            seen &= -distance <= window_size[1]
        scores = torch.einsum("qhd,khd->hqk", query[begin:end], key[begin:end]) * query.size(-1) ** -0.5
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        mixed[begin:end] = torch.einsum("hqk,khd->qhd", weights, value[begin:end])
    return mixed


class VarlenHere(Varlen):
    """With the kernel that only CUDA has replaced by what it is documented to compute."""

    def __init__(self, device, sequence_length, windows):
        super().__init__(device, sequence_length, windows)
        self.varlen_attn = varlen_as_documented


@pytest.mark.parametrize("window", [1, 2, 17, LENGTH - 1, LENGTH, 5 * LENGTH])
@pytest.mark.parametrize("length", [LENGTH, 50])
@pytest.mark.parametrize("way", [Masked, VarlenHere, Flex])
def test_a_window_shows_itself_and_the_places_before(way, length, window):
    if way is Flex and length < LENGTH:
        pytest.skip("its blocks are laid out for whole rows, which is all that training and scoring have")
    attend = way(CPU, LENGTH, (window,))
    query, key, value = inputs(length)
    exact = reference(query, key, value, window)
    with torch.no_grad():  # on a CPU, FlexAttention has no backward pass
        assert torch.allclose(attend(query, key, value, window), exact, atol=1e-5)
        later = [torch.cat((tensor[:, :-1], torch.randn_like(tensor[:, -1:])), dim=1) for tensor in (query, key, value)]
        assert torch.equal(attend(*later, window)[:, :-1], attend(query, key, value, window)[:, :-1])


def test_the_reference_itself_is_attention():
    query, key, value = inputs(5)
    row, place, head, window = 1, 3, 1, 2
    scores = torch.stack([query[row, place, head] @ key[row, at, head] / 4.0 for at in (2, 3)])
    by_hand = scores.softmax(0) @ value[row, 2:4, head]
    assert torch.allclose(reference(query, key, value, window)[row, place, head], by_hand, atol=1e-6)


@pytest.mark.parametrize("way", [Masked, VarlenHere])
def test_an_honest_way_passes_its_check(way):
    check(way, CPU, head_dim=16)


def off_by_one(query, key, value, window):
    return reference(query, key, value, window + 1)


def blind_to_windows(query, key, value, window):
    return reference(query, key, value, query.size(1))


def wrong_backwards(query, key, value, window):
    """Right forwards; the gradient of the keys comes from values alone."""
    right = reference(query, key, value, window)
    return (
        right.detach()
        + reference(query, key.detach(), value, window)
        - reference(query, key.detach(), value, window).detach()
    )


def refused(query, key, value, window):
    raise RuntimeError("no kernel takes this width\nand more")


def not_a_number(query, key, value, window):
    return reference(query, key, value, window) * float("nan")


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (off_by_one, "off by 0.*true output, window"),
        (blind_to_windows, "true output, window"),
        (wrong_backwards, "true key"),
        (not_a_number, "off by nan"),
        (refused, "^no kernel takes this width$"),
    ],
)
def test_a_way_that_means_something_else_is_not_taken(kernel, said):
    class Wrong(Masked):
        def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
            # A gradient must exist for every input, if only of nothing.
            return kernel(query, key, value, window) + 0 * (query.sum() + key.sum() + value.sum())

    with pytest.raises(AttentionUnavailable, match=said):
        check(Wrong, CPU, head_dim=16)


def test_the_next_way_is_taken_aloud(monkeypatch, capsys):
    """As on a GPU, where there are several."""

    class Wrong(Masked):
        name = "wrong"

        def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
            return off_by_one(query, key, value, window)

    class Absent(Masked):
        name = "absent"

        def __init__(self, device, sequence_length, windows):
            raise AttentionUnavailable("needs what is not here")

    monkeypatch.setattr(attention_choice, "candidates", lambda device, compiled: (Absent, Wrong, Masked))
    choose.cache_clear()
    taken = choose(torch.device("cpu", 0), 64, (16,), 16)
    choose.cache_clear()
    assert type(taken) is Masked
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "attention: not by absent: needs what is not here"
    assert said[1].startswith("attention: not by wrong: it is off by 0.")


def test_a_package_that_is_another_is_refused_and_what_it_changed_undone(monkeypatch, capsys):
    """As a FlashAttention-3 without the operators that PyTorch looks for: it says so in a RuntimeError."""
    undone = []

    class Foreign(Masked):
        name = "foreign"

        def __init__(self, device, sequence_length, windows):
            raise RuntimeError("Module 'flash_attn_interface' does not expose FA3 kernels")

        @classmethod
        def withdraw(cls):
            undone.append(cls.name)

    monkeypatch.setattr(attention_choice, "candidates", lambda device, compiled: (Foreign, Masked))
    choose.cache_clear()
    assert type(choose(CPU, 64, (16,), 16)) is Masked and undone == ["foreign"]
    assert "not by foreign: Module 'flash_attn_interface' does not expose" in capsys.readouterr().out
    choose.cache_clear()


@pytest.mark.parametrize("kernel", [reference, off_by_one, refused])
def test_cudnn_comes_first_only_where_it_works_and_means_the_same(kernel, monkeypatch, capsys):
    """The process-wide order, with a stand-in for what the kernel answers."""
    monkeypatch.setattr(Masked, "full", lambda self, query, key, value: kernel(query, key, value, query.size(1) // 2))
    monkeypatch.setattr(attention_choice, "_entered", [])
    if kernel is reference:
        monkeypatch.setattr(Masked, "full", lambda self, query, key, value: reference(query, key, value, query.size(1)))
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        attention_choice.use_cudnn(CPU, 16)
        taken = kernel is reference
        assert torch.backends.cuda.cudnn_sdp_enabled() is taken and bool(attention_choice._entered) is taken
        assert ("attention: not by cuDNN: " in capsys.readouterr().out) is not taken
    finally:
        for order in attention_choice._entered:
            order.close()
        torch.backends.cuda.enable_cudnn_sdp(before)


def test_without_a_way_that_works_it_is_an_error(monkeypatch):
    monkeypatch.setattr(attention_choice, "candidates", lambda device, compiled: ())
    choose.cache_clear()
    with pytest.raises(AttentionUnavailable, match="no way of attention works on cpu with 16 channels"):
        choose(CPU, 64, (16,), 16)


def test_a_way_can_be_chosen_while_scoring():
    choose.cache_clear()
    with torch.inference_mode():
        attend = choose(CPU, LENGTH, (16, LENGTH), 16)
        query, key, value = inputs()
        assert torch.allclose(attend(query, key, value, 16), reference(query, key, value, 16), atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("head_dim", [64, 128])
def test_every_way_that_this_gpu_has_agrees(way, head_dim):
    try:
        check(way, torch.device("cuda"), head_dim)
    except AttentionUnavailable as error:
        assert "off by" not in str(error)
        pytest.skip(str(error))
    finally:
        way.withdraw()
