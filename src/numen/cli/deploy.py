"""`numen deploy TARGET MODEL…`: a command a target, its flags made of the target's options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from typer.core import TyperGroup

from numen.cli import show
from numen.cli.complete import references


class Targets(TyperGroup):
    """Finds targets by name, so that none is imported before it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """All targets."""
        from numen.api.deploy import targets

        return targets()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one target."""
        return _command(cmd_name) if cmd_name in self.list_commands(ctx) else None


app = typer.Typer(cls=Targets, no_args_is_help=True)


@app.callback()
def _deploy() -> None:
    pass


def _command(name: str) -> Any:
    from numen.core import plugins

    target = plugins.load("numen.targets", name)
    options = {field.name: field for field in msgspec.structs.fields(target.options)}

    def run(models: list[str], out: str, apply: bool, json_: bool, **given: Any) -> None:
        said = {key: value for key, value in given.items() if value is not None}
        _run(name, models, out or None, said, apply, json_)

    run.__doc__ = inspect.cleandoc(target.__doc__ or "").partition("\n")[0]
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            _parameter("models", list[str], ..., typer.Argument(
                help="What to deploy.", autocompletion=references)),
            _parameter("out", str, "", typer.Option(
                help=f"Where to write; deploy/{name} by default, - prints.")),
            _parameter("apply", bool, target.applies, typer.Option(
                help="Make it real, or only write it down.")),
            _parameter("json_", bool, False, typer.Option(
                "--json", help="Print JSON for programs.")),
            *(_flag(field) for field in options.values()),
        ]
    )  # fmt: skip
    one = typer.Typer(add_completion=False)
    one.command(name)(run)
    return typer.main.get_command(one)


def _parameter(name: str, type_: Any, default: Any, how: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is ... else default,
        annotation=Annotated[type_, how],
    )  # fmt: skip


def _flag(field: Any) -> inspect.Parameter:
    """An option as a flag; what is not said stays the target's own default."""
    type_, meta = field.type, ""
    if hasattr(type_, "__metadata__"):
        meta = next((m.description or "" for m in type_.__metadata__), "")
        type_ = type_.__origin__
    shown = field.default if field.default not in ("", msgspec.NODEFAULT) else False
    how: Callable[..., Any] = typer.Option
    return _parameter(
        field.name, (bool if type_ is bool else str) | None, None,
        how(help=meta, show_default=str(shown) if shown is not False else False),
    )  # fmt: skip


def _run(
    name: str, models: list[str], out: str | None, options: dict[str, Any], apply: bool, json_: bool
) -> None:
    from numen.api.deploy import deploy, render, target

    if out == "-":
        _print(render(target(name, options), models))
        return
    with show.err.status("rendering") as status:
        done = deploy(
            name, models, Path(out) if out else None, options, apply=apply,
            note=lambda step: status.update(escape(step)),
        )  # fmt: skip
    if json_:
        show.print_json({"folder": str(done.folder), "files": done.files, "applied": done.applied})
        return
    show.out.print(f"[green]✓[/] written to [bold]{escape(str(done.folder))}[/]")
    for key, value in (done.applied or {}).items():
        show.out.print(f"  {key:<12} {escape(show.number(value))}")


def _print(files: Any) -> None:
    """Prints what was rendered; YAML so that it is one stream of documents."""
    for path, content in sorted(files.items()):
        if isinstance(content, bytes):
            typer.echo(f"# {path}\n{content.decode()}")
