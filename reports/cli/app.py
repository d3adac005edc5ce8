"""The root command `srd-audit`. Nothing here imports torch before a command that needs it runs."""

from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from rich.text import Text

from pipeline.machine.phases import Phase
from pipeline.plan.stages import STAGES
from pipeline.store.runs import audits_in, home_of, location_of
from reports.cli.cluster_options import Gpus, Scheduler, TaskLimit, Workers, cluster_of
from reports.cli.consoles import messages, results
from reports.cli.ending import show_tracebacks
from reports.cli.folder_options import Out, Run, Runs, SpecFile, find_folder, refuse_idle_options, refuse_idle_runs
from reports.cli.heartbeat import tell_phases
from reports.cli.listing import methods, metrics, perturbations
from reports.runs import comparison_place, finished_audits, folder_for, is_spec
from srd.errors import FailedTasks, IncompleteRun, InputError

app = typer.Typer(
    help="Audits how far the explanations of an image classifier can be relied on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Debug = Annotated[bool, typer.Option("--debug", help="Print where an error was raised, as Python tells it.")]


@app.command()
def run(
    spec: SpecFile,
    out: Out = None,
    runs: Runs = None,
    workers: Workers = None,
    gpus: Gpus = None,
    scheduler: Scheduler = None,
    task_limit: TaskLimit = None,
    stage: Annotated[
        str | None, typer.Option(help=f"Stop after this stage, without report: {', '.join(STAGES)}.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Do only this share of the tiles, such as 3/20, without report.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Run what is missing of SPEC's audit, write the report, print its path. The same again continues.

    A SPEC of several subjects gives a report of each, and one page that compares them.
    """
    if stage is not None and stage not in STAGES:
        from pipeline.spec.values import closest

        raise InputError(f"--stage {stage!r}: no stage is called so; {closest(stage, STAGES)}")
    from pipeline.plan.selection import WHOLE, Selection, parse_share
    from pipeline.spec.comparison import load_audits
    from reports.cli.running import run_audit, run_comparison

    folder = folder_for(spec, runs, out)
    selection = Selection(stage, WHOLE if part is None else parse_share(part))
    start = run_comparison if load_audits(spec) else run_audit
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    is_reported = stage is None and part is None
    try:
        with show_tracebacks(debug):
            start(spec, folder, cluster, selection, messages)
    except FailedTasks:
        if is_reported:
            _print_unfinished_reports(folder)
        raise
    if is_reported:
        _print_report(folder)


@app.command()
def plan(
    spec: SpecFile,
    out: Out = None,
    runs: Runs = None,
    workers: Workers = None,
    gpus: Gpus = None,
    scheduler: Scheduler = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Tell what SPEC would take: tasks, time, disk and memory, measured on a few of its images. Nothing is kept.

    Ends with exit code 5 if the disk of the run's folder or this machine's memory cannot hold it.
    """
    from reports.cli.plan_table import plan_json, print_plan
    from reports.cli.planning import plan_audit, refuse_unfit

    folder = folder_for(spec, runs, out)
    cluster = cluster_of(spec, workers, gpus, scheduler, None)
    estimates = plan_audit(spec, cluster, messages)
    if as_json:
        results.print(Text(plan_json(estimates)))
    else:
        print_plan(estimates, results)
    refuse_unfit(estimates, home_of(spec, folder), cluster)


@app.command()
def status(run: Run, runs: Runs = None) -> None:
    """Tell what is done, what is missing, and which tasks have failed, with their cause."""
    from reports.cli.status_table import print_status

    if not print_status(find_folder(run, runs, messages), results):
        raise typer.Exit(IncompleteRun.exit_code)


@app.command()
def report(
    run: Run,
    runs: Runs = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it as PDF too, by Chromium or WeasyPrint.")] = False,
) -> None:
    """Write the report of a run again, from its store alone, and print its path."""
    folder = find_folder(run, runs, messages)
    _print_report(folder)
    if pdf:
        from reports.cli.reporting import print_reports

        for file in print_reports(folder):
            _print_path(file)


@app.command()
def check(
    run: Run,
    runs: Runs = None,
    criteria: Annotated[
        Path | None,
        typer.Option("-k", "--criteria", help="TOML file of criteria.", show_default="those that are shipped"),
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="A method to ask about; may be repeated.", show_default="all but controls")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts as a JUnit file too.")] = None,
) -> None:
    """Judge a finished run by criteria. Ends with 0 for PASS or WARN, 6 for FAIL, 7 for INCONCLUSIVE."""
    from reports.cli.verdicts import Forms, check_runs

    subjects = audits_in(find_folder(run, runs, messages))
    folders = dict(zip(subjects or ("",), finished_audits(run, runs), strict=True))
    raise typer.Exit(check_runs(folders, criteria, method or (), Forms(as_json, junit)))


@app.command()
def verify(
    run: Run,
    out: Out = None,
    runs: Runs = None,
    source: Annotated[
        Path | None, typer.Option(help="Folder of your own, at which paths of a FOLDER's spec start.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Tasks of each stage that are done again.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
    repair: Annotated[bool, typer.Option("--repair", help="Have damaged tasks done again by the next run.")] = False,
) -> None:
    """Check all that is stored of a run against its receipts, and do some tasks again to compare their bytes.

    Tasks are done again with the network of your own spec, or of --source. Of a FOLDER alone, which may be somebody
    else's, no code is run, and only bytes are checked. Ends with exit code 3 if anything is damaged or differs.
    """
    refuse_idle_options(run, out, source)
    folder = folder_for(run, runs, out) if is_spec(run) else find_folder(run, runs, messages)
    if not is_spec(run) and source is None:
        from reports.cli.checking import check_run

        return check_run(folder, repair, results)
    from reports.cli.verifying import Request, jobs_of_source, jobs_of_spec, verify_jobs

    jobs = jobs_of_source(folder, source) if source else jobs_of_spec(run, folder)
    return verify_jobs(jobs, Request(sample, seed, repair), results)


@app.command()
def export(
    run: Run,
    destination: Annotated[str, typer.Argument(help="FILE.nc, or FOLDER.icechunk.", show_default=False)],
    form: Annotated[
        str | None, typer.Option("--format", help="netcdf or icechunk.", show_default="by the suffix")
    ] = None,
    runs: Runs = None,
) -> None:
    """Write what is stored of a run as one NetCDF file, or as an icechunk repository."""
    from pipeline.store.exports import export as write

    folder = find_folder(run, runs, messages)
    subjects = audits_in(folder)
    if subjects:
        raise InputError(f"{folder}: holds several audits; name one: {', '.join(map(str, subjects.values()))}")
    _refuse_existing(Path(destination))
    write(location_of(folder), destination, form)
    _print_path(Path(destination))


@app.command()
def compare(
    finished: Annotated[
        list[Path], typer.Argument(metavar="RUNS", help="Folders of finished runs, or their specs.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the comparison.", show_default="comparison beside the first run")
    ] = None,
    runs: Runs = None,
) -> None:
    """Compare the networks of finished RUNS on one page, and print its path.

    With --runs DIR the runs of specs are found in DIR, and the comparison goes to DIR/comparison.
    """
    from reports.comparison.page import write_comparison  # seaborn takes two seconds to import

    refuse_idle_runs(finished, runs, out)
    homes = [(run, runs if is_spec(run) else None) for run in finished]
    for each, home in homes:
        find_folder(each, home, messages)
    audits = [audit for run, home in homes for audit in finished_audits(run, home)]
    _print_path(write_comparison(audits, comparison_place(finished[0], runs) if out is None else out))


@app.command()
def apop(spec: SpecFile, out: Out = None, runs: Runs = None) -> None:
    """Predict from activation patterns only: what the on/off patterns of SPEC's images tell while other inputs run."""
    from reports.cli.apop import write_apop

    _print_path(write_apop(spec, folder_for(spec, runs, out), results, messages))


@app.command()
def concepts(
    spec: SpecFile,
    layer: Annotated[str, typer.Option(help="Module of the network, such as layer3.", show_default=False)],
    clusters: Annotated[int, typer.Option(min=2, help="Number of clusters.")] = 12,
    vectors: Annotated[int, typer.Option(min=1, help="Vectors drawn from each image.")] = 16,
    members: Annotated[int, typer.Option(min=1, help="Members shown of each cluster.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws and the clusters.")] = 0,
    out: Out = None,
    runs: Runs = None,
    workers: Workers = None,
    gpus: Gpus = None,
    scheduler: Scheduler = None,
    task_limit: TaskLimit = None,
    debug: Debug = False,
) -> None:
    """Show what the vectors of a layer stand for: clusters, what they saw, and how stable they are under SPEC."""
    from reports.cli.concepts import write_concepts
    from reports.concepts.result import Request

    request = Request(layer=layer, clusters=clusters, vectors=vectors, members=members, seed=seed)
    folder = folder_for(spec, runs, out)
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    with show_tracebacks(debug):
        page = write_concepts(spec, folder, request, cluster, messages)
    _print_path(page)


@app.command()
def manipulate_model(spec: SpecFile, out: Out = None, runs: Runs = None) -> None:
    """Fine-tune a copy of SPEC's network until its maps move while its answers stay; compare both on held-out images.

    SPEC is that of an audit, with a table [manipulation] in place of perturbations.
    """
    from reports.cli.manipulated_model import write_manipulated_model

    _print_path(write_manipulated_model(spec, folder_for(spec, runs, out), messages))


@app.command()
def init(path: Annotated[Path, typer.Argument(help="File to write.")] = Path("audit.toml")) -> None:
    """Write a spec to start from, with a comment on every key."""
    _refuse_existing(path)
    path.write_text((files("reports") / "templates" / "audit.toml").read_text())
    _print_path(path)
    command = f"srd-audit run {quote(str(path))}"
    messages.print(Text(f"written; once it names your network and your images: {command}"))


for each in (methods, perturbations, metrics):
    app.command()(each)


def _print_report(folder: Path) -> None:
    with tell_phases(messages) as tell:
        tell(Phase("reading the store"))
        from reports.cli.reporting import write_reports

        page = write_reports(folder, tell)
    _print_path(page)


def _print_unfinished_reports(folder: Path) -> None:
    with tell_phases(messages) as tell:
        tell(Phase("reading the store"))
        from reports.cli.reporting import write_unfinished_reports

        pages = list(write_unfinished_reports(folder, tell))
    for page in pages:
        _print_path(page)


def _refuse_existing(path: Path) -> None:
    """Refuse a place where anything is, a link that leads nowhere included."""
    if path.is_symlink() or path.exists():
        raise InputError(f"{path}: is there already; name another file")


def _print_path(path: Path) -> None:
    results.print(Text(str(path)))
