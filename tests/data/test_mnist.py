"""The sample that ships: what every other room starts from."""

from __future__ import annotations

import gzip
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from numen.core.errors import InvalidInput, TooLarge
from numen.core.signature import TensorSpec
from numen.data.dataset import Dataset
from numen.data.profile import examine

DIGEST = "sha256:42b0ce981b0d45a75d38c75993079a0d0a38d51c298540a3ec2f9660d72d6ce2"


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(tmp_path_factory.mktemp("home")))
        return Dataset.open("sample:mnist")


def test_says_what_it_is(mnist: Dataset) -> None:
    assert mnist.name == "mnist"
    assert mnist.labels == tuple("0123456789")
    assert mnist.target == "label"
    assert mnist.spec == TensorSpec("image", "float32", (None, 28, 28))
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert not mnist.held_out


def test_pixels_and_labels_are_those_of_the_files(mnist: Dataset) -> None:
    folder = resources.files("numen.data") / "samples" / "mnist"
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    batch = mnist.test.arrays()
    assert batch.inputs["image"].tobytes() == raw[16:]
    assert batch.target.astype(np.uint8).tobytes() == labels[8:]


def test_the_digest_is_the_same_on_every_machine(mnist: Dataset) -> None:
    assert mnist.digest == DIGEST


def test_the_licence_ships_with_the_files() -> None:
    text = (resources.files("numen.data") / "samples" / "mnist" / "LICENCE.md").read_text()
    assert all(word in text for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0", "NIST"))


def test_arrays_are_a_view_of_the_mapped_file(mnist: Dataset) -> None:
    """The address of the array is inside the file's mapping, as the kernel tells it."""
    array = mnist.train.arrays().inputs["image"]
    assert not array.flags.owndata
    assert not array.flags.writeable
    address = array.__array_interface__["data"][0]
    with open("/proc/self/maps") as file:
        for line in file:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if low <= address < high:
                assert line.rstrip().endswith("train.arrow")
                assert address + array.nbytes <= high
                return
    pytest.fail("the array lies in no mapping")


def test_stored_order_batches_are_views_too(mnist: Dataset) -> None:
    whole = mnist.train.arrays().inputs["image"]
    for number, batch in enumerate(mnist.train.batches(1000)):
        assert np.shares_memory(batch.inputs["image"], whole)
        if number == 3:
            break


def test_arrays_refuses_more_than_the_limit(mnist: Dataset) -> None:
    with pytest.raises(TooLarge, match=r"train.*1000.*47040000"):
        mnist.train.arrays(limit=1000)


@pytest.mark.parametrize("size", [0, -1])
def test_batches_need_a_size(mnist: Dataset, size: int) -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        mnist.train.batches(size)


def test_a_bare_name_opens_the_sample(mnist: Dataset) -> None:
    assert Dataset.open("mnist").digest == mnist.digest


def test_as_a_hugging_face_dataset(mnist: Dataset) -> None:
    test = mnist.to_hf("test").with_format("numpy")
    assert test.features["label"].names == list("0123456789")
    np.testing.assert_array_equal(test[7]["image"], mnist.test.arrays().inputs["image"][7])
    assert test[7]["label"] == mnist.test.target[7]


def test_the_profile_is_quick_and_right(mnist: Dataset) -> None:
    profile = examine(mnist)
    assert sum(profile.balance["train"]) == 60_000
    assert profile.balance["test"][1] == 1135
    assert profile.schema[0].mean == pytest.approx(33.318421)
    assert profile.schema[0].std == pytest.approx(78.567490)
    assert profile.repeated == {"train": 0, "test": 0}
    assert profile.shared == 0
    assert 0 < profile.suspicious_total < 100
    assert profile.compared == 5000


def test_opening_imports_no_framework(mnist: Dataset) -> None:
    code = (
        "import sys; from numen.data.dataset import Dataset; Dataset.open('mnist');"
        "print([m for m in ('torch', 'tensorflow', 'jax', 'datasets', 'sklearn', 'pandas',"
        "'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
