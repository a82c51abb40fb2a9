"""`numen data label` and `numen data pseudo-label`: labels for rows that have none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numen.cli import show
from numen.cli.complete import datasets, references
from numen.core.errors import InvalidInput

Name = Annotated[str, typer.Argument(help="A data set.", autocompletion=datasets)]
ModelOf = Annotated[
    str, typer.Option(help="A model of its classes.", autocompletion=references)
]  # fmt: skip
From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        help="Pictures, sounds, texts or a folder of them; CSV, Parquet, JSONL. Repeatable.",
    ),
]


def label(
    name: Name,
    model: ModelOf,
    from_: From = None,
    by: Annotated[str, typer.Option(help="What counts as unsure: margin or entropy.")] = "margin",
    most: Annotated[int, typer.Option(help="Rows to ask for at most.", min=1)] = 500,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 0,
    finish: Annotated[
        bool, typer.Option("--finish", help="Add the answers of before, without a page.")
    ] = False,
    as_json: show.Json = False,
) -> None:
    """Label by hand, in the browser, the rows that a model is least sure of."""
    from numen.api.labelling import Session

    if by not in ("margin", "entropy"):
        raise InvalidInput(f"by: expected margin or entropy, received {by!r}", field="by")
    with show.err.status("asking the model"):
        session = Session(name, model, from_ or [], by, most)  # type: ignore[arg-type]
    if finish:
        added = session.finish()
        version = added and f"{added.version.name}@{added.version.version}"
        if as_json:
            show.print_json({"added": version, "rows": added and added.profile.rows})
        else:
            show.out.print(f"[green]✓[/] added {version}" if version else "nothing was labelled")
            if version:
                name = model.partition("@")[0]
                show.out.print(f"  [dim]numen train {name} --data {version} learns from it[/]")
        return
    if not session.total:
        show.out.print("every row there was labelled and added before")
        return
    _serve(session, port)
    labelled = session.counts()["labelled"]
    if labelled:
        show.out.print(
            f"{labelled} labels are kept; the same command goes on, and with --finish adds them"
        )


def _serve(session: object, port: int) -> None:
    import uvicorn

    from numen.api.labelling import Session
    from numen.control.label import build
    from numen.server.process import address_of, bind

    assert isinstance(session, Session)
    listener = bind("127.0.0.1", port)
    show.out.print(f"[green]✓[/] label at [bold]{address_of(listener)}/#/label[/]  "
                   "[dim]Ctrl-C stops; nothing is lost[/]", soft_wrap=True)  # fmt: skip
    config = uvicorn.Config(build(session), log_level="warning", access_log=False)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def pseudo_label(
    name: Name,
    model: ModelOf,
    from_: From = None,
    above: Annotated[float, typer.Option(help="The least probability that counts.")] = 0.95,
    as_json: show.Json = False,
) -> None:
    """Add rows that a model is sure of, under its label, as the next version."""
    from numen.api.labelling import pseudo_label as pseudo_label_

    with show.err.status("asking the model"):
        done = pseudo_label_(name, model, from_ or [], above)
    version = done.added.version if done.added else None
    if as_json:
        show.print_json(
            {
                "name": name, "version": version and version.version, "counts": done.counts,
                "looked": done.looked,
            }
        )  # fmt: skip
        return
    taken = sum(done.counts.values())
    if version is None:
        show.out.print(f"the model was {above:g} sure of none of {done.looked:,} rows")
        return
    show.table(("label", "rows"), done.counts.items())
    show.out.print(
        f"[green]✓[/] added [bold]{version.name}@{version.version}[/] with {taken:,} of "
        f"{done.looked:,} rows"
    )
