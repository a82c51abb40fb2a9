"""Spoken digits by voices that were not trained on: each speaker is left out once.

    python benchmarks/spoken_digits.py fsdd.tar.gz [--epochs 40] [--speakers george …] [--body …]

The archive holds recordings called DIGIT_SPEAKER_NUMBER.wav (the Free Spoken Digit Dataset). Every
training is `numen train` with nothing set: the data's kind chooses the family.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numen
from numen.data import archive


def tell(folder: Path, speaker: str) -> None:
    """Writes the table beside the recordings that leaves a speaker out."""
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "label", "speaker", "split"])
        for path in sorted(folder.glob("*.wav")):
            digit, who, _ = path.stem.split("_")
            writer.writerow([path.name, digit, who, "test" if who == speaker else "train"])


def recordings(path: Path, into: Path) -> Path:
    """The folder of recordings in the archive."""
    return next(archive.unpack(path, into).rglob("*.wav")).parent


def measure(folder: Path, speaker: str, **options: object) -> tuple[float, float]:
    """Accuracy on a speaker who was left out, and the seconds it took to train."""
    tell(folder, speaker)
    data = numen.Dataset.open(folder, group="speaker")
    begin = time.perf_counter()
    model = numen.train(data, **options)
    return model.metrics["accuracy"], time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--speakers", nargs="*")
    parser.add_argument("--body", help="Train a head behind it, such as speech.")
    asked = parser.parse_args()
    said = {"epochs": asked.epochs, "body": asked.body}
    options = {name: value for name, value in said.items() if value}
    with tempfile.TemporaryDirectory() as work:
        folder = recordings(asked.archive, Path(work) / "unpacked")
        found = sorted({path.stem.split("_")[1] for path in folder.glob("*.wav")})
        scores = []
        print("| left out | accuracy | seconds to train |\n|---|---|---|", flush=True)
        for speaker in asked.speakers or found:
            accuracy, seconds = measure(folder, speaker, **options)
            scores.append(accuracy)
            print(f"| {speaker} | {accuracy:.4f} | {seconds:.0f} |", flush=True)
        print(f"| mean | {sum(scores) / len(scores):.4f} | |")


if __name__ == "__main__":
    main()
