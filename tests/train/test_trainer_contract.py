"""What every installed trainer promises, for each of its families, asked from the plug-ins.

A family says by accepting or refusing which kinds of data it takes; at least one it must take.
"""

from __future__ import annotations

import functools

import kinds
import numpy as np
import onnxruntime
import pytest

from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.train.base import Run
from numen.train.find import families, trainer_for, usual_space
from numen.train.recipe import make
from numen.train.space import build, ends
from numen.train.trial import rehearse

FAMILIES = sorted(families()[0])
EPOCHS = 4
# Recipe fields that not every family can use, with a value that means something where one can.
OPTIONS = {
    "optimizer": "sgd", "learning_rate": 0.01, "batch_size": 8, "loss": "mse", "schedule": "cosine",
    "weight_decay": 0.01, "class_weight": "balanced", "body": "a-body", "patience": 3,
    "augment": {"flip": True}, "backend": "jax", "precision": "mixed_bfloat16",
}  # fmt: skip


class Told:
    """A Progress that remembers; presses Ctrl-C, or fails, at the end of an epoch if asked to."""

    def __init__(self, stop_at: int | None = None, error: type[BaseException] = KeyboardInterrupt):
        self.stop_at, self.error = stop_at, error
        self.notes: list[str] = []
        self.begun: list[tuple[int, int]] = []
        self.epochs: list[int] = []

    def begin(self, epochs, steps):
        self.begun.append((epochs, steps))
        if self.stop_at == 0:
            raise self.error

    def step(self, metrics):
        pass

    def epoch(self, number, metrics):
        self.epochs.append(number)
        if self.stop_at and len(self.epochs) == self.stop_at:
            raise self.error

    def note(self, message):
        self.notes.append(message)


# What a family's recipe must say.
NEEDED: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data by kind; a kind whose source is not there yet is left out."""
    folder = tmp_path_factory.mktemp("contract")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        NEEDED["transfer"] = {"body": str(kinds.body(folder / "body.onnx"))}
        for kind, write in kinds.KINDS.items():
            (folder / kind).mkdir()
            try:
                found[kind] = write(folder / kind)
            except (NotFound, InvalidInput, InvalidData):
                continue
        yield found


def recipe_of(family: str, **more):
    """A small recipe: few epochs, and the least of what the family says is worth trying."""
    table = {"family": family, "seed": 7, "epochs": EPOCHS, **NEEDED.get(family, {}), **more}
    space = build(usual_space(make({"family": family})))
    least = next(ends(space), {}) if space else {}
    small = {name: value for name, value in least.items() if name in SMALL}
    table["params"] = {**small, **table.get("params", {})}
    if family in IN_ONE_GO:
        del table["epochs"]
    return make(table)


def why_not(family: str, dataset, **more) -> InvalidInput | None:
    """Why a training does not begin, or None where it does."""
    try:
        rehearse(dataset, [recipe_of(family, **more)])
    except InvalidInput as error:
        if error.field == "epochs" and family not in IN_ONE_GO:
            IN_ONE_GO.add(family)
            return why_not(family, dataset, **more)
        return error
    return None


SMALL = frozenset({"units", "layers", "filters", "blocks", "heads", "width", "depth"})


IN_ONE_GO: set[str] = set()  # families that say they have no epochs


def fit(data, family, folder, *, told=None, resume=False, **more):
    recipe = recipe_of(family, **more)
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Told(), resume))


@pytest.fixture(scope="module")
def taken(data):
    """Which kinds a family takes: it begins to train on them, or refuses by a typed error."""

    @functools.cache
    def kinds(family: str) -> tuple[str, ...]:
        return tuple(kind for kind, dataset in data.items() if not why_not(family, dataset))

    return kinds


def rows(dataset, count: int = 30):
    """Rows no training saw, as the model takes them."""
    batch = dataset.test.take(range(min(count, len(dataset.test)))).arrays()
    given = batch.inputs[dataset.spec.name]
    return {dataset.spec.name: given.astype("float32") if given.dtype.kind in "fiu" else given}


def outputs(trained, dataset):
    (made,) = trained.predict(rows(dataset)).values()
    return made


@pytest.fixture(scope="module")
def unbroken(data, taken, tmp_path_factory):
    """What a family comes to in one go: the model, what was told of it, what it answers."""

    @functools.cache
    def trained(family: str):
        dataset, told = data[taken(family)[0]], Told()
        made = fit(dataset, family, tmp_path_factory.mktemp("unbroken"), told=told)
        return made, told, outputs(made, dataset)

    return trained


@pytest.mark.parametrize("family", FAMILIES)
def test_takes_some_kind_and_exports_it_as_it_is(data, taken, unbroken, family, tmp_path):
    kinds = taken(family)
    assert kinds, f"{family} takes none of {list(data)}"
    for kind in data.keys() - set(kinds):
        assert len(why_not(family, data[kind]).message) > 20
    for number, kind in enumerate(kinds):
        told = Told()
        if number == 0:
            trained, told, _ = unbroken(family)
        else:
            trained = fit(data[kind], family, tmp_path / kind, told=told)
        assert trained.family == family
        assert trained.stopped == "finished"
        assert trained.signature.inputs == (data[kind].spec,)
        assert told.epochs == sorted(set(told.epochs))
        assert told.epochs[-1] == told.begun[0][0]
        assert len(told.begun) == 1
        trained.export(tmp_path / f"{kind}.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / f"{kind}.onnx"))
        (spec,) = trained.signature.outputs
        assert [output.name for output in session.get_outputs()] == [spec.name]
        inputs, expected = rows(data[kind]), outputs(trained, data[kind])
        assert expected.shape[1:] == spec.shape[1:]
        for count in (1, 7, len(expected)):
            given = {name: x[:count] for name, x in inputs.items()}
            received = session.run(None, given)[0]
            np.testing.assert_allclose(
                received, expected[:count], rtol=0, atol=trained.tolerance, err_msg=kind
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_gives_one_model(data, taken, unbroken, family, tmp_path):
    dataset = data[taken(family)[0]]
    again = outputs(fit(dataset, family, tmp_path), dataset)
    np.testing.assert_array_equal(again, unbroken(family)[2])


@pytest.mark.parametrize("family", FAMILIES)
def test_ctrl_c_keeps_the_best_and_resuming_ends_where_an_unbroken_run_does(
    data, taken, unbroken, family, tmp_path
):
    dataset = data[taken(family)[0]]
    if family in IN_ONE_GO:
        pytest.skip(f"{family} is trained in one go")
    told = Told(stop_at=2)
    broken = fit(dataset, family, tmp_path / "broken", told=told)
    assert broken.stopped == "interrupted"
    assert len(broken.history) == 2
    broken.export(tmp_path / "best.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "best.onnx"))
    np.testing.assert_allclose(
        session.run(None, rows(dataset))[0], outputs(broken, dataset), atol=broken.tolerance
    )
    again = Told()
    resumed = fit(dataset, family, tmp_path / "broken", told=again, resume=True)
    assert again.epochs[0] > told.epochs[-1], f"{family} did the same epochs again"
    model, _, whole = unbroken(family)
    assert resumed.stopped == "finished"
    assert len(resumed.history) == len(model.history)
    np.testing.assert_allclose(outputs(resumed, dataset), whole, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_crash_costs_no_more_than_what_was_not_kept(data, taken, unbroken, family, tmp_path):
    """tests/train/test_killed.py kills processes; here whatever fails leaves files like theirs."""
    dataset = data[taken(family)[0]]
    with pytest.raises(MemoryError):
        fit(dataset, family, tmp_path / "broken", told=Told(stop_at=1, error=MemoryError))
    told = Told()
    resumed = fit(dataset, family, tmp_path / "broken", told=told, resume=True)
    assert any("going on after" in note or "beginning anew" in note for note in told.notes)
    np.testing.assert_allclose(outputs(resumed, dataset), unbroken(family)[2], atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_ctrl_c_before_anything_is_there_goes_through(data, taken, family, tmp_path):
    dataset = data[taken(family)[0]]
    with pytest.raises(KeyboardInterrupt):
        fit(dataset, family, tmp_path, told=Told(stop_at=0))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_it_cannot_use_is_refused_by_name(data, taken, family, tmp_path):
    dataset = data[taken(family)[0]]
    with pytest.raises(InvalidInput, match="wings") as error:
        fit(dataset, family, tmp_path, params={"wings": 2})
    assert error.value.field == "wings"
    for name in OPTIONS.keys() - NEEDED.get(family, {}).keys():
        value = OPTIONS[name]
        reason = why_not(family, dataset, **{name: value})
        assert reason is None or name in reason.message


@pytest.mark.parametrize("family", FAMILIES)
def test_what_it_suggests_to_try_fits(data, taken, family):
    space = build(usual_space(make({"family": family})))
    for point in ends(space) if space else ():
        fields = {name: value for name, value in point.items() if name in OPTIONS}
        params = {name: value for name, value in point.items() if name not in OPTIONS}
        rehearse(data[taken(family)[0]], [recipe_of(family, params=params, **fields)])
