"""What the pages take for granted: a folder with a reader's files, and models already published.

Run as a script it makes both below the folder it is given: `files`, and `home` with the data sets
`mnist` (a fortieth of it, so that trainings take seconds), `loans` and `reviews`, a model of each,
`digits`, `loans` and `reviews`, and `iris`, scikit-learn's.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import os
import shutil
import sys
import wave
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
MNIST = ROOT / "src/numen/data/samples/mnist"
GOOD = ["a", "quiet", "generous", "film", "warm", "funny", "and", "moving", "fine", "acting"]
BAD = ["two", "dull", "hours", "loud", "empty", "and", "slow", "poor", "weak", "acting"]


def _cut(name: str, count: int, target: Path) -> np.ndarray:
    """The first rows of one of MNIST's files, written as such a file; the rows."""
    raw = gzip.decompress((MNIST / f"{name}.gz").read_bytes())
    head = 16 if "images" in name else 8
    size = 784 if "images" in name else 1
    rows = raw[head : head + count * size]
    target.write_bytes(raw[:4] + count.to_bytes(4, "big") + raw[8:head] + rows)
    return np.frombuffer(rows, np.uint8)


def _digits(folder: Path) -> None:
    cut = folder / "mnist"
    cut.mkdir()
    for part, count in (("train", 1500), ("t10k", 500)):
        images = _cut(f"{part}-images-idx3-ubyte", count, cut / f"{part}-images-idx3-ubyte")
        labels = _cut(f"{part}-labels-idx1-ubyte", count, cut / f"{part}-labels-idx1-ubyte")
    images = images.reshape(-1, 28, 28)
    for name, digit in (("seven.png", 7), ("three.png", 3)):
        Image.fromarray(images[labels == digit][0]).save(folder / name)
    for kind, digit in (("oak", 1), ("elm", 0)):
        place = folder / "leaves" / kind
        place.mkdir(parents=True)
        for at, picture in enumerate(images[labels == digit][:30]):
            Image.fromarray(picture).save(place / f"{at}.png")
    (folder / "new").mkdir()
    for at in range(200, 212):
        Image.fromarray(images[at]).save(folder / "new" / f"{at}.png")


def _tables(folder: Path) -> None:
    random = np.random.default_rng(0)
    with (folder / "customers.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["age", "city", "joined", "review", "churned"])
        for _ in range(300):
            age = int(random.integers(18, 80))
            words = random.choice(BAD if age < 45 else GOOD, 5)
            date = np.datetime64("2024-01-01") + int(random.integers(0, 300))
            city = random.choice(["Paris", "Rome", "Oslo"])
            out.writerow([age, city, date, " ".join(words), "yes" if age < 45 else "no"])
    said = importlib.util.spec_from_file_location("finance", ROOT / "examples/finance.py")
    assert said is not None
    assert said.loader is not None
    finance = importlib.util.module_from_spec(said)
    said.loader.exec_module(finance)
    finance.applicants(folder / "applicants.csv")
    refused = {
        "income": 2400, "amount": 12000, "debt": 6500, "age": 34, "years_employed": 2,
        "late_payments": 1, "home": "rents",
    }  # fmt: skip
    (folder / "applicant.json").write_text(json.dumps(refused))


def _texts(folder: Path) -> None:
    random = np.random.default_rng(1)
    with (folder / "reviews.jsonl").open("w") as file:
        for at in range(200):
            words, label = (GOOD, "good") if at % 2 else (BAD, "bad")
            text = " ".join(random.choice(words, 8))
            file.write(json.dumps({"text": text, "label": label}) + "\n")


def _sounds(folder: Path) -> None:
    random = np.random.default_rng(2)
    time = np.arange(4000) / 8000
    for label, pitch in (("yes", 440), ("no", 1200)):
        place = folder / "recordings" / label
        place.mkdir(parents=True)
        for at in range(12):
            tone = np.sin(2 * np.pi * pitch * random.uniform(0.9, 1.1) * time)
            samples = (tone + random.normal(0, 0.05, 4000)) * 12000
            with wave.open(str(place / f"{at}.wav"), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(8000)
                out.writeframes(samples.astype("<i2").tobytes())
    shutil.copyfile(folder / "recordings/yes/0.wav", folder / "yes.wav")


def _iris() -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    import numen

    x, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(x, y)
    names = ["setosa", "versicolor", "virginica"]
    numen.publish(model, name="iris", sample=x[:32].astype("float32"), labels=names)


def make(folder: Path) -> None:
    """The files and the home."""
    files = folder / "files"
    files.mkdir(parents=True)
    for part in (_digits, _tables, _texts, _sounds):
        part(files)
    os.environ["NUMEN_HOME"] = str(folder / "home")
    import numen
    from numen.core import settings
    from numen.data.library import Library
    from numen.registry import Registry

    known, _ = settings.load()
    registry = Registry.of(known)
    library = Library(registry.catalog, registry.blobs, known.home_path)
    library.add("mnist", [files / "mnist"])
    library.add("digits", [files / "mnist"])
    library.add("loans", [files / "applicants.csv"])
    library.add("reviews", [files / "reviews.jsonl"])
    numen.train("digits", "mlp", name="digits", epochs=6, validation=0.2)
    numen.train("loans", "boosting", name="loans", epochs=30)
    numen.train("reviews", "words", name="reviews")
    _iris()
    registry.catalog.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
