"""`baton policy apply|lint|show`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import typer

from baton.commands.shown import check_language
from baton.errors import OperatorError
from baton.home import all_names, environment, here, only_here

if TYPE_CHECKING:
    from baton.policies import Report, Stored

MOST_CHANGES = 50  # lines told of one policy

app = typer.Typer(no_args_is_help=True, help="Bring policies into force, and see which are.")


@app.command()
def apply(
    given: str = typer.Argument(
        "policies", metavar="[TENANT|DIR]", help="One tenant, or a directory of one or of all."
    ),
    republish: bool = typer.Option(False, help="Publish again what did not change, too."),
    check: bool = typer.Option(False, "--check", help="Only say what is wrong with the files; nothing has to run."),
    dry_run: bool = typer.Option(
        False,
        "--dry-run",
        help="Only say what would change, thing by thing, and which rules would count from then on only; what apply would refuse"
        " is refused.",
    ),
    secrets_elsewhere: bool = typer.Option(
        False, "--secrets-elsewhere", help="Do not look whether write keys and secrets are there: ingest has them."
    ),
) -> None:
    """Check the policies, store what changed for ever, and publish it to the services.

    Write keys and secrets have to be there: in `.baton/secrets`, which ingest reads again by itself, or in its environment.

    Nothing comes into force when anything is wrong: every fault is told with its file, its line and the nearest valid name.
    All that `baton policy lint` finds is told first.
    """
    from aiokafka.errors import KafkaError

    from baton import policies
    from baton.lint import refuse, telling
    from baton.policies.reading import named

    path = named(given)
    for doubtful in refuse(path):
        print("\n".join(telling.lines(doubtful)))
    if check:
        for found in policies.check(path):
            print(f"{found.tenant}: {len(found.bodies)} policies are good.")
        return
    names = environment(here())
    database, bootstrap = names["DATABASE_URL"], names["KAFKA_BOOTSTRAP_SERVERS"]
    known = None if secrets_elsewhere else all_names(here())
    doubtful_names = only_here(here())
    try:
        report = asyncio.run(
            policies.preview(path, database, bootstrap, environment=known, doubtful=doubtful_names)
            if dry_run
            else policies.apply(
                path, database, bootstrap, republish=republish, environment=known, doubtful=doubtful_names
            )
        )
    except (KafkaError, OSError) as error:
        again = "" if dry_run else " Then apply again"
        raise OperatorError(f"Kafka or Postgres cannot be reached ({error}): is Baton up?{again}") from error
    if secrets_elsewhere:
        print("note: nobody looked whether the write keys and secrets that sources refer to are there.")
    if dry_run:
        _foretell(report)
    else:
        _tell(report, "new version")


@app.command()
def lint(
    given: str = typer.Argument(
        "policies", metavar="[TENANT|DIR]", help="One tenant, or a directory of one or of all."
    ),
    lang: str = typer.Option("en", help="en or ja"),
    strict: bool = typer.Option(False, "--strict", help="End with 1 for warnings, too."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object per finding and line."),
) -> None:
    """Find what is wrong or doubtful in policies: names that are not there, rules that nothing fits or that earlier ones take all
    from, leads that no rule takes, pools that nobody can serve, points out of reach. Nothing has to run.

    Ends with 1 where there is an error: `baton policy apply` would refuse. docs/policies.md has every code.
    """
    import json

    from baton.lint import lint, telling
    from baton.policies.reading import named

    check_language(lang)
    problems = lint(named(given))
    for problem in problems:
        told = [json.dumps(telling.record(problem), ensure_ascii=False)] if as_json else telling.lines(problem, lang)
        print("\n".join(told))
    if not as_json:
        print(telling.summary(problems, lang))
    if any(problem.severity == "error" or (strict and problem.severity == "warning") for problem in problems):
        raise typer.Exit(1)


def _foretell(report: Report) -> None:
    """What would be new, thing by thing; of what stays as it is the number."""
    for warning in report.warnings:
        print(f"warning: {warning}")
    for entry in report.changed():
        print(f"{entry.tenant} {entry.kind}: would be version {entry.sequence} ({entry.hash[:12]})")
        for change in entry.changes[:MOST_CHANGES]:
            print(f"  {change}")
        if len(entry.changes) > MOST_CHANGES:
            print(f"  … and {len(entry.changes) - MOST_CHANGES} more")
        for note in entry.notes:
            print(f"  {note}")
    same = len(report.applied) - len(report.changed())
    print(f"{same} of {len(report.applied)} policies stay as they are.")


def _tell(report: Report, new: str) -> None:
    for warning in report.warnings:
        print(f"warning: {warning}")
    for entry in report.applied:
        what = new if entry.stored else "published again" if entry.published else "unchanged"
        print(f"{entry.tenant:<12} {entry.kind:<14} version {entry.sequence:<4} {entry.hash[:12]}  {what}")
        for note in entry.notes:
            print(f"{entry.tenant:<12} {note}")


@app.command()
def show(
    kind: str = typer.Argument(help="sources, scoring, lifecycle, qualification, routing, teams, sla or pipeline"),
    tenant: str = typer.Option("northstar", help="Whose policy."),
    version: int | None = typer.Option(None, help="A sequence number; the one in force when left out."),
    region: str | None = typer.Option(
        None,
        help="Of scoring or routing: the rules that count in this region, the id of an overlay; those of its own are marked.",
    ),
) -> None:
    """Print a stored version of a policy as YAML."""
    from baton import policies

    if region is not None and kind not in ("scoring", "routing"):
        raise OperatorError(f"only scoring and routing have regions, not {kind}")

    names = environment(here())
    try:
        stored = asyncio.run(policies.show(tenant, kind, version, database_url=names["DATABASE_URL"]))
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None
    except OSError as error:
        raise OperatorError(f"Postgres cannot be reached ({error}): is Baton up?") from error
    try:
        print(_yaml(stored, region))
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None


def _yaml(stored: Stored, region: str | None = None) -> str:
    """As text; of one region where one is named. Raises LookupError for a region that is not there."""
    import io

    from ruamel.yaml import YAML

    from baton.policies.regions import effective, marked
    from shared.kit.clock import iso

    record, out = stored.record, io.StringIO()
    of_region = f", as it counts in region {region}" if region is not None else ""
    since = iso(record.activated_at)
    out.write(f"# {record.tenant} {record.kind}{of_region}, version {record.sequence}, in force since {since}\n")
    out.write(f"# SHA-256 {record.hash}{'' if stored.published else '; NOT YET PUBLISHED: apply again'}\n")
    if region is not None:
        out.write(marked(effective(record.body, region)))
        return out.getvalue().rstrip()
    yaml: Any = YAML(typ="safe")
    yaml.default_flow_style, yaml.allow_unicode, yaml.sort_base_mapping_type_on_output = False, True, False
    yaml.width = 120
    yaml.dump(record.body, out)
    return out.getvalue().rstrip()
