"""`baton scoring …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from baton.commands.account import account
from baton.commands.rebuild import rebuild
from baton.commands.scoring_status import status
from baton.errors import OperatorError

if TYPE_CHECKING:
    from baton.replay.olist import Lead

app = typer.Typer(
    no_args_is_help=True, help="How scoring stands, how good its policy is, pictures of what it does; all states anew."
)
app.command()(account)
app.command()(rebuild)
app.command()(status)

ROOT = Path(__file__).parents[2]
RESULT = Path("bench/results/olist_quality.json")
DATASET = typer.Option("olist", "--dataset", help="Which leads whose end is known: olist (8,000 real B2B leads).")
FOLDER = typer.Option(
    ROOT.parent / "shared" / "data",
    "--folder",
    envvar="BATON_DATASETS",
    help="Where the data sets lie.",
    show_default=False,
)
POLICIES = typer.Option(Path("policies"), "--policies", help="Where the policies of all tenants lie.")


@app.command()
def quality(
    dataset: str = DATASET,
    folder: Path = FOLDER,
    policies: Path = POLICIES,
    write: bool = typer.Option(False, "--write", help=f"Keep the figures in {RESULT}, too."),
) -> None:
    """Judge a policy on leads that came after those it was written from.

    Every lead is scored by ingest's and scoring's own code as it stood at its first contact; nothing has to run.
    """
    import orjson
    from rich.console import Console

    from baton.quality.measuring import measure
    from baton.quality.telling import tables

    leads = _leads(dataset, folder)
    with Console(stderr=True).status("scoring the leads under this policy and under policies drawn by lot"):
        found = measure(leads, _directory(policies / dataset))
    console = Console()
    for part in tables(found):
        console.print(part, highlight=False)
    if write:
        RESULT.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


@app.command()
def fit(
    dataset: str = DATASET,
    folder: Path = FOLDER,
    policies: Path = POLICIES,
    write: bool = typer.Option(False, "--write", help="Put it into the policy in place of the `fit` that is there."),
) -> None:
    """Derive the points of `fit` from the first 70 % of the leads, by what was known of them then.

    It looks at what share of the leads from an origin, or by a landing page, was won.
    """
    from baton.quality.measuring import learn
    from baton.quality.writing import with_fit

    section = learn(_leads(dataset, folder)).section()
    if not write:
        print(section, end="")
        return
    path = _directory(policies / dataset) / "scoring.yaml"
    try:
        path.write_text(with_fit(path.read_text(), section))
    except (OSError, ValueError) as error:
        raise OperatorError(f"{path} cannot be written: {error}") from None
    print(f"{path}: the points of `fit` are written anew.")


@app.command()
def picture(
    to: Path = typer.Option(Path("docs/pictures"), "--to", help="The folder to draw into."),
) -> None:
    """Draw the pictures of docs/scoring.md, in English and Japanese: how touches fade, what caps cut, the grades and the gate,
    sixty days of a lead, and how early the Olist policy finds those who buy.

    The numbers come from scoring's own code, those of Olist from what `baton scoring quality --write` kept.
    """
    try:
        from baton.pictures.gallery import pictures
    except ModuleNotFoundError as error:
        raise OperatorError(
            f"drawing needs {error.name}, which is not installed: it comes with `pip install baton[pictures]`, and with `make venv`"
        ) from None
    to.mkdir(parents=True, exist_ok=True)
    try:
        for name, content in pictures():
            (to / name).write_bytes(content)
            print(to / name)
    except FileNotFoundError as error:
        raise OperatorError(f"{error.filename} is not there: draw where Baton's files lie") from None


def _leads(dataset: str, folder: Path) -> list[Lead]:
    from baton.replay.olist import load

    if dataset != "olist":
        raise OperatorError(f"there is no data set {dataset!r} here: olist is the one there is")
    return load(folder)


def _directory(path: Path) -> Path:
    if not path.is_dir():
        raise OperatorError(
            f"there is no {path}: run this where Baton's policies lie, or name their folder by --policies"
        )
    return path
