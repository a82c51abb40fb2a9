"""The verb `export`: a published model as files for a device, and the proof that they do."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from numen.api.workspace import registry
from numen.core import device
from numen.core.bundle import Bundle
from numen.core.errors import ExportFailed, InvalidInput
from numen.deploy import certificate
from numen.deploy.base import Files
from numen.deploy.certificate import TOLERANCE, Trial
from numen.deploy.device import FORMS, web

CERTIFICATE: Final = "certificate.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        model: What was exported, as `name@version`.
        to: For what.
        folder: Where.
        files: Sizes in bytes, by name.
        trials: What each engine made of the recorded samples.
    """

    model: str
    to: str
    folder: Path
    files: dict[str, int]
    trials: tuple[Trial, ...]

    @property
    def holds(self) -> bool:
        """Whether all engines that ran are within the tolerance, and one beside the server did."""
        devices = [trial for trial in self.trials if trial.engine != "server"]
        return any(trial.difference is not None for trial in devices) and not self.beyond

    @property
    def beyond(self) -> list[Trial]:
        """The engines that answer otherwise than the server."""
        return [
            trial
            for trial in self.trials
            if trial.engine != "server" and (trial.difference or 0.0) > TOLERANCE
        ]


def export(
    reference: str,
    to: str = "web",
    folder: str | Path | None = None,
    note: Callable[[str], None] = lambda _line: None,
) -> Exported:
    """Writes a published model for a device, and runs its recorded samples there.

    Args:
        reference: `digits`, `digits@3` or `digits@champion`.
        to: `onnx`, the model and what it says of itself; `web`, the same with a page that runs it.
        folder: Where to; `export/NAME-VERSION-TO` by default. Files of these names are replaced.
        note: Told of each step as it begins.

    Raises:
        NotFound: It is not published, or runs on numen only.
        InvalidInput: There is no such form, or the folder cannot be written.
        ExportFailed: An engine answers otherwise than the server; all is written nevertheless.
    """
    form = FORMS.get(to)
    if form is None:
        known = " or ".join(FORMS)
        raise InvalidInput(f'export: expected --to {known}, received "{to}"', field="to")
    version = registry().resolve(reference)
    bundle = registry().open(version)
    target = Path(folder or Path("export") / f"{version.name}-{version.version}-{to}")
    note(f"writing {target}")
    written = _write(form(bundle, version.name, str(version.version)), target)
    trials = _certified(
        bundle, version.name, str(version.version), target if to == "web" else None, note
    )
    made = Exported(f"{version.name}@{version.version}", to, target, written, tuple(trials))
    text = json.dumps(_said(made, bundle), indent=2) + "\n"
    (target / CERTIFICATE).write_text(text, encoding="utf-8")
    if made.beyond:
        worst = max(made.beyond, key=lambda trial: trial.difference or 0.0)
        raise ExportFailed(
            f"export: expected {worst.engine} within {TOLERANCE:g} of the server, "
            f"received {worst.difference:.3g}",
            hint=f"{target / CERTIFICATE} has all figures",
        )
    return made


def _certified(
    bundle: Bundle, name: str, version: str, folder: Path | None, note: Callable[[str], None]
) -> list[Trial]:
    if folder is not None:
        return certificate.certify(bundle, folder, note)
    with tempfile.TemporaryDirectory(prefix="numen-export-") as work:
        _write(web(bundle, name, version), Path(work))
        return certificate.certify(bundle, Path(work), note)


def _said(made: Exported, bundle: Bundle) -> dict[str, Any]:
    return {
        "model": made.model,
        "digest": bundle.digest,
        "opset": device.opsets(bundle.file(bundle.manifest.variants[0].file)),
        "tolerance": TOLERANCE,
        "holds": made.holds,
        "engines": [asdict(trial) for trial in made.trials],
    }


def _write(files: Files, folder: Path) -> dict[str, int]:
    sizes = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            place = folder / name
            if isinstance(content, Path):
                shutil.copyfile(content, place)
            else:
                place.write_bytes(content)
            sizes[name] = place.stat().st_size
    except OSError as error:
        raise InvalidInput(
            f"export: cannot write {folder}: {error.strerror}", field="out"
        ) from error
    return sizes
