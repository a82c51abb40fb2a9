"""`numen deploy TARGET MODEL…`: a command a target, its flags made of the target's options."""

from __future__ import annotations

import inspect
from fnmatch import fnmatch
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
        known = self.list_commands(ctx)
        if cmd_name in known:
            return _command(cmd_name)
        if not ctx.resilient_parsing:  # as the tab key does
            ctx.fail(f'expected one of {", ".join(known)}, received "{cmd_name}"')
        return None


app = typer.Typer(cls=Targets, no_args_is_help=True)


@app.callback()
def _deploy() -> None:
    pass


def _command(name: str) -> Any:
    from numen.core import plugins

    target = plugins.load("numen.targets", name)
    options = {field.name: field for field in msgspec.structs.fields(target.options)}

    verbs: tuple[str, ...] = getattr(target, "verbs", ())

    def run(models: list[str] | None, out: str, apply: bool, json_: bool, **given: Any) -> None:
        said = {key: value for key, value in given.items() if value is not None}
        asked = [verb for verb in verbs if said.pop(verb, False)]
        if asked:
            _ask(name, asked[0], said, json_)
        else:
            _run(name, models or [], out or None, said, apply, json_)

    run.__doc__ = _first_line(target)
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            _parameter("models", list[str] | None, None, typer.Argument(
                help="What to deploy.", autocompletion=references)),
            _parameter("out", str, "", typer.Option(
                help=f"Where to write; deploy/{name} by default, - prints.")),
            _parameter("apply", bool, target.applies, typer.Option(
                help="Make it real, or only write it down.")),
            _parameter("json_", bool, False, typer.Option(
                "--json", help="Print JSON for programs.")),
            *(_parameter(verb, bool, False, typer.Option(
                f"--{verb}", help=_first_line(getattr(target, verb)))) for verb in verbs),
            *(_flag(field) for field in options.values()),
        ]
    )  # fmt: skip
    one = typer.Typer(add_completion=False)
    one.command(name)(run)
    return typer.main.get_command(one)


def _first_line(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "").partition("\n")[0]


def _parameter(name: str, type_: Any, default: Any, how: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is ... else default,
        annotation=Annotated[type_, how],
    )  # fmt: skip


def _flag(field: Any) -> inspect.Parameter:
    """An option as a flag with the target's own default; what it may be, the target judges."""
    from numen.core.given import choices

    type_, words = field.type, choices(field.type)
    said = [m.description for m in getattr(type_, "__metadata__", ()) if m.description]
    default = field.default
    if getattr(type_, "__origin__", type_) is not bool:
        type_, default = str | None, None if default in ("", None) else str(default)
    offered: Any = (
        (lambda incomplete: [w for w in words if w.startswith(incomplete)]) if words else None
    )
    how = typer.Option(
        help=" ".join([*said, f"({', '.join(words)})" if words else ""]).strip(),
        autocompletion=offered,
    )
    return _parameter(field.name, getattr(type_, "__origin__", type_), default, how)


def _run(
    name: str, models: list[str], out: str | None, options: dict[str, Any], apply: bool, json_: bool
) -> None:
    from numen.api.deploy import deploy, render, target

    if out == "-":
        to = target(name, options)
        _print(render(to, models), getattr(to, "aside", ()), json_)
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


def _ask(name: str, verb: str, options: dict[str, Any], json_: bool) -> None:
    """What a target does without models, such as saying what it has deployed."""
    from numen.api.deploy import target

    with show.err.status(verb) as status:
        said = getattr(target(name, options), verb)(lambda step: status.update(escape(step)))
    if json_:
        show.print_json(said)
        return
    for key, value in said.items():
        many = value if isinstance(value, list) else [value]
        for each in many:
            line = (
                "  ".join(map(show.number, filter(None, each.values())))
                if isinstance(each, dict)
                else show.number(each)
            )
            show.out.print(f"  {key:<12} {escape(line)}", soft_wrap=True)


def _print(files: Any, aside: tuple[str, ...], json_: bool) -> None:
    """Prints what was rendered, of other than text only the name; YAML is one stream.

    Only JSON, which keeps files apart, holds what is set aside as well.
    """
    texts = {path: _text(content) for path, content in sorted(files.items())}
    if json_:
        show.print_json({"files": texts})
        return
    for path, text in texts.items():
        if any(fnmatch(path, pattern) for pattern in aside):
            continue
        if text is None:
            typer.echo(f"# {path} is not text")
            continue
        apart = path.endswith((".yaml", ".yml")) and not text.startswith("---")
        typer.echo(f"{'---' + chr(10) if apart else ''}# {path}\n{text}")


def _text(content: Any) -> str | None:
    try:
        return content.decode() if isinstance(content, bytes) else None
    except UnicodeDecodeError:
        return None
