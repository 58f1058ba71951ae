"""The vocabulary survives being written and read, and what cannot be read is named."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_model.request import Adapter, EditRequest, Picture, Reference, RequestError, digest

WORDS = st.text(max_size=20)
MAYBE_NAME = st.none() | st.text("0123456789abcdef", min_size=1, max_size=8)
REQUESTS = st.builds(
    EditRequest,
    instruction=WORDS,
    picture=MAYBE_NAME,
    mask=MAYBE_NAME,
    references=st.lists(st.builds(Reference, WORDS, MAYBE_NAME), max_size=3).map(tuple),
    task=st.none() | WORDS,
    control=st.none() | WORDS,
    control_picture=MAYBE_NAME,
    strength=st.none() | st.floats(0, 1),
    adapters=st.lists(st.builds(Adapter, WORDS, st.floats(-2, 2)), max_size=3).map(tuple),
    region=st.none() | st.tuples(*[st.integers(0, 9999)] * 4),
    size=st.none() | st.tuples(*[st.integers(1, 9999)] * 2),
    seed=st.integers(0, 2**64 - 1),
    steps=st.none() | st.integers(1, 100),
    guidance=st.none() | st.floats(0, 100),
    grow=st.integers(0, 99),
    fade=st.integers(0, 99),
    colour_match=st.booleans(),
    max_tokens=st.none() | st.integers(16, 8192),
)


@given(REQUESTS)
def test_a_request_written_is_read_back_equal(request: EditRequest) -> None:
    assert EditRequest.from_json(request.to_json()) == request


def test_only_what_differs_from_the_defaults_is_written() -> None:
    assert json.loads(EditRequest().to_json()) == {}
    written = EditRequest("빨간 별", references=(Reference("a"),), region=(1, 2, 3, 4)).to_json()
    assert json.loads(written) == {
        "instruction": "빨간 별",
        "references": [{"picture": "a", "mask": None}],
        "region": [1, 2, 3, 4],
    }
    assert "빨간 별" in written, "readable, not escaped"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not a readable"),
        ("[1, 2]", "not a readable"),
        ('"words"', "not a readable"),
        ('{"steps": "many"}', "steps"),
        ('{"steps": 1.5}', "steps"),
        ('{"seed": null}', "seed"),
        ('{"colour_match": 1}', "colour_match"),
        ('{"region": [1, 2, 3]}', "not a readable"),
        ('{"region": [1, 2, 3, "4"]}', "region"),
        ('{"references": ["a.png"]}', "references"),
        ('{"references": [{"mask": "a"}]}', "picture"),
        ('{"adapters": [{"name": "a", "weight": "b"}]}', "weight"),
        ('{"sharpness": 3, "mood": 1}', "mood, sharpness"),
    ],
)
def test_what_is_not_a_request_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        EditRequest.from_json(text)
    assert says in str(caught.value)


def test_whole_numbers_are_read_where_fractions_may_stand() -> None:
    request = EditRequest.from_json('{"guidance": 50, "adapters": [{"name": "a", "strength": 1}]}')
    assert request == EditRequest(guidance=50.0, adapters=(Adapter("a", 1.0),))


def test_a_digest_names_content_shape_depth_and_profile() -> None:
    pixels = np.arange(4 * 6 * 4, dtype=np.uint8).reshape(4, 6, 4)
    name = digest(Picture(pixels))
    assert name == digest(Picture(pixels.copy()))
    assert name == digest(Picture(np.asfortranarray(pixels))), "whatever the order in memory"
    changed = pixels.copy()
    changed[3, 5, 0] += 1
    others = [
        Picture(changed),
        Picture(pixels.reshape(6, 4, 4)),
        Picture(pixels.astype(np.uint16)),
        Picture(pixels, b"profile"),
    ]
    assert len({name, *map(digest, others)}) == 5


def test_the_vocabulary_loads_no_mlx() -> None:
    code = "import sys, mlx_model.request, mlx_model.tasks; sys.exit(any(m.startswith('mlx.') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
