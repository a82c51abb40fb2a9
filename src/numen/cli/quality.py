"""`numen evaluate`, `numen compress` and `numen data drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numen.cli import show
from numen.cli.complete import datasets, families, references
from numen.cli.train import settings_of
from numen.core.errors import InvalidInput

if TYPE_CHECKING:
    from numen.api.calibrate import Calibrated
    from numen.api.compress import Compressed
    from numen.api.trial import Tried
    from numen.data.dataset import Dataset
    from numen.train.evaluate import Comparison, Report

_COLORS = {"stable": "green", "watch": "yellow", "drifted": "red"}
Ref = Annotated[str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)]


def evaluate(
    model: Ref,
    data: Annotated[str, typer.Option(help="Data set.", autocompletion=datasets)],
    split: Annotated[str, typer.Option(help="Which rows of it.")] = "test",
    against: Annotated[
        str, typer.Option(help="Another model, on the same rows.", autocompletion=references)
    ] = "",
    by: Annotated[
        list[str] | None, typer.Option(help="A column whose every value is looked at by itself.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option(help="Find the model's temperature and publish it with it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the resamples.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, .md, .json and the plots.")
    ] = None,
    as_json: show.Json = False,
) -> None:
    """Measure a model on labelled rows: figures with intervals, slices, calibration."""
    from numen.api.data import open_data
    from numen.api.workspace import load
    from numen.train.evaluate import compare, report_of

    dataset = open_data(data)
    check_split(dataset, split)
    if calibrate:
        if against or by or out:
            raise InvalidInput(
                "--calibrate: expected no --against, --by or --out beside it",
                hint="calibrate first, then evaluate the version it publishes",
                field="calibrate",
            )
        _calibrate(model, dataset, as_json)
        return
    with show.err.status("measuring"):
        first = load(model)
        judged = first.judge(first.seeing(dataset).splits[split])
        report = report_of(judged, target=dataset.target, by=by or (), seed=seed)
        compared = None
        if against:
            second = load(against)
            other = second.judge(second.seeing(dataset).splits[split])
            compared = compare(judged, other, seed=seed)
    title = f"{model} on {dataset.name} ({split})"
    if against:
        title = f"{model} against {against} on {dataset.name} ({split})"
    if out is not None:
        _write(out, title, report, compared)
    if as_json:
        show.print_json({"report": report, "against": compared} if against else report)
        return
    _tell(title, report, compared)
    if out is not None:
        show.out.print(f"[green]✓[/] report and plots in {out}")


def check_split(data: Dataset, split: str) -> None:
    """Refuses a split that the data do not have.

    Raises:
        InvalidInput: So it is.
    """
    if split not in data.splits:
        raise InvalidInput(
            f"split: expected one of {', '.join(data.splits)}, received {split!r}", field="split"
        )


def _calibrate(reference: str, dataset: Any, as_json: bool) -> None:
    from numen.api.calibrate import calibrate
    from numen.api.workspace import load

    with show.err.status("looking for the temperature"):
        found: Calibrated = calibrate(load(reference), dataset)
    version = found.model.version
    assert version is not None
    if as_json:
        show.print_json(
            {
                "name": version.name, "version": version.version,
                "digest": found.model.bundle.digest, "temperature": found.temperature,
                "fitted_on": found.fitted_on, "before": found.before.metrics,
                "after": found.after.metrics,
            }
        )  # fmt: skip
        return
    show.out.print(f"temperature [bold]{found.temperature:.4f}[/], fitted on {found.fitted_on}")
    show.table(
        ("metric", "before", "after"),
        ((n, v, found.after.metrics[n]) for n, v in found.before.metrics.items()),
    )
    show.out.print(f"[green]✓[/] published [bold]{version.name}@{version.version}[/]")


def _write(out: Path, title: str, report: Report, compared: Comparison | None) -> None:
    import msgspec

    from numen.train.evaluate import page, plots

    out.mkdir(parents=True, exist_ok=True)
    everything = {"report": report, "against": compared} if compared else report
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(everything)))
    (out / "report.html").write_text(page.html(title, report, compared), "utf-8")
    (out / "report.md").write_text(page.markdown(title, report, compared), "utf-8")
    for name, picture in plots(report).items():
        (out / name).write_bytes(picture)


def _tell(title: str, report: Report, compared: Comparison | None) -> None:
    from numen.train.evaluate import page

    show.out.print(f"[bold]{title}[/], {report.rows:,} rows")
    for name, rows in page.tables(report, compared).items():
        show.table(page.HEADS[name], rows, title=name)
    show.out.print(f"[dim]{report.method}[/]")
    if compared is not None:
        show.out.print(f"[dim]{compared.method}[/]")


def compress(
    model: Ref,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in 8 bits.")] = False,
    int8_method: Annotated[
        str, typer.Option(help="static (ranges learnt from training rows) or dynamic; by default "
                               "static where there are convolutions.")
    ] = "",
    distill: Annotated[
        str, typer.Option(help="Family of a student that learns from the model.",
                          autocompletion=families)
    ] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Fewer trees.")] = False,
    data: Annotated[
        str, typer.Option(help="Data set; what it was trained on by default.",
                          autocompletion=datasets)
    ] = "",
    tolerance: Annotated[
        float, typer.Option(help="How much accuracy (or r2) a variant may lose.", min=0, max=1)
    ] = 0.01,
    alias: Annotated[str, typer.Option(help="Alias to move to the new version.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the student's recipe.")
    ] = None,
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Make smaller, faster variants of a model, measure them, publish those worth it."""
    from numen.api.compress import compress as compress_

    options = settings_of(set_)
    bar = show.TrainingBar(show.err if as_json else show.out)
    with bar if distill else show.err.status("compressing and measuring"):
        made = compress_(
            model, int8=int8_method or int8, distill=distill, prune=prune, data=data,  # type: ignore[arg-type]
            tolerance=tolerance, alias=alias or None, progress=bar, **options,
        )  # fmt: skip
    version = made.model.version
    assert version is not None
    if as_json:
        show.print_json(
            {
                "name": version.name, "version": version.version,
                "digest": made.model.bundle.digest, "metric": made.metric, "rows": made.rows,
                "variants": [made.exact, *made.tried],
            }
        )  # fmt: skip
        return
    _compressed(made)
    kept = ", ".join(tried.name for tried in made.tried if not tried.refused)
    show.out.print(f"[green]✓[/] published [bold]{version.name}@{version.version}[/] with {kept}")


def _compressed(made: Compressed) -> None:
    sizes = list(made.exact.ms)
    head = ("variant", "size", *(f"ms, {n} rows" for n in sizes), made.metric, "agreement", "")

    def row(tried: Tried) -> tuple[Any, ...]:
        times = (f"{tried.ms[n]:.3f} ({made.exact.ms[n] / tried.ms[n]:.1f}×)" for n in sizes)
        return (
            tried.name, show.size(tried.bytes), *times, tried.score, tried.agreement,
            "refused" if tried.refused else "kept",
        )  # fmt: skip

    show.table(head, map(row, (made.exact, *made.tried)))
    for tried in made.tried:
        if tried.refused:
            show.out.print(f"  {tried.name} {tried.refused}")


def drift(
    data: Annotated[str, typer.Argument(help="The rows now.", autocompletion=datasets)],
    against: Annotated[
        str, typer.Option(help="The rows then: NAME@V or any data.", autocompletion=datasets)
    ] = "",
    against_model: Annotated[
        str, typer.Option(help="Or the rows a model was trained on.", autocompletion=references)
    ] = "",
    split: Annotated[
        str, typer.Option(help="Which rows: train, or test of what the model learnt from.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write a picture (PNG).")] = None,
    as_json: show.Json = False,
) -> None:
    """Compare rows with earlier ones, column by column: has the data drifted?"""
    from numen.api.drift import drift as drift_
    from numen.data import drifted

    with show.err.status("counting"):
        found, before, after = drift_(
            data, against=against, against_model=against_model, split=split
        )
    if out is not None:
        out.write_bytes(drifted.draw(found, before, after))
    if as_json:
        show.print_json(found)
        return
    show.table(
        ("column", "PSI", "KS", "p", "missing", "verdict", "because"),
        (
            (
                c.column, c.psi, "" if c.ks is None else show.number(c.ks), show.number(c.p),
                f"{c.missing:+.1%}", c.verdict, c.why,
            )
            for c in found.changes
        ),
    )  # fmt: skip
    color = _COLORS[found.verdict]
    then = against or against_model
    show.out.print(
        f"[{color}]{found.verdict}[/]  {data} ({found.after:,} rows) against {then} "
        f"({found.before:,} rows)"
    )
    if out is not None:
        show.out.print(f"[green]✓[/] {out}")
