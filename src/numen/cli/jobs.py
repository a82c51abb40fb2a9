"""`numen jobs …`: trainings in the background, and `numen train --detach` that starts one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numen.cli import show
from numen.cli.complete import job_ids

if TYPE_CHECKING:
    from numen.control.jobs import Queue
    from numen.control.jobs.events import Event
    from numen.store.jobs import Job
    from numen.train.recipe import Recipe

app = typer.Typer(no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="The job.", autocompletion=job_ids)]
_COLOURS = {
    "queued": "dim", "running": "cyan", "finished": "green", "failed": "red",
    "cancelled": "yellow", "interrupted": "yellow",
}  # fmt: skip


def detach(recipe: Recipe, as_json: bool) -> None:
    """Queues a training that is said whole, and says by which id it is found."""
    from pathlib import Path

    from numen.api.data import library
    from numen.control.jobs.rules import anywhere
    from numen.core.errors import InvalidInput
    from numen.data import intake
    from numen.train.find import trainer_for

    if not recipe.data:
        raise InvalidInput("recipe: no data is named", hint="say --data", field="data")
    named = not intake.find(recipe.data)
    if named:
        library().profile(recipe.data)  # raises where there is no such data set
    trainer_for(recipe)
    here = not (named and anywhere(recipe))
    job = _queue().add(recipe, trusted=here, where=str(Path.cwd()) if here else "")
    if as_json:
        show.print_json(job.as_dict())
        return
    show.out.print(f"[green]✓[/] job [bold]{job.id}[/] waits for its turn", highlight=False)
    show.out.print(f"  [dim]numen jobs show {job.id} --follow[/]", highlight=False)


@app.command("ls")
def ls(as_json: show.Json = False) -> None:
    """List trainings in the background, the newest last."""
    found = _queue().all()
    if as_json:
        show.print_json([job.as_dict() for job in found])
        return
    if not found:
        show.out.print("no jobs yet; [bold]numen train … --detach[/] starts one")
        return
    show.table(
        ("job", "state", "model", "family", "data", "for", "result"),
        (
            (
                job.id, job.state, job.model or "-", job.recipe.get("family", "mlp"),
                job.recipe.get("data", ""), _took(job), _said(job),
            )
            for job in found
        ),
    )  # fmt: skip


@app.command("show")
def show_(
    id_: Id,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it is over.")] = False,
    as_json: show.Json = False,
) -> None:
    """Show a job and what it told; with --json --follow, its events as lines of JSON."""
    import msgspec

    from numen.control.jobs.events import read_all

    queue = _queue()
    job = queue.get(id_)
    if follow:
        asyncio.run(_follow(queue, id_, as_json))
        job = queue.get(id_)
        if not as_json:
            _print(job)
        return
    if as_json:
        events = [event.said for event in read_all(queue.events(job))]
        show.print_json({**job.as_dict(), "events": msgspec.to_builtins(events)})
        return
    for event in read_all(queue.events(job)):
        _tell(event)
    _print(job)


@app.command("cancel")
def cancel(id_: Id, as_json: show.Json = False) -> None:
    """Stop a job; the best model so far is kept, once one epoch is done."""
    job = _queue().cancel(id_)
    if as_json:
        show.print_json(job.as_dict())
    elif job.over:
        show.out.print(f"[green]✓[/] {job.id} is cancelled", highlight=False)
    else:
        show.out.print(f"[green]✓[/] {job.id} stops within seconds", highlight=False)


@app.command("resume")
def resume(id_: Id, as_json: show.Json = False) -> None:
    """Take up a job that did not finish, from its last checkpoint."""
    job = _queue().resume(id_)
    if as_json:
        show.print_json(job.as_dict())
    else:
        show.out.print(f"[green]✓[/] {job.id} waits for its turn", highlight=False)


def _queue() -> Queue:
    from numen.api.workspace import registry, settings
    from numen.control.jobs import Queue

    return Queue(settings(), registry().catalog.database)


async def _follow(queue: Queue, id_: str, as_json: bool) -> None:
    import msgspec

    async for event in queue.follow(id_):
        if as_json:
            show.out.file.write(msgspec.json.encode(event.said).decode() + "\n")
            show.out.file.flush()
        else:
            _tell(event)


def _tell(event: Event) -> None:
    said = event.said
    clock = time.strftime("%H:%M:%S", time.localtime(said["at"]))
    if said["kind"] == "epoch":
        text = f"epoch {said['epoch']:>3}/{said['epochs']}  {_metrics(said['metrics'])}"
    elif said["kind"] == "note":
        text = str(said["text"])
    elif said["kind"] == "state":
        text = str(said["state"])
    else:
        return
    show.out.print(f"  {clock}  {text}", highlight=False, markup=False)


def _print(job: Job) -> None:
    recipe = ", ".join(f"{key}={value}" for key, value in job.recipe.items() if value)
    show.out.print(
        f"[bold]{job.id}[/] [{_COLOURS[job.state]}]{job.state}[/] {_took(job)}", highlight=False
    )
    show.out.print(f"  {recipe}", highlight=False, markup=False)
    if job.result:
        show.out.print(f"  {_said(job)}", highlight=False, markup=False)
        if not job.result["name"]:
            show.out.print(f"  model: {job.result['bundle']}", highlight=False, markup=False)
    if job.error:
        show.out.print(f"  {job.error['error']}", highlight=False, markup=False, style="red")
        if job.error.get("hint"):
            show.out.print(f"  {job.error['hint']}", highlight=False, markup=False, style="dim")
    if job.state in ("interrupted", "cancelled", "failed"):
        show.out.print(f"  [dim]numen jobs resume {job.id} goes on[/]", highlight=False)


def _said(job: Job) -> str:
    if job.error:
        return str(job.error["error"])[:60]
    if not job.result:
        return ""
    name, version = job.result["name"], job.result["version"]
    return f"{f'{name}@{version}  ' if name else ''}{_metrics(job.result['metrics'])}"


def _metrics(metrics: Mapping[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.4f}" for name, value in metrics.items() if isinstance(value, float)
    )


def _took(job: Job) -> str:
    if job.started is None:
        return ""
    return f"{(job.ended or time.time()) - job.started:.0f} s"
