"""Lays out the pages of each language in a folder of their own and has Zensical print them.

English is the whole site; the other languages are what is translated, each below its own folder,
with Zensical's own words in that language and links to the English pages for the rest.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from press.reference import PAGES

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
SITE = ROOT / "site"
WORK = ROOT / "build" / "docs"
HERE = Path(__file__).parent
_LINK = re.compile(r"\]\((?P<path>[^)#\s:]+)\.md(?P<anchor>#[^)\s]*)?\)")
_WORDS = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<path>[^)#\s]+\.md)(#[^)\s]*)?\)")


class BuildError(Exception):
    """The site could not be made, or not without a warning."""


def build(site: Path = SITE) -> None:
    """Makes the whole site, all languages, in the folder `site`.

    Raises:
        BuildError: A page is in no section, a link leads nowhere, or Zensical warned.
    """
    plan = tomllib.loads((HERE / "site.toml").read_text(encoding="utf-8"))
    shutil.rmtree(WORK, ignore_errors=True)
    made = site.with_name(f"{site.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    for code, language in plan["language"].items():
        folder = WORK / code
        pages = _lay_out(folder / "pages", language["folder"], plan["coming"])
        nav = list(_standing(language["nav"], pages))
        if missing := pages - set(_pages(nav)):
            raise BuildError(f"site.toml: in no section of {code}: {', '.join(sorted(missing))}")
        _configure(folder, language, nav)
        _print(folder)
        shutil.copytree(folder / "site", made / language["folder"])
    shutil.rmtree(site, ignore_errors=True)
    made.rename(site)


def _lay_out(folder: Path, language: str, coming: list[str]) -> set[str]:
    """Copies a language's pages, writes the reference beside them; their names."""
    source = DOCS / language
    others = {"press", *(() if language else ("zh",))}
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_file() and name.parts[0] not in others and path.suffix != ".py":
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    absent = {name for name in coming if not (DOCS / name).exists()}
    for page in folder.rglob("*.md"):
        text = _without(page.read_text(encoding="utf-8"), absent)
        page.write_text(_to_english(text) if language else text, encoding="utf-8")
    if not language:
        for name, write in PAGES.items():
            target = folder / "reference" / f"{name}.md"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(write(), encoding="utf-8")
    shutil.copytree(HERE / "assets", folder / "assets", dirs_exist_ok=True)
    return {str(page.relative_to(folder)) for page in folder.rglob("*.md")}


def _without(text: str, absent: set[str]) -> str:
    def rewrite(link: re.Match[str]) -> str:
        return link["words"] if link["path"].removeprefix("../") in absent else link[0]

    return _WORDS.sub(rewrite, text)


def _to_english(text: str) -> str:
    # `../keras.md` is a page of the English site, which lies one folder above.
    def rewrite(link: re.Match[str]) -> str:
        if not link["path"].startswith("../"):
            return link[0]
        return f"]({link['path']}.html{link['anchor'] or ''})"

    return _LINK.sub(rewrite, text)


def _standing(nav: list[dict[str, Any]], pages: set[str]) -> Iterator[dict[str, Any]]:
    """The sections with those of their pages that there are."""
    for section in nav:
        ((title, content),) = section.items()
        if isinstance(content, list):
            if content := list(_standing(content, pages)):
                yield {title: content}
        elif content.endswith("/"):
            yield {title: [{_title(page): page} for page in _below(content, pages)]}
        elif content in pages or content.startswith(".."):
            yield {title: content}


def _below(folder: str, pages: set[str]) -> list[str]:
    return sorted(page for page in pages if page.startswith(folder))


def _title(page: str) -> str:
    first, _, _ = (DOCS / page).read_text(encoding="utf-8").partition("\n")
    return first.removeprefix("# ").replace("`", "")


def _pages(nav: list[dict[str, Any]]) -> Iterator[str]:
    for section in nav:
        ((_, content),) = section.items()
        yield from _pages(content) if isinstance(content, list) else [content]


def _configure(folder: Path, language: dict[str, Any], nav: list[Any]) -> None:
    words = {key: _toml(value) for key, value in language.items()}
    twins = [f"{page.stem}.html" for page in sorted((DOCS / "zh").glob("*.md"))]
    words |= {"nav": _toml(nav), "twins": _toml(twins)}
    shutil.copytree(HERE / "theme", folder / "theme")
    text = Template((HERE / "zensical.toml").read_text(encoding="utf-8")).substitute(words)
    (folder / "zensical.toml").write_text(text, encoding="utf-8")


def _toml(value: Any) -> str:
    """A text, a list, or a table as TOML writes it within a line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _print(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        check=False, cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if run.returncode:
        raise BuildError(run.stdout + run.stderr)
