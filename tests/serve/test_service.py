"""The Service: only what keeps its word goes live, and a swap loses nobody's request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper, save

from numen.core.bundle import GOLDEN, Bundle, Golden, pack_golden
from numen.core.errors import CorruptBundle, InvalidInput, NotFound, NotReady, NumenError
from numen.core.manifest import Manifest, Variant
from numen.core.message import Answer, Request
from numen.core.signature import Signature, TensorSpec
from numen.serve.ladder import Ladder, Pace
from numen.serve.live import Endpoint, Table
from numen.serve.opening import Opened, open_model
from numen.serve.service import Service
from parts import linear_graph, make_bundle

X = np.random.default_rng(7).random((3, 28, 28), np.float32)


def again(bundle: Bundle, target: Path, golden: Golden | None, **changes: object) -> Bundle:
    """The bundle with other recorded samples or other words."""
    files: dict[str, Path | bytes] = {"predict.onnx": bundle.file("predict.onnx")}
    if golden is not None:
        files[GOLDEN] = pack_golden(golden)
    return Bundle.write(target, msgspec.structs.replace(bundle.manifest, **changes), files)


# Opening


def test_a_model_opens_warm_and_measured(bundle: Bundle) -> None:
    opened = open_model("m", "1", bundle, max_rows=16)
    best = opened.ladder.best
    assert 0 < best.pace.expect(1) <= best.pace.expect(16) * 3 < 1
    assert best.runtime.predict({"image": X})["probabilities"].shape == (3, 10)


@pytest.mark.parametrize("by", [0.01, 1.0, np.nan])
def test_a_model_that_does_not_give_what_was_recorded_is_refused(
    bundle: Bundle, tmp_path: Path, by: float
) -> None:
    golden = bundle.golden()
    golden.outputs["probabilities"][2, 5] += by
    changed = again(bundle, tmp_path / "changed", golden)
    with pytest.raises(CorruptBundle, match=r"model m@1: recorded samples: output \"prob.*differs"):
        open_model("m", "1", changed)


def test_rounding_is_no_difference(bundle: Bundle, tmp_path: Path) -> None:
    golden = bundle.golden()
    golden.outputs["probabilities"] += np.float32(1e-5)
    open_model("m", "1", again(bundle, tmp_path / "changed", golden))


SAMPLES: dict[str, Callable[[Golden], Golden]] = {
    "another output": lambda g: Golden(g.inputs, {"scores": g.outputs["probabilities"]}),
    "fewer rows": lambda g: Golden(g.inputs, {"probabilities": g.outputs["probabilities"][:1]}),
    "another input": lambda g: Golden({"picture": g.inputs["image"]}, g.outputs),
    "another input type": lambda g: Golden({"image": g.inputs["image"].astype("f8")}, g.outputs),
    "another input shape": lambda g: Golden({"image": g.inputs["image"][:, :9]}, g.outputs),
    "no input": lambda g: Golden({}, g.outputs),
    "no rows": lambda g: Golden({"image": g.inputs["image"][:0]}, g.outputs),
}


@pytest.mark.parametrize("change", SAMPLES.values(), ids=SAMPLES)
def test_samples_that_do_not_fit_the_model_are_refused(
    bundle: Bundle, tmp_path: Path, change: Callable[[Golden], Golden]
) -> None:
    changed = again(bundle, tmp_path / "changed", change(bundle.golden()))
    with pytest.raises(CorruptBundle, match="model m@1: recorded samples: "):
        open_model("m", "1", changed)


def test_a_signature_that_is_not_the_graphs_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    signature = Signature(
        (TensorSpec("image", "float32", (None, 784)),), bundle.manifest.signature.outputs
    )
    changed = again(bundle, tmp_path / "changed", bundle.golden(), signature=signature)
    with pytest.raises(CorruptBundle, match=r"expected float32\[\?, 784\]"):
        open_model("m", "1", changed)


def test_without_samples_nothing_goes_live(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"golden\.npz"):
        open_model("m", "1", again(bundle, tmp_path / "changed", None))


def test_a_runtime_that_is_not_installed_is_named(bundle: Bundle, tmp_path: Path) -> None:
    variants = (Variant("fp32", "abacus", "predict.onnx"),)
    changed = again(bundle, tmp_path / "changed", bundle.golden(), variants=variants)
    with pytest.raises(InvalidInput, match='received "abacus"'):
        open_model("m", "1", changed)


def labels_bundle(folder: Path, recorded: list[str]) -> Bundle:
    """A model whose outputs are text and a number that is not one."""
    nodes = [
        helper.make_node(
            "LabelEncoder", ["x"], ["label"], domain="ai.onnx.ml",
            keys_int64s=[0, 1], values_strings=["no", "yes"],
        ),
        helper.make_node("Cast", ["x"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Log", ["number"], ["log"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "labels", [helper.make_tensor_value_info("x", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
         helper.make_tensor_value_info("log", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "labels.onnx")
    signature = Signature(
        (TensorSpec("x", "int64", (None,)),),
        (TensorSpec("label", "string", (None,)), TensorSpec("log", "float32", (None,))),
    )
    golden = Golden(
        {"x": np.array([0, 1, -1])},
        {
            "label": np.array(recorded, object),
            "log": np.array([-np.inf, 0, np.nan], np.float32),
        },
    )
    return Bundle.write(
        folder / "labels",
        Manifest(signature, (Variant("fp32", "onnx", "predict.onnx"),)),
        {"predict.onnx": folder / "labels.onnx", GOLDEN: pack_golden(golden)},
    )


def test_text_and_missing_numbers_are_compared_as_well(tmp_path: Path) -> None:
    open_model("m", "1", labels_bundle(tmp_path, ["no", "yes", "_Unused"]))
    (tmp_path / "other").mkdir()
    with pytest.raises(CorruptBundle, match='output "label" differs'):
        open_model("m", "1", labels_bundle(tmp_path / "other", ["no", "no", "_Unused"]))


# Finding


def table_of(*endpoints: Endpoint, default: str, aliases: dict[str, str] | None = None) -> Table:
    return Table(
        {"m": {endpoint.version: endpoint for endpoint in endpoints}},
        {"m": aliases or {}},
        {"m": default},
    )


def run(scene: Callable[[Service], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene(Service())

    asyncio.run(main())


def test_endpoints_are_found_by_version_and_alias(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path, seed) for seed in range(2)]

    async def scene(service: Service) -> None:
        with pytest.raises(NotReady, match="still being loaded"):
            service.find("m")
        one, two = (
            service.admit(open_model("m", str(n), bundle)) for n, bundle in enumerate(bundles, 1)
        )
        service.swap(table_of(one, two, default="1", aliases={"champion": "1", "shadow": "2"}))
        assert service.find("m") is service.find("m", "1") is service.find("m", "champion") is one
        assert service.find("m", "2") is service.find("m", "shadow") is two
        with pytest.raises(NotFound, match="'3' is not live; live: 1, 2, champion, shadow"):
            service.find("m", "3")
        with pytest.raises(NotFound, match="model 'none' is not live; live: m"):
            service.find("none")
        with pytest.raises(NotFound) as caught:
            service.find("x" * 10_000)
        assert len(str(caught.value)) < 200
        with pytest.raises(TypeError):
            service.models["m"] = None  # type: ignore[index]
        service.close()
        with pytest.raises(NotReady):
            service.find("m")

    run(scene)


def test_a_request_is_checked_before_it_queues(bundle: Bundle) -> None:
    async def scene(service: Service) -> None:
        endpoint = service.admit(open_model("m", "1", bundle))
        service.swap(table_of(endpoint, default="1"))
        for inputs in ({}, {"image": X[0]}, {"image": X, "more": X}, {"image": X * np.nan}):
            with pytest.raises(InvalidInput):
                await service.predict(Request("m", inputs))
        with pytest.raises(NotFound):
            await service.predict(Request("m", {"image": X}, version="9"))
        answer = await service.predict(Request("m", {"image": X}))
        assert (answer.model, answer.version) == ("m", "1")
        assert answer.outputs["probabilities"].shape == (3, 10)
        service.close()

    run(scene)


def test_who_stops_waiting_cancels_the_work(bundle: Bundle) -> None:
    async def scene(service: Service) -> None:
        endpoint = service.admit(open_model("m", "1", bundle))
        service.swap(table_of(endpoint, default="1"))
        request = Request("m", {"image": np.zeros((64, 28, 28), np.float32)})
        before = asyncio.ensure_future(service.predict(Request("m", {"image": X})))
        waiting = asyncio.ensure_future(service.predict(request))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert request.cancelled
        assert (await before).outputs["probabilities"].shape == (3, 10)
        await asyncio.sleep(0.01)
        assert endpoint.stats.variants["fp32"].rows == 3
        assert endpoint.stats.failures["cancelled"].count == 1
        service.close()

    run(scene)


# Swapping


def paced(opened: Opened, seconds: float) -> Opened:
    """As if a full batch took so long."""
    best = replace(opened.ladder.best, pace=Pace({1: max(seconds, 1e-6)}))
    return replace(opened, ladder=Ladder([best]))


@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["loop", "thread"])
def test_a_swap_under_load_loses_nothing(tmp_path: Path, seconds: float) -> None:
    bundles = [make_bundle(tmp_path, seed) for seed in range(2)]
    expected = [linear_graph(tmp_path / "m.onnx", seed)(X) for seed in range(2)]

    async def scene(service: Service) -> None:
        made: list[Endpoint] = []

        def admit() -> Endpoint:
            number = len(made)
            opened = open_model("m", str(number), bundles[number % 2])
            made.append(service.admit(paced(opened, seconds)))
            return made[-1]

        service.swap(table_of(admit(), default="0"))
        answers: list[tuple[int, int, Answer]] = []
        failures: list[NumenError] = []
        done = False

        async def call() -> None:
            while not done:
                at_least = int(service.find("m").version)
                try:
                    answer = await service.predict(Request("m", {"image": X}))
                except NumenError as error:
                    failures.append(error)
                else:
                    answers.append((at_least, int(service.find("m").version), answer))
                await asyncio.sleep(0)

        callers = [asyncio.create_task(call()) for _ in range(8)]
        for _ in range(30):
            await asyncio.sleep(0.003)
            endpoint = admit()
            service.swap(table_of(endpoint, default=endpoint.version))
        done = True
        await asyncio.gather(*callers)
        assert failures == []
        assert len(answers) > 100
        for earliest, latest, answer in answers:
            version = int(answer.version)
            assert earliest <= version <= latest, "neither older nor newer than was live"
            np.testing.assert_allclose(
                answer.outputs["probabilities"], expected[version % 2], atol=1e-6
            )
        assert len({answer.version for _, _, answer in answers}) > 20
        service.close()
        await asyncio.sleep(0.05)
        for endpoint in made:
            with pytest.raises(NotReady):
                endpoint.batcher.submit(Request("m", {"image": X}), 3, print)

    run(scene)


def test_what_is_listed_again_stays_open(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path, seed) for seed in range(2)]

    async def scene(service: Service) -> None:
        one, two = (
            service.admit(open_model("m", str(n), bundle)) for n, bundle in enumerate(bundles, 1)
        )
        service.swap(table_of(one, two, default="1"))
        service.swap(table_of(two, default="2"))
        assert (await service.predict(Request("m", {"image": X}))).version == "2"
        with pytest.raises(NotReady):
            service.submit(one, Request("m", {"image": X}), print)
        service.close()

    run(scene)


def test_a_table_without_its_default_changes_nothing(bundle: Bundle) -> None:
    async def scene(service: Service) -> None:
        endpoint = service.admit(open_model("m", "1", bundle))
        service.swap(table_of(endpoint, default="1"))
        with pytest.raises(KeyError):
            service.swap(table_of(endpoint, default="2"))
        assert (await service.predict(Request("m", {"image": X}))).version == "1"
        service.close()

    run(scene)
