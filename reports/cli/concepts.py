"""The command `concepts`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipeline.execution.job import Job
from pipeline.experiments.concept_results import VectorSample
from pipeline.experiments.concepts import Exploration, open_exploration, refuse_unfit, sample
from pipeline.machine.writing import File, remove_folders, write_files
from pipeline.plan.selection import Selection
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import ClusterSpec
from pipeline.store.results import open_results
from pipeline.store.runs import home_of
from pipeline.store.store import NAME
from reports.audit.readings import Readings
from reports.audit.report import write_report
from reports.cli.experiments import result_file, track_on_terminal
from reports.cli.running import run_audit
from reports.concepts.members import describe_member, draw_member
from reports.concepts.page import html
from reports.concepts.result import ConceptsResult, Member, Request, summarise
from reports.formatting import slug
from reports.page import STYLE, style_sheet
from reports.runs import CONCEPTS, PAGE, REPORT

RESULT = "concepts.json"


def write_concepts(
    spec: Path,
    folder: Path,
    request: Request,
    cluster: ClusterSpec | None,
    console: Console,
    trusted: tuple[Path, ...] = (),
) -> Path:
    """Explore a layer on the images of a run, perturb those that are missing, and return the path of the layer's page.

    One spec and request give the same bytes each time.

    Raises
    ------
    SpecError, ModelError, DataError, UnsupportedOperation
        If the spec, the model or the data cannot be used.
    StoreError, IncompleteRun
        If the store is another run's or is damaged, tasks are missing, or a link is where a file of the page goes.
    """
    job = Job(load_spec(spec), spec.parent.resolve(), home_of(spec, folder) / NAME, trusted=trusted)
    refuse_unfit(job, request.layer, request.clusters, request.vectors)
    run_audit(spec, folder, cluster, Selection("perturb"), console, trusted=trusted)
    readings = Readings(open_results(job.store))
    result, pictures = _explore(open_exploration(job, request.layer, request.seed), readings, request, console)
    has_report = (folder / PAGE).exists()
    home, page = f"{REPORT}/{CONCEPTS}/{slug(request.layer)}", Path(PAGE).name
    files = [
        *pictures,
        result_file(RESULT, result),
        (page, html(result, has_report=has_report).encode()),
    ]
    remove_folders(folder, [home])
    write_files(folder, [(f"{REPORT}/{STYLE}", style_sheet().encode())])
    write_files(folder, [(f"{home}/{name}", content) for name, content in files])
    if has_report:
        write_report(folder)  # so that it links the page
    return folder / home / page


def _explore(
    layer: Exploration, readings: Readings, request: Request, console: Console
) -> tuple[ConceptsResult, list[File]]:
    rows = range(len(readings.image_ids))
    every = [layer.draw(row, request.vectors) for row in track_on_terminal(rows, "drawing vectors", console)]
    drawn = [each for each in every if len(each.positions)]
    clusters = layer.clusters(drawn, request.clusters)
    found = sample(
        drawn, [layer.follow(each, clusters) for each in track_on_terminal(drawn, "perturbing them", console)]
    )
    pictures: list[File] = []
    members = []
    for number in track_on_terminal(range(request.clusters), "cutting out their fields", console):
        shown = list(_members(layer, readings, found, number, request.members))
        members.append(tuple(member for member, _ in shown))
        pictures += [file for _, files in shown for file in files]
    return summarise(readings, request, found, members), pictures


def _members(
    layer: Exploration, readings: Readings, found: VectorSample, number: int, count: int
) -> Iterator[tuple[Member, tuple[File, File]]]:
    """Return the most relevant members of a cluster, one per image, with their pictures."""
    for rank, index in enumerate(found.strongest(found.labels[:, 0] == number)[:count]):
        field = layer.field(int(found.row[index]), tuple(found.position[index].tolist()))
        member = describe_member(readings, found, int(index), field, f"{number + 1:02d}-{rank + 1}")
        yield member, draw_member(readings, member, field)
