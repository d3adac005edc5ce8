"""The commands that make a run, follow it and write its report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from pipeline.machine.phases import Phase
from pipeline.plan.stages import STAGES
from pipeline.store.runs import home_of
from reports.cli.cluster_options import Gpus, Scheduler, TaskLimit, Workers, cluster_of
from reports.cli.consoles import messages, results
from reports.cli.ending import show_tracebacks
from reports.cli.folder_options import Out, Run, Runs, SpecFile, find_folder
from reports.cli.heartbeat import tell_phases
from reports.cli.output_options import Json, Quiet, print_json, silence
from reports.cli.paths import print_path
from reports.cli.setting_options import Set
from reports.cli.trust_options import TrustFile, resolve_files
from reports.runs import PAGE, folder_for
from srd.errors import FailedTasks, IncompleteRun, InputError

Debug = Annotated[bool, typer.Option("--debug", help="Print where an error was raised, as Python tells it.")]
Stage = Annotated[str | None, typer.Option(help=f"Stop after this stage, without report: {', '.join(STAGES)}.")]


def run(
    spec: SpecFile,
    settings: Set = None,
    out: Out = None,
    runs: Runs = None,
    workers: Workers = None,
    gpus: Gpus = None,
    scheduler: Scheduler = None,
    task_limit: TaskLimit = None,
    stage: Stage = None,
    part: Annotated[
        str | None, typer.Option(help="Do only this share of the tiles, such as 3/20, without report.")
    ] = None,
    trusted: TrustFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run what is missing of an audit; write its report.

    Prints the verdict, the path of the report and the next step. The same command again continues. A SPEC of several
    subjects gives a report of each, and one page that compares them.
    """
    if stage is not None and stage not in STAGES:
        from pipeline.spec.values import closest

        raise InputError(f"--stage {stage!r}: no stage is called so; {closest(stage, STAGES)}")
    from pipeline.plan.selection import WHOLE, Selection, parse_share
    from pipeline.spec.comparison import load_audits
    from pipeline.spec.settings import parse_settings
    from reports.cli.running import run_audit, run_comparison

    folder, changed = folder_for(spec, runs, out), parse_settings(settings or ())
    selection = Selection(stage, WHOLE if part is None else parse_share(part))
    start = run_comparison if load_audits(spec, changed) else run_audit
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    is_reported = stage is None and part is None
    with silence(messages, quiet):
        try:
            with show_tracebacks(debug):
                start(spec, folder, cluster, selection, messages, changed, resolve_files(trusted))
        except FailedTasks:
            if is_reported:
                _print_unfinished_reports(folder)
            raise
        if is_reported:
            _print_kept_report(folder, as_json)
        elif as_json:
            _print_progress(folder)


def plan(
    spec: SpecFile,
    settings: Set = None,
    out: Out = None,
    runs: Runs = None,
    workers: Workers = None,
    gpus: Gpus = None,
    scheduler: Scheduler = None,
    trusted: TrustFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell what an audit would take: time, disk, memory.

    It is measured on a few images of SPEC. Nothing is kept. Ends with exit code 5 if the disk of the run's folder or
    this machine's memory cannot hold it.
    """
    from pipeline.spec.settings import parse_settings
    from reports.cli.plan_table import plan_json, print_plan
    from reports.cli.planning import plan_audit, refuse_unfit

    folder = folder_for(spec, runs, out)
    cluster = cluster_of(spec, workers, gpus, scheduler, None)
    with silence(messages, quiet):
        estimates = plan_audit(spec, cluster, parse_settings(settings or ()), messages, resolve_files(trusted))
    if as_json:
        results.print(Text(plan_json(estimates)))
    else:
        print_plan(estimates, results)
    refuse_unfit(estimates, home_of(spec, folder), cluster)


def status(run: Run, runs: Runs = None, as_json: Json = False) -> None:
    """Tell what is done, what is missing and what failed."""
    from reports.cli.status_table import print_status, status_of

    found = status_of(find_folder(run, runs, messages))
    if as_json:
        print_json(results, found.as_table())
    else:
        print_status(found, results)
    if not found.is_complete:
        raise typer.Exit(IncompleteRun.exit_code)


def report(
    run: Run,
    runs: Runs = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it as PDF too, by Chromium or WeasyPrint.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the report of a run again, from its store.

    Prints the verdict, the path of the report and the next step.
    """
    with silence(messages, quiet):
        folder = find_folder(run, runs, messages)
        _print_report(folder, as_json)
        if pdf:
            from reports.cli.reporting import print_reports

            for file in print_reports(folder):
                messages.print(Text(f"printed  {file}"))


def _print_kept_report(folder: Path, as_json: bool) -> None:
    """Print the end of a run whose report is there, or write it first."""
    from reports.cli.closing import print_endings
    from reports.cli.kept_report import kept_endings

    endings = kept_endings(folder)
    if endings:
        messages.print("report: nothing to do, it was made of this store")
        print_endings(folder, folder / PAGE, endings, as_json)
    else:
        _print_report(folder, as_json)


def _print_report(folder: Path, as_json: bool) -> None:
    with tell_phases(messages) as tell:
        tell(Phase("reading the store"))
        from reports.cli.closing import endings_of, print_endings
        from reports.cli.drawing_process import drawing_process
        from reports.cli.kept_report import digest_of_sources, keep
        from reports.cli.reporting import write_reports

        made_of = digest_of_sources(folder)
        with drawing_process() as draw:
            page = write_reports(folder, tell, draw)
        endings = tuple(endings_of(folder))
        keep(folder, made_of, endings)
    print_endings(folder, page, endings, as_json)


def _print_unfinished_reports(folder: Path) -> None:
    with tell_phases(messages) as tell:
        tell(Phase("reading the store"))
        from reports.cli.reporting import write_unfinished_reports

        pages = list(write_unfinished_reports(folder, tell))
    for page in pages:
        print_path(page)


def _print_progress(folder: Path) -> None:
    from reports.cli.status_table import status_of

    print_json(results, status_of(folder).as_table())
