"""The root command `srd-audit`. Nothing here imports torch before a command that needs it runs."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from attacks.registry import PERTURBATIONS
from pipeline.plan.stages import STAGES
from reports.cli.cluster_options import Gpus, Scheduler, TaskLimit, Workers, cluster_of
from reports.cli.consoles import messages, results
from reports.cli.ending import show_tracebacks
from reports.cli.listing import list_entries
from reports.runs import RUNS, audits_in, finished_audits, folder_of, home_of, location_of
from srd.errors import FailedTasks, IncompleteRun, InputError
from srd.registry import ATTRIBUTORS, METRICS

app = typer.Typer(
    help="Audits how far the explanations of an image classifier can be relied on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecFile = Annotated[Path, typer.Argument(help="TOML spec of the audit.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="A run's folder, or the spec it was made from.", show_default=False)]
Debug = Annotated[bool, typer.Option("--debug", help="Print where an error was raised, as Python tells it.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME OF SPEC")]


@app.command()
def run(
    spec: SpecFile,
    out: Out = None,
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

    folder = out or RUNS / spec.stem
    selection = Selection(stage, WHOLE if part is None else parse_share(part))
    start = run_comparison if load_audits(spec) else run_audit
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    is_reported = stage is None and part is None
    try:
        with show_tracebacks(debug):
            start(spec, folder, cluster, selection, messages)
    except FailedTasks:
        if is_reported:
            _print_reports(folder)
        raise
    if is_reported:
        _report(folder)


@app.command()
def plan(
    spec: SpecFile,
    out: Out = None,
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

    cluster = cluster_of(spec, workers, gpus, scheduler, None)
    estimates = plan_audit(spec, cluster, messages)
    if as_json:
        results.print(Text(plan_json(estimates)))
    else:
        print_plan(estimates, results)
    refuse_unfit(estimates, home_of(spec, out or RUNS / spec.stem), cluster)


@app.command()
def status(run: Run) -> None:
    """Tell what is done, what is missing, and which tasks have failed, with their cause."""
    from pipeline.store.store import failures, progress

    folder = folder_of(run)
    stores = {name: location_of(path) for name, path in (audits_in(folder) or {"": folder}).items()}
    counts = {name: progress(store) for name, store in stores.items()}
    for name, stages in counts.items():
        table = Table("stage", "done", "planned", "missing", title=name or None)
        for stage, (done, planned) in stages.items():
            table.add_row(stage, str(done), str(planned), str(planned - done))
        results.print(table)
        for key, failure in failures(stores[name]).items():
            results.print(Text(f"{key}: {failure.error}"))
    if any(done < planned for stages in counts.values() for done, planned in stages.values()):
        raise typer.Exit(IncompleteRun.exit_code)


@app.command()
def report(run: Run) -> None:
    """Write the report of a run again, from its store alone, and print its path."""
    _report(folder_of(run))


@app.command()
def check(
    run: Run,
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
    from reports.cli.verdicts import exit_code_of, judge_runs, print_verdicts, verdicts_json, write_junit

    subjects = audits_in(folder_of(run))
    folders = dict(zip(subjects or ("",), finished_audits(run), strict=True))
    judged = judge_runs(folders, criteria, method or ())
    if junit:
        write_junit(judged, junit)
    if as_json:
        results.print(Text(verdicts_json(judged)))
    else:
        print_verdicts(judged, results)
    raise typer.Exit(exit_code_of(judged))


@app.command()
def verify(
    run: Run,
    out: Out = None,
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
    _refuse_idle_options(run, out, source)
    if run.suffix != ".toml" and source is None:
        from reports.cli.checking import check_run

        return check_run(folder_of(run), repair, results)
    from reports.cli.verifying import Request, jobs_of_source, jobs_of_spec, verify_jobs

    jobs = jobs_of_source(folder_of(run), source) if source else jobs_of_spec(run, out or RUNS / run.stem)
    return verify_jobs(jobs, Request(sample, seed, repair), results)


@app.command()
def export(
    run: Run,
    destination: Annotated[str, typer.Argument(help="FILE.nc, or FOLDER.icechunk.", show_default=False)],
    form: Annotated[
        str | None, typer.Option("--format", help="netcdf or icechunk.", show_default="by the suffix")
    ] = None,
) -> None:
    """Write what is stored of a run as one NetCDF file, or as an icechunk repository."""
    from pipeline.store.exports import export as write

    folder = folder_of(run)
    subjects = audits_in(folder)
    if subjects:
        raise InputError(f"{folder}: holds several audits; name one: {', '.join(map(str, subjects.values()))}")
    _refuse_existing(Path(destination))
    write(location_of(folder), destination, form)
    _print_path(Path(destination))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs, or their specs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the comparison.")] = RUNS / "comparison",
) -> None:
    """Compare the networks of finished RUNS on one page, and print its path."""
    _print_path(_compare([folder for run in runs for folder in finished_audits(run)], out))


@app.command()
def apop(spec: SpecFile, out: Out = None) -> None:
    """Predict from activation patterns only: what the on/off patterns of SPEC's images tell while other inputs run."""
    from reports.cli.apop import write_apop

    _print_path(write_apop(spec, out or RUNS / spec.stem, results, messages))


@app.command()
def concepts(
    spec: SpecFile,
    layer: Annotated[str, typer.Option(help="Module of the network, such as layer3.", show_default=False)],
    clusters: Annotated[int, typer.Option(min=2, help="Number of clusters.")] = 12,
    vectors: Annotated[int, typer.Option(min=1, help="Vectors drawn from each image.")] = 16,
    members: Annotated[int, typer.Option(min=1, help="Members shown of each cluster.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws and the clusters.")] = 0,
    out: Out = None,
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
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    with show_tracebacks(debug):
        page = write_concepts(spec, out or RUNS / spec.stem, request, cluster, messages)
    _print_path(page)


@app.command()
def manipulate_model(spec: SpecFile, out: Out = None) -> None:
    """Fine-tune a copy of SPEC's network until its maps move while its answers stay; compare both on held-out images.

    SPEC is that of an audit, with a table [manipulation] in place of perturbations.
    """
    from reports.cli.manipulated_model import write_manipulated_model

    _print_path(write_manipulated_model(spec, out or RUNS / spec.stem, messages))


@app.command()
def init(path: Annotated[Path, typer.Argument(help="File to write.")] = Path("audit.toml")) -> None:
    """Write a spec to start from, with a comment on every key."""
    _refuse_existing(path)
    path.write_text((files("reports") / "templates" / "audit.toml").read_text())
    _print_path(path)


@app.command()
def methods() -> None:
    """List the explanation methods that a spec may name."""
    list_entries(
        results, ATTRIBUTORS, "family", "networks", "signed", "low_resolution", "stochastic", "differentiable", "cost"
    )


@app.command()
def perturbations() -> None:
    """List the perturbations that a spec may name."""
    list_entries(results, PERTURBATIONS, "family", "goal", "constraint", "access", "cost")


@app.command()
def metrics() -> None:
    """List what is measured of every map."""
    list_entries(results, METRICS, "of", "better", "bounds")


def _report(folder: Path) -> None:
    from reports.audit.report import write_report  # seaborn takes two seconds to import

    if audits_in(folder):
        for audit in audits_in(folder).values():
            write_report(audit)
        _print_path(_compare(finished_audits(folder), folder))
    else:
        _print_path(write_report(folder))


def _print_reports(folder: Path) -> None:
    """Write the report of each audit as far as it came. Unfinished audits are not compared."""
    from reports.audit.report import write_report

    for audit in audits_in(folder).values() or (folder,):
        _print_path(write_report(audit))


def _compare(folders: Sequence[Path], out: Path) -> Path:
    from reports.comparison.page import write_comparison

    return write_comparison(folders, out)


def _refuse_existing(path: Path) -> None:
    """Refuse a place where anything is, a link that leads nowhere included."""
    if path.is_symlink() or path.exists():
        raise InputError(f"{path}: is there already; name another file")


def _refuse_idle_options(run: Path, out: Path | None, source: Path | None) -> None:
    """Refuse an option of `verify` that the other form of RUN needs."""
    if run.suffix == ".toml" and source:
        raise InputError(f"--source {source}: {run} says itself where its network lies; leave it out, or name a FOLDER")
    if run.suffix != ".toml" and out:
        raise InputError(f"--out {out}: {run} is the run's folder already; leave it out, or name your own spec")


def _print_path(path: Path) -> None:
    results.print(Text(str(path)))
