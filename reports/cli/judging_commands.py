"""The commands that judge, compare, check and hand on finished runs."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.store.runs import audits_in, home_of, location_of
from reports.cli.consoles import messages, results
from reports.cli.folder_options import (
    Out,
    Run,
    Runs,
    find_folder,
    refuse_idle_options,
    refuse_idle_runs,
    tell_credentials,
)
from reports.cli.output_options import Json, Quiet, silence
from reports.cli.paths import print_path, refuse_existing
from reports.cli.setting_options import Set
from reports.cli.trust_options import TrustFile, resolve_files
from reports.runs import comparison_place, finished_audits, folder_for, is_spec
from srd.errors import InputError


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
    against: Annotated[
        Path | None, typer.Option(help="An older run: ask what became worse since.", show_default=False)
    ] = None,
    as_json: Json = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts as a JUnit file too.")] = None,
) -> None:
    """Judge a run by criteria: the gate for CI.

    Ends with 0 for PASS or WARN, 6 for FAIL, 7 for INCONCLUSIVE. With --against: 0 if no criterion is worse than in the
    older run by more than its margin, 6 if one is, 7 if the images do not decide.
    """
    from reports.cli.verdicts import Forms, check_runs

    subjects = audits_in(find_folder(run, runs, messages))
    folders = dict(zip(subjects or ("",), finished_audits(run, runs), strict=True))
    forms = Forms(as_json, junit)
    if against is None:
        raise typer.Exit(check_runs(folders, criteria, method or (), forms))
    from reports.cli.regressions import check_against

    older = finished_audits(against, runs if is_spec(against) else None)
    raise typer.Exit(check_against(folders, older, criteria, method or (), forms))


def verify(
    run: Run,
    settings: Set = None,
    out: Out = None,
    runs: Runs = None,
    source: Annotated[
        Path | None, typer.Option(help="Folder of your own, at which paths of a FOLDER's spec start.")
    ] = None,
    trusted: TrustFile = None,
    sample: Annotated[int, typer.Option(min=0, help="Tasks of each stage that are done again.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
    repair: Annotated[bool, typer.Option("--repair", help="Have damaged tasks done again by the next run.")] = False,
) -> None:
    """Check what is stored, and do some tasks again.

    The bytes are compared with the receipts of a run. Tasks are done again with the network of your own spec, or of
    --source. Of a FOLDER alone, which may be somebody else's, no code is run, and only bytes are checked. Ends with
    exit code 3 if anything is damaged or differs.
    """
    refuse_idle_options(run, out, source, settings)
    folder = folder_for(run, runs, out) if is_spec(run) else find_folder(run, runs, messages)
    if not is_spec(run) and source is None:
        from reports.cli.checking import check_run

        return check_run(folder, repair, results)
    if is_spec(run):
        tell_credentials(home_of(run, folder), messages)
    from pipeline.spec.settings import parse_settings
    from reports.cli.verifying import Request, jobs_of_source, jobs_of_spec, verify_jobs

    files, changed = resolve_files(trusted), parse_settings(settings or ())
    jobs = jobs_of_source(folder, source, files) if source else jobs_of_spec(run, folder, changed, files)
    return verify_jobs(jobs, Request(sample, seed, repair), results)


def export(
    run: Run,
    destination: Annotated[str, typer.Argument(help="FILE.nc, or FOLDER.icechunk.", show_default=False)],
    form: Annotated[
        str | None, typer.Option("--format", help="netcdf or icechunk.", show_default="by the suffix")
    ] = None,
    runs: Runs = None,
) -> None:
    """Write a run as a NetCDF file or icechunk repository."""
    from pipeline.store.exports import export as write

    folder = find_folder(run, runs, messages)
    subjects = audits_in(folder)
    if subjects:
        raise InputError(f"{folder}: holds several audits; name one: {', '.join(map(str, subjects.values()))}")
    refuse_existing(Path(destination))
    write(location_of(folder), destination, form)
    print_path(Path(destination))


def compare(
    finished: Annotated[
        list[Path], typer.Argument(metavar="RUNS", help="Folders of finished runs, or their specs.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the comparison.", show_default="comparison beside the first run")
    ] = None,
    runs: Runs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare runs: side by side, and what changed.

    Of two runs on the same images it tells what changed from the first to the second: of each method and criterion the
    difference paired by image, and whether it is a regression. Networks are shown side by side on one page, whose path
    is printed. With --runs DIR the runs of specs are found in DIR, and the comparison goes to DIR/comparison.
    """
    from reports.cli.comparing import compare_runs  # seaborn takes two seconds to import

    refuse_idle_runs(finished, runs, out)
    homes = [(run, runs if is_spec(run) else None) for run in finished]
    with silence(messages, quiet):
        for each, home in homes:
            find_folder(each, home, messages)
        audits = [audit for run, home in homes for audit in finished_audits(run, home)]
        compare_runs(audits, comparison_place(finished[0], runs) if out is None else out, as_json)
