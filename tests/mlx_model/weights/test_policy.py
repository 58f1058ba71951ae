"""Every tensor of every part has a rule, and the documentation states the rules as they are."""

from pathlib import Path

import pytest

from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.policy import POLICY, Part, keeping
from tests.mlx_model.weights.sources import FULL_SIZE

PAGE = Path(__file__).parents[3] / "docs" / "quantization.md"
PARTS: tuple[Part, ...] = ("transformer", "t5", "clip", "autoencoder", "preview_decoder")


@pytest.mark.parametrize("part", PARTS)
def test_every_tensor_has_a_rule_and_every_rule_a_tensor(part: Part) -> None:
    names = [name for tensors in part_tensors(part, FULL_SIZE).values() for name in tensors]
    met = {
        next(rule.what for rule in POLICY if rule.part == part and rule.names.search(name)): name for name in names
    }
    assert all(keeping(part, name) for name in names)
    assert set(met) == {rule.what for rule in POLICY if rule.part == part}


def test_only_matrices_are_quantized() -> None:
    for part in PARTS:
        for tensors in part_tensors(part, FULL_SIZE).values():
            wrong = [n for n, shape in tensors.items() if keeping(part, n) == "quantized" and len(shape) != 2]
            assert not wrong


def test_the_documentation_has_the_same_table() -> None:
    rows = [f"| {rule.part} | {rule.what} | {rule.keeping} | {rule.why} |" for rule in POLICY]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line in rows] == rows
    start = lines.index(rows[0])
    assert lines[start + len(rows)] == "", "the page's table has more rows than the policy"
