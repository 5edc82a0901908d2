"""Scenarios as files: what is wrong with them, their own tests, a drawing, and a way to play them without effects."""

import sys
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from bots import registry, rehearse
from bots.registry import ScenarioRefused
from flows.draw import mermaid
from flows.machine import Compiled
from flows.problems import Problem
from flows.testing import Played
from gateway.cli.settings import stop

_HELP: Final = "Type what a customer would. /wait 30m lets time pass, /state shows where it stands, /quit ends."


def built_in() -> list[Path]:
    """The files of the scenarios that every bot comes with."""
    with as_file(files("bots") / "scenarios") as folder:
        return sorted(folder.glob("*.yaml"))


def problems(path: Path) -> list[str]:
    """`path:line:column: code: sentence` for everything that is wrong with a scenario, warnings included."""
    return [_line(path, each) for each in registry.lint(_source(path))[1]]


def check(paths: Sequence[Path]) -> None:
    """Print what is wrong; exit code 1 when something keeps a scenario from being published."""
    found = [(path, each) for path in paths for each in registry.lint(_source(path))[1]]
    for path, each in found:
        typer.echo(_line(path, each))
    errors = sum(each.severity == "error" for _, each in found)
    if errors:
        stop(f"{errors} {'error' if errors == 1 else 'errors'} in {len(paths)} {_files(paths)}.")
    typer.echo(f"{len(paths)} {_files(paths)}, all sound.")


def test(paths: Sequence[Path]) -> None:
    """Play their tests and print a table; exit code 1 when one fails."""
    table = Table(box=None, pad_edge=False)
    for title in ("scenario", "test", "turns", "result"):
        table.add_column(title, overflow="fold")
    failed = 0
    for path in paths:
        compiled = _compiled(path)
        for verdict in rehearse.run(compiled):
            wrong = next((turn for turn in verdict.turns if turn.problem is not None), None)
            failed += wrong is not None
            result = "ok" if wrong is None else f"line {wrong.at.line}: {wrong.problem}"
            table.add_row(compiled.scenario.id, verdict.name, str(len(verdict.turns)), result)
        if not compiled.scenario.tests:
            table.add_row(compiled.scenario.id, "(none)", "0", "has no tests")
    Console(soft_wrap=True).print(table)
    if failed:
        stop(f"{failed} {'test' if failed == 1 else 'tests'} failed.")


def draw(path: Path, output: Path | None) -> None:
    """Print the drawing, or write it to `output`."""
    drawing = mermaid(_compiled(path))
    if output is None:
        typer.echo(drawing, nl=False)
        return
    try:
        output.write_text(drawing, encoding="utf-8")
    except OSError as error:
        stop(f"{output} cannot be written: {error.strerror}.")


def simulate(path: Path) -> None:
    """Play it turn by turn, from a terminal or from piped lines; actions go well, nothing is stored."""
    rehearsal = rehearse.rehearsal(_compiled(path))
    typer.echo(_HELP)
    for line in _lines():
        if line == "/quit":
            return
        if line == "/state":
            run = rehearsal.run
            known = {} if run is None else {name: value.label for name, value in run.slots.items()}
            typer.echo(f"  [{run.node if run else 'not begun'}] {known}")
            continue
        wait = rehearse.wait_of(line)
        if wait is not None and rehearsal.run is None:
            typer.echo("  (say something first)")
            continue
        played = rehearsal.hear(line) if wait is None else rehearsal.wait(wait)
        _show(played)
        if played.run.ended is not None:
            typer.echo(f"  (over: {played.run.ended})")
            return


def _show(played: Played) -> None:
    for said in played.said:
        typer.echo(f"  {said.text}" if said.text else f"  ({said.key})")
        for number, choice in enumerate(said.choices, 1):
            typer.echo(f"    {number}. {choice}")
    typer.echo(f"  [{played.run.node}]")


def _lines() -> Iterator[str]:
    is_typed = sys.stdin.isatty()
    while True:
        if is_typed:
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        stop(f"{path} is not UTF-8 text.")
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}.")


def _compiled(path: Path) -> Compiled:
    """The scenario, ready to run; ends the command when it is not sound."""
    try:
        return registry.sound(_source(path))
    except ScenarioRefused as refused:
        stop(*(_line(path, each) for each in refused.problems))


def _line(path: Path, problem: Problem) -> str:
    kind = "" if problem.severity == "error" else f"{problem.severity}: "
    return f"{path}:{problem.at.line}:{problem.at.column}: {kind}{problem.code}: {problem.message}"


def _files(paths: Sequence[Path]) -> str:
    return "scenario" if len(paths) == 1 else "scenarios"
