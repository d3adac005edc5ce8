"""The commands of experiments beside an audit."""

from typing import Annotated

import typer

from reports.cli.cluster_options import Gpus, Scheduler, TaskLimit, Workers, cluster_of
from reports.cli.consoles import messages, results
from reports.cli.ending import show_tracebacks
from reports.cli.folder_options import Out, Runs, SpecFile
from reports.cli.paths import print_path
from reports.cli.run_commands import Debug
from reports.cli.trust_options import TrustFile, resolve_files
from reports.runs import folder_for


def apop(spec: SpecFile, out: Out = None, runs: Runs = None, trusted: TrustFile = None) -> None:
    """Predict from activation patterns alone.

    It asks what the on/off patterns of SPEC's images tell while other inputs run.
    """
    from reports.cli.apop import write_apop

    print_path(write_apop(spec, folder_for(spec, runs, out), results, messages, resolve_files(trusted)))


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
    trusted: TrustFile = None,
    debug: Debug = False,
) -> None:
    """Show what the vectors of a layer stand for.

    It shows clusters, what they saw, and how stable they are under SPEC.
    """
    from reports.cli.concepts import write_concepts
    from reports.concepts.result import Request

    request = Request(layer=layer, clusters=clusters, vectors=vectors, members=members, seed=seed)
    folder = folder_for(spec, runs, out)
    cluster = cluster_of(spec, workers, gpus, scheduler, task_limit)
    with show_tracebacks(debug):
        page = write_concepts(spec, folder, request, cluster, messages, resolve_files(trusted))
    print_path(page)


def manipulate_model(spec: SpecFile, out: Out = None, runs: Runs = None, trusted: TrustFile = None) -> None:
    """Fine-tune a copy of a network until its maps move.

    Its answers stay; both are compared on held-out images. SPEC is that of an audit, with a table [manipulation] in
    place of perturbations.
    """
    from reports.cli.manipulated_model import write_manipulated_model

    print_path(write_manipulated_model(spec, folder_for(spec, runs, out), messages, resolve_files(trusted)))


def variants(spec: SpecFile, out: Out = None, runs: Runs = None, trusted: TrustFile = None) -> None:
    """Compare a network with itself as it is shipped.

    It measures how far answers and maps move in another dtype, compiled, in int8 or with other weights. SPEC is that
    of an audit, with tables [variant.NAME] in place of perturbations.
    """
    from reports.cli.variants import write_variants

    print_path(write_variants(spec, folder_for(spec, runs, out), messages, resolve_files(trusted)))
