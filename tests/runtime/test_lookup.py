"""The lookup runtime, and variants published beside a model: found, measured, and served."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from numen.api.variants import with_variants
from numen.core.bundle import Bundle
from numen.core.errors import CorruptBundle, InvalidInput, NotFound
from numen.core.settings import Settings
from numen.registry import Registry
from numen.runtime.lookup import LookupRuntime
from parts import linear_graph, make_bundle, start_server, stop


def table(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **{name.replace("_", ":", 1): array for name, array in arrays.items()})
    return path


def test_known_rows_have_their_answers_and_all_else_the_rest(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    y = np.array([[1.0], [2.0], [3.0]], np.float32)
    path = table(tmp_path / "t.npz", in_x=x, out_y=y, else_y=np.array([9.0], np.float32))
    runtime = LookupRuntime()
    runtime.open(path)
    said = runtime.predict({"x": np.array([[4, 5], [7, 7], [0, 1]], np.float32)})
    assert said["y"].tolist() == [[3.0], [9.0], [1.0]]
    assert [str(spec) for spec in runtime.signature.outputs] == ["float32[?, 1]"]
    runtime.close()


def test_a_rule_answers_everybody_alike(tmp_path: Path) -> None:
    runtime = LookupRuntime()
    runtime.open(table(tmp_path / "t.npz", else_y=np.array([0.5, 0.5], np.float32)))
    assert runtime.predict({"x": np.zeros((3, 4))})["y"].tolist() == [[0.5, 0.5]] * 3


@pytest.mark.parametrize(
    "arrays",
    [
        {"out_y": np.zeros((2, 1))},
        {"in_x": np.zeros((2, 1)), "out_y": np.zeros((3, 1)), "else_y": np.zeros(1)},
        {"in_x": np.zeros((2, 1)), "out_z": np.zeros((2, 1)), "else_y": np.zeros(1)},
        {"in_x": np.zeros((2, 1)), "out_y": np.zeros((2, 1)), "else_y": np.zeros(2)},
        {"in_x": np.array(1.0), "out_y": np.zeros((1, 1)), "else_y": np.zeros(1)},
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    with pytest.raises(CorruptBundle):
        LookupRuntime().open(table(tmp_path / "t.npz", **arrays))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(CorruptBundle, match=r"expected an \.npz"):
        LookupRuntime().open(path)


# Variants


def rule(folder: Path) -> Path:
    return table(folder / "rule.npz", else_probabilities=np.full(10, 0.1, np.float32))


def test_variants_join_the_bundle_with_their_agreement(bundle: Bundle, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    linear_graph(other, 0)
    made = with_variants(bundle, tmp_path / "made", {"twin": other, "rule": rule(tmp_path)})
    assert [v.name for v in made.manifest.variants] == ["fp32", "twin", "rule"]
    assert made.manifest.variants[1].metrics == {"agreement": 1.0}
    assert 0 <= made.manifest.variants[2].metrics["agreement"] < 1
    again = Bundle.open(made.path, made.digest)
    assert again.golden().outputs.keys() == bundle.golden().outputs.keys()


def test_a_variant_that_does_not_fit_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    wrong = table(tmp_path / "wrong.npz", else_probabilities=np.zeros(3, np.float32))
    cases = [
        ({"wrong": wrong}, InvalidInput), ({"fp32": rule(tmp_path)}, InvalidInput),
        ({"absent": tmp_path / "absent.onnx"}, NotFound), ({"a b": rule(tmp_path)}, InvalidInput),
    ]  # fmt: skip
    for paths, error in cases:
        with pytest.raises(error):
            with_variants(bundle, tmp_path / "made", paths)
        assert not (tmp_path / "made").exists()


def test_a_server_says_who_answered(tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    made = with_variants(
        make_bundle(tmp_path / "make"), tmp_path / "made", {"rule": rule(tmp_path)}
    )
    registry.publish("linear", made)
    url, process = start_server(tmp_path)
    body = {
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 28, 28], "data": [0.0] * 784}]
    }
    try:
        for path in ("infer", "infer?slow"):
            for deadline in ({}, {"numen-deadline-ms": "5000"}):
                reply = httpx.post(f"{url}/v2/models/linear/{path}", json=body, headers=deadline)
                assert reply.status_code == 200
                assert reply.headers["numen-served-by"] == "linear@1/fp32"
                assert reply.headers["numen-outcome"] == "met"
        begin = time.monotonic()
        late = httpx.post(
            f"{url}/v2/models/linear/infer", json=body, headers={"numen-deadline-ms": "0.0001"}
        )
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        assert time.monotonic() - begin < 5
    finally:
        stop(process)
        registry.catalog.close()
