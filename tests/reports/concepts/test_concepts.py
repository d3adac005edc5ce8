"""`srd-audit concepts`: crops hold what they claim, numbers against loops, the page from its JSON, the command."""

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from command_line import Command
from numpy.typing import NDArray
from PIL import Image
from small_audits import edit, write_audit

from pipeline.experiments.concept_results import VectorSample
from pipeline.plan.conditions import conditions
from pipeline.store.attributes import read_attributes
from reports.audit.readings import Readings
from reports.concepts import crops
from reports.concepts.page import html
from reports.concepts.result import ConceptsResult, Request, summarise
from reports.statistics import wilson_interval

pytestmark = pytest.mark.slow

FIELDS = [np.random.default_rng(seed).standard_t(1.5, (13, 21)).astype(np.float32) for seed in range(20)]


def mass(field: NDArray[np.float32]) -> float:
    return float(np.abs(field).astype(float).sum())


@pytest.mark.parametrize("field", FIELDS)
def test_a_box_holds_its_mass_and_no_side_could_be_cut_further(field: NDArray[np.float32]) -> None:
    top, bottom, left, right = crops.bounding_box(field)
    assert mass(field[top:bottom, left:right]) >= crops.MASS * mass(field)
    allowed = (1 - crops.MASS) / 4 * mass(field)
    for outside, further in (
        (field[:top], field[: top + 1]),
        (field[bottom:], field[bottom - 1 :]),
        (field[:, :left], field[:, : left + 1]),
        (field[:, right:], field[:, right - 1 :]),
    ):
        assert mass(outside) <= allowed + 1e-9 < mass(further)


def test_the_box_of_one_pixel_is_that_pixel_and_of_nothing_the_whole_image() -> None:
    field = np.zeros((5, 7), np.float32)
    assert crops.bounding_box(field) == (0, 5, 0, 7)
    assert crops.share_inside(field, (0, 5, 0, 7)) == 0
    field[3, 2] = -2
    assert crops.bounding_box(field) == (3, 4, 2, 3)
    assert crops.share_inside(field, (3, 4, 2, 3)) == 1
    assert crops.share_inside(field, (0, 3, 0, 7)) == 0


@pytest.mark.parametrize("box", [(0, 1, 0, 1), (3, 9, 18, 21), (12, 13, 4, 12), (0, 13, 0, 21), (5, 6, 0, 20)])
def test_a_square_lies_in_the_image_and_holds_the_box(box: crops.Box) -> None:
    top, bottom, left, right = crops.square_around(box, (13, 21))
    assert 0 <= top <= box[0] < box[1] <= bottom <= 13
    assert 0 <= left <= box[2] < box[3] <= right <= 21
    side = max(box[1] - box[0], box[3] - box[2])
    assert (bottom - top, right - left) == (min(side, 13), side)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_the_strongest_pixels_are_the_fewest_that_hold_their_share(share: float) -> None:
    field = np.random.default_rng(0).random((8, 9)) ** 4
    mask = crops.strongest_pixels(field, share)
    assert field[mask].sum() >= share * field.sum()
    assert field[mask].sum() - field[mask].min() < share * field.sum()
    assert field[mask].min() >= field[~mask].max()


def decoded(png: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(np.int64)


def test_a_crop_shows_the_image_where_the_field_is_and_fades_it_elsewhere() -> None:
    image, field = np.zeros((3, 48, 48), np.float32), np.zeros((48, 48), np.float32)
    field[8:20, 10:16] = 1
    pixels = decoded(crops.crop(image, field, (6, 42, 6, 42)))
    assert pixels.shape == (144, 144, 3)
    assert pixels[(14 - 6) * 4, (13 - 6) * 4].max() == 0
    faint = (1 - crops.FAINTEST) * crops.GROUND * 255
    assert np.abs(pixels[-1, -1] - faint).max() <= 1


def test_the_surroundings_outline_the_crop() -> None:
    image = np.zeros((3, 48, 48), np.float32)
    drawn = decoded(crops.surroundings(image, (6, 12, 18, 30))).max(-1) > 0
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (17, 37, 53, 91)
    assert not drawn[18:36, 54:90].any()


N_VECTORS, N_CLUSTERS = 240, 3


@pytest.fixture(scope="module")
def found(dataset: xr.Dataset) -> VectorSample:
    """Vectors of all images but the last; the more perturbed, the more move."""
    random = np.random.default_rng(2)
    n, p = dataset.sizes["image"] - 1, dataset.sizes["perturbation"]
    labels = np.repeat(random.integers(0, N_CLUSTERS, (N_VECTORS, 1)), p, 1)
    moved = random.random(labels.shape) < np.linspace(0, 0.8, p)
    labels[moved] = random.integers(-1, N_CLUSTERS, int(moved.sum()))
    return VectorSample(
        row=np.repeat(np.arange(n), N_VECTORS // n),
        position=random.integers(0, 9, (N_VECTORS, 2)),
        labels=labels,
        relevance=random.random((N_VECTORS, p)) + 0.1,
        channels=7,
    )


@pytest.fixture(scope="module")
def result(dataset: xr.Dataset, found: VectorSample) -> ConceptsResult:
    request = Request(layer="layer2", clusters=N_CLUSTERS, vectors=48, members=2, seed=0)
    return summarise(Readings(dataset), request, found, [()] * N_CLUSTERS)


def strongest(found: VectorSample, indices: list[int]) -> list[int]:
    """The index of the most relevant vector of each image."""
    rows = sorted({int(found.row[index]) for index in indices})
    return [max((i for i in indices if found.row[i] == row), key=lambda i: found.relevance[i, 0]) for row in rows]


@pytest.mark.parametrize("number", [None, *range(N_CLUSTERS)])
def test_stability_is_counted_over_the_strongest_vector_of_each_image(
    result: ConceptsResult, found: VectorSample, dataset: xr.Dataset, number: int | None
) -> None:
    indices = [i for i in range(N_VECTORS) if number is None or found.labels[i, 0] == number]
    measured = result.stability if number is None else result.concepts[number].stability
    assert [each.condition for each in measured] == [facts.id for facts in result.conditions]
    planned = [condition.id for condition in conditions(read_attributes(dataset.attrs, "").fingerprinted.spec)]
    for each in measured:
        column = planned.index(each.condition)
        chosen = strongest(found, indices)
        hits = sum(int(found.labels[i, column] == found.labels[i, 0]) for i in chosen)
        assert (each.stays.value, each.stays.n) == (hits / len(chosen), len(chosen))
        assert (each.stays.low, each.stays.high) == wilson_interval(hits, len(chosen))
        falls = [sum(found.labels[:, column] == found.labels[i, 0]) / N_VECTORS for i in chosen]
        assert each.chance == pytest.approx(sum(falls) / len(falls))
        ratios = []
        for row in sorted({int(found.row[i]) for i in indices}):
            of_image = [i for i in indices if found.row[i] == row]
            ratios.append(found.relevance[of_image, column].sum() / found.relevance[of_image, 0].sum())
        assert each.relevance.value == pytest.approx(np.mean(ratios))
        assert each.relevance.n == len(ratios)


def test_clusters_serve_the_classes_that_are_explained_where_they_were_drawn(
    result: ConceptsResult, found: VectorSample, dataset: xr.Dataset
) -> None:
    target, classes = dataset["target"].values, dataset["class"].values
    for number, concept in enumerate(result.concepts):
        rows = found.row[found.labels[:, 0] == number]
        names = [str(classes[target[row]]) for row in rows]
        assert {each.name: each.share for each in concept.served} == {
            name: names.count(name) / len(names) for name in set(names)
        }
        assert sum(each.images for each in concept.served) == len(set(rows)) == concept.images
        assert [each.share for each in concept.served] == sorted((each.share for each in concept.served), reverse=True)
    assert sum(concept.share for concept in result.concepts) == pytest.approx(1)
    assert result.without == (str(dataset["image"].values[-1]),)


def test_the_most_relevant_vectors_come_first_one_of_an_image(found: VectorSample) -> None:
    everything = np.ones(N_VECTORS, bool)
    order = found.strongest(everything)
    assert sorted(order) == sorted(strongest(found, list(range(N_VECTORS))))
    assert (np.diff(found.relevance[order, 0]) <= 0).all()


def test_the_page_says_what_the_result_says(result: ConceptsResult) -> None:
    page = html(result, has_report=False)
    assert '<a href="../../index.html">' not in page
    assert '<a href="../../index.html">' in html(result, has_report=True)
    worst = min(result.stability, key=lambda each: each.stays.value or 0)
    assert f"{100 * (worst.stays.value or 0):.1f}\N{NO-BREAK SPACE}% (" in page
    for concept in result.concepts:
        assert f'id="cluster-{concept.number}"' in page
        assert f"Cluster {concept.number}: {100 * concept.share:.1f}" in page
    assert "1 image without positive relevance at this layer gave none." in page


def test_without_perturbations_the_page_says_so(result: ConceptsResult) -> None:
    bare = [concept.model_copy(update={"stability": ()}) for concept in result.concepts]
    page = html(
        result.model_copy(update={"conditions": (), "stability": (), "concepts": tuple(bare)}), has_report=False
    )
    assert "Not measured: the spec of this run names no perturbation." in page
    assert "interval" not in page.split("<main>")[1].split('<section id="made">')[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_command_writes_a_page_that_its_json_gives_again(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    arguments = ("concepts", spec, "--layer", "relu1", "--clusters", 3, "--vectors", 10, "--members", 2)
    home = spec.parent / "runs/small/report/concepts/relu1"
    code, out, _ = command(*arguments)
    assert (code, out) == (0, f"{home / 'index.html'}\n")
    result = ConceptsResult.model_validate_json((home / "concepts.json").read_text(encoding="utf-8"))
    page = (home / "index.html").read_text(encoding="utf-8")
    assert page == html(result, has_report=False)
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert {name for name in named if not (home / name).is_file()} == set()
    members = [member for concept in result.concepts for member in concept.members]
    assert len(members) == 6
    assert set(contents(home)) == named - {"../../style.css"} | {"index.html"}
    assert min(member.mass for member in members) >= crops.MASS
    assert {concept.served[0].name for concept in result.concepts} == {"Red", "Green", "Blue"}
    before = contents(home)
    (home / "stale.png").write_bytes(b"")
    assert command(*arguments)[0] == 0
    assert contents(home) == before


def test_a_finished_run_is_used_and_linked(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    assert command("run", spec)[0] == 0
    code, _, err = command("concepts", spec, "--layer", "conv2", "--clusters", 2, "--vectors", 3)
    assert code == 0
    assert "perturb: nothing to do, all 8 tasks are done" in err
    page = spec.parent / "runs/small/report/concepts/conv2/index.html"
    assert '<a href="../../index.html">' in page.read_text(encoding="utf-8")
    assert '<a href="concepts/conv2/index.html">' in page.parents[2].joinpath("index.html").read_text(encoding="utf-8")
    before = page.read_bytes()
    assert command("report", spec)[0] == 0
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layer", "relu7"), "the network has no module of this name (its top modules: conv1, relu1"),
        (("--layer", "relu1", "--clusters", 99), "--clusters 99: 96 vectors are drawn; ask for fewer clusters"),
    ],
)
def test_what_cannot_be_explored_is_refused_before_any_work(
    command: Command, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    spec = write_audit(tmp_path / "audit")
    code, out, err = command("concepts", spec, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not (spec.parent / "runs").exists()


def test_vectors_that_are_all_alike_are_refused(command: Command, tmp_path: Path) -> None:
    spec = edit(write_audit(tmp_path / "audit"), "[explain]", "n = 3\n[explain]")
    code, out, err = command("concepts", spec, "--layer", "relu2", "--clusters", 250, "--vectors", 90)
    assert (code, out) == (2, "")
    assert "distinct directions; ask for fewer --clusters or more --vectors" in err


def test_rendering_needs_no_torch() -> None:
    code = "import sys, reports.concepts.page; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("place", ["report", "report/concepts", "report/concepts/relu2", "report/style.css"])
def test_the_page_of_a_layer_is_not_written_through_a_link(command: Command, tmp_path: Path, place: str) -> None:
    spec, outside, link = write_audit(tmp_path / "audit"), tmp_path / "outside", tmp_path / "run" / place
    outside.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    code, out, err = command("concepts", spec, "--out", "run", "--layer", "relu2", "--clusters", 2, "--vectors", 4)
    assert (code, out) == (2, "")
    assert f"run/{place}: is a link" in err
    assert not list(outside.iterdir())
