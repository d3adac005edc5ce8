"""Networks side by side: numbers of their own audits, differences paired by image, sentences, page, command line."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from command_line import Command
from scipy.stats import ttest_1samp
from small_audits import SPEC, edit, finish, receipts, store_in, tree, write_audit

from pipeline.execution import worker
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.results import open_results
from pipeline.store.store import Arrays
from reports.audit.facts import Identity
from reports.audit.report import write_report
from reports.comparison import findings
from reports.comparison.page import write_comparison
from reports.comparison.result import (
    Calibrated,
    ComparisonColumn,
    ComparisonResult,
    ComparisonRow,
    Difference,
    KeptPredictions,
    NetworkFacts,
    Similarity,
)
from reports.result import Estimate
from srd.errors import InputError, StoreError
from srd.registry import ATTRIBUTORS, METRICS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The run of the smoke spec, and one of another network, data, methods and options; both with reports."""
    home = tmp_path_factory.mktemp("other")
    other = home / "a & <b>"
    finish(write_audit(home / "audit"), other)
    write_report(other)
    return folder, other


@pytest.fixture(scope="module")
def compared(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the comparison of the two runs."""
    home: Path = tmp_path_factory.mktemp("comparison")
    write_comparison(runs, home)
    return home


@pytest.fixture(scope="module")
def result(compared: Path) -> ComparisonResult:
    return ComparisonResult.model_validate_json((compared / "comparison.json").read_text(encoding="utf-8"))


def by_network(result: ComparisonResult, runs: tuple[Path, Path]) -> Iterator[tuple[str, Path]]:
    return zip((network.name for network in result.networks), runs, strict=True)


def test_networks_are_those_of_their_audits(result: ComparisonResult, runs: tuple[Path, Path]) -> None:
    for network, run in zip(result.networks, runs, strict=True):
        audit = json.loads((run / "audit.json").read_bytes())
        assert network.name == run.name
        assert network.identity == Identity.model_validate(audit["identity"])
        assert network.accuracy == Estimate.model_validate(audit["accuracy"][0]["accuracy"])


def test_kept_predictions_are_counted_in_the_stores(result: ComparisonResult, runs: tuple[Path, Path]) -> None:
    for name, run in by_network(result, runs):
        store = open_results(store_in(run))
        predicted = store["prediction"].argmax("class")
        share = (predicted == predicted.sel(perturbation="clean")).mean("image")
        found = {row.column: row.estimate.value for row in result.kept if row.network == name}
        columns = [str(name) for name in store["perturbation"].values if name != "clean" and ":" not in name]
        assert found == {column: pytest.approx(float(share.sel(perturbation=column))) for column in columns}


def test_similarities_are_those_of_the_audits_each_method_under_its_own_attack(
    result: ComparisonResult, runs: tuple[Path, Path]
) -> None:
    for name, run in by_network(result, runs):
        audit = json.loads((run / "audit.json").read_bytes())
        expected = {}
        for row in audit["stability"]:
            attack, _, strength = row["condition"].partition("@")
            attack, _, attacked = attack.partition(":")
            if attacked in {"", row["method"]}:
                expected[f"{attack}@{strength}", row["method"], row["similarity"], row["images"]] = row["estimate"]
        for row in audit["references"]:
            expected[row["reference"], row["method"], row["similarity"], "all"] = row["estimate"]
        found = {
            (row.column, row.method, row.similarity, row.images): row.estimate.model_dump()
            for row in result.similarities
            if row.network == name
        }
        assert found == expected


def test_verdicts_on_attacks_are_those_of_the_transfer_tables(
    result: ComparisonResult, runs: tuple[Path, Path]
) -> None:
    for name, run in by_network(result, runs):
        tables = json.loads((run / "audit.json").read_bytes())["transfer"]
        expected = {
            (f"{table['attack']}@{table['strength_text']}", cell["evaluating"], table["similarity"], table["images"]):
            cell["verdict"]
            for table in tables for row in table["rows"] for cell in row["cells"] if cell["white_box"]
        }  # fmt: skip
        assert expected
        found = {
            (row.column, row.method, row.similarity, row.images): row.doubt
            for row in result.similarities
            if row.network == name and row.column.startswith("manipulate") and METRICS[row.similarity].core
        }
        assert found == expected
        assert not any(row.doubt for row in result.similarities if not row.column.startswith("manipulate"))


def test_columns_are_perturbations_by_strength_then_references(result: ComparisonResult) -> None:
    assert [column.name for column in result.columns] == [
        "gaussian_noise@0.1",
        "random_sign@8/255",
        "fgsm@8/255",
        "pgd@8/255",
        "manipulate@8/255",
        "other_class",
        "other_image",
        "edges",
        "repeat",
    ]


def condition_of(column: str, method: str) -> str:
    return column.replace("@", f":{method}@") if column.startswith("manipulate") else column


def test_differences_are_means_over_images_of_what_the_stores_hold(
    result: ComparisonResult, runs: tuple[Path, Path]
) -> None:
    for name, run in by_network(result, runs):
        scores = open_results(store_in(run))["score"]
        rows = [row for row in result.differences if row.network == name and row.images == "all"]
        rows = [row for row in rows if row.similarity != "pearson"]
        assert rows
        for row in rows:
            first, second = (
                scores.sel({"perturbation": condition_of(row.column, m), "method": m, "metric": row.similarity}).values
                for m in ("srd", row.method)
            )
            differences = first.astype(np.float64) - second
            differences = differences[np.isfinite(differences)]
            assert row.estimate.n == len(differences)
            if METRICS[row.similarity].needs_sign and not len(differences):
                continue
            low, high = ttest_1samp(differences, 0).confidence_interval()
            assert row.estimate.value == pytest.approx(differences.mean())
            assert row.estimate.low == pytest.approx(low)
            assert row.estimate.high == pytest.approx(high)


def test_the_headline_is_the_difference_of_the_calibrated_stabilities_of_the_audits(
    result: ComparisonResult, runs: tuple[Path, Path]
) -> None:
    for name, run in by_network(result, runs):
        calibrated = {(row["condition"], row["method"]): row["estimate"]["value"]
                      for row in json.loads((run / "audit.json").read_bytes())["calibrated"]}  # fmt: skip
        for row in result.calibrated:
            if row.network == name:
                assert row.estimate.value == calibrated[condition_of(row.column, row.method), row.method]
        for difference in result.differences:
            if difference.network == name and difference.is_headline:
                own, other = (
                    calibrated[condition_of(difference.column, method), method] for method in ("srd", difference.method)
                )
                if own is None or other is None:
                    assert difference.estimate.value is None
                else:
                    assert difference.estimate.value == pytest.approx(own - other)


def test_a_difference_over_kept_predictions_is_over_images_kept_under_both_conditions(
    result: ComparisonResult, runs: tuple[Path, Path]
) -> None:
    for name, run in by_network(result, runs):
        store = open_results(store_in(run))
        predicted = store["prediction"].argmax("class")
        kept = predicted == predicted.sel(perturbation="clean")
        for row in result.differences:
            if row.network == name and row.images == "prediction kept":
                conditions = [condition_of(row.column, method) for method in ("srd", row.method)]
                both = kept.sel(perturbation=conditions).values.all(1).sum()
                assert row.estimate.n + sum(row.estimate.excluded.values()) == both


def test_srd_is_compared_with_every_baseline_under_every_perturbation(result: ComparisonResult) -> None:
    found: dict[str, set[tuple[str, str]]] = {}
    for row in result.differences:
        found.setdefault(row.network, set()).add((row.method, row.column))
    smoke, other = (network.name for network in result.networks)
    baselines = ("saliency", "input_x_gradient", "integrated_gradients", "grad_cam")
    columns = ("gaussian_noise@0.1", "random_sign@8/255", "fgsm@8/255", "pgd@8/255", "manipulate@8/255")
    assert found[smoke] == {(baseline, column) for baseline in baselines for column in columns}
    assert found[other] == {("saliency", "gaussian_noise@0.1"), ("saliency", "pgd@8/255")}  # only SRD was attacked


def test_what_differs_between_the_audits_is_said(result: ComparisonResult) -> None:
    smoke, other = (network.name for network in result.networks)
    same = "random_start = True, relative_step = 0.25"
    assert f"Options of PGD: steps = 4, {same} in {smoke}; steps = 2, {same} in {other}." in result.unlike
    assert not any(text.startswith(("Hardware", "Seed", "Options of SRD")) for text in result.unlike)


class Page(HTMLParser):
    """Elements, text and tables of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        """Rows of cells, the first row being caption and the second the header."""
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag in {"caption", "tr"}:
            self.tables[-1].append([""] if tag == "caption" else [])
        if tag in {"th", "td"}:
            self.tables[-1][-1].append("")
        if tag in {"caption", "th", "td"}:
            self.within = tag
        if tag == "small":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        self.within = "" if tag == self.within else self.within

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.within:
            self.tables[-1][-1][-1] += data.replace("\N{NO-BREAK SPACE}", " ").strip("\n")

    def values(self, tag: str, attribute: str) -> list[str]:
        return [str(attributes.get(attribute)) for name, attributes in self.elements if name == tag]

    def cells(self, *caption: str) -> dict[tuple[str, str, str], str]:
        """(network, method, column) -> text, in the table, of one part or more, whose caption has these parts."""
        tables = [table for table in self.tables if all(part in table[0][0] for part in caption)]
        assert len({re.sub(r" \(Part \d of \d\.\)", "", table[0][0]) for table in tables}) == 1
        found: dict[tuple[str, str, str], str] = {}
        for table in tables:
            for method, *cells in table[2:]:
                if cells == [""]:
                    network, _, family = method.rpartition(": ")
                else:
                    assert {entry.family for entry in ATTRIBUTORS.values() if entry.title == method} == {family}
                    found |= {(network, method, title): cell for title, cell in zip(table[1][1:], cells, strict=True)}
        return found


@pytest.fixture(scope="module")
def parsed(compared: Path) -> Page:
    return Page((compared / "report" / "index.html").read_text(encoding="utf-8"))


def test_every_file_and_link_of_the_page_is_there(parsed: Page, compared: Path, runs: tuple[Path, Path]) -> None:
    home = compared / "report"
    links = [link for link in parsed.values("a", "href") if not link.startswith("#")]
    sources = parsed.values("img", "src") + parsed.values("link", "href") + links
    assert all((home / unquote(source)).exists() for source in sources)
    assert [(home / unquote(link)).resolve() for link in links[:2]] == [run / "report" / "index.html" for run in runs]
    assert sorted(set(parsed.values("img", "src"))) == sorted(f"figures/{f.name}" for f in (home / "figures").iterdir())
    anchors = {link for link in parsed.values("a", "href") if link.startswith("#")}
    assert anchors <= {f"#{attributes['id']}" for _, attributes in parsed.elements if "id" in attributes}
    assert not [tag for tag, _ in parsed.elements if tag in {"script", "b"}]


SETS = {"all": "all images (", "prediction kept": "images whose predicted class is that of the clean image"}


@pytest.mark.parametrize("images", SETS)
@pytest.mark.parametrize("similarity", ["pearson", "ssim", "top_k_intersection"])
def test_the_tables_show_every_number_with_interval_and_n(
    parsed: Page, result: ComparisonResult, similarity: str, images: str
) -> None:
    titles = {column.name: column.title for column in result.columns}
    title = METRICS[similarity].title
    what = "Calibrated stability" if (similarity, images) == ("pearson", "all") else title
    kinds: tuple[tuple[str, str, tuple[ComparisonRow, ...]], ...] = (
        (f"{title} of clean and perturbed maps, ", "", result.similarities),
        (f"{what}: SRD minus each baseline", "+", result.differences),
    )
    for kind, sign, rows in kinds:
        cells = parsed.cells(kind, SETS[images])
        for row in rows:
            if (row.similarity, row.images) == (similarity, images):
                text = cells.pop((row.network, ATTRIBUTORS[row.method].title, titles[row.column]))
                assert text == shown(row, sign)
        assert set(cells.values()) <= {"\N{EN DASH} not in this run"}


def shown(row: ComparisonRow, sign: str) -> str:
    """Value, interval, n and doubt, as a cell has them."""
    made = row.estimate

    def number(value: float) -> str:
        return f"{value:{sign}.3f}" if sign else f"{value:.3f}".replace("-0.000", "0.000")

    assert made.value is None or made.n
    value = "\N{EN DASH}" if made.value is None else number(made.value)
    interval = made.reason.removeprefix("no interval: ")
    if made.low is not None and made.high is not None:
        interval = f"[{number(made.low)}, {number(made.high)}]"
    left_out = f", {sum(made.excluded.values())} left out" if made.excluded else ""
    return " ".join(filter(None, [value, interval, f"n = {made.n}{left_out}", row.doubt]))


def test_the_page_says_what_an_audit_lacks_and_every_sentence(parsed: Page, result: ComparisonResult) -> None:
    _, other = (network.name for network in result.networks)
    assert parsed.cells("Pearson correlation of", SETS["all"])[other, "Saliency", "FGSM, 8/255"].endswith(
        "not in this run"
    )
    for text in (*result.summary, *result.unlike, *result.limits):
        assert text in parsed.text


def test_the_same_stores_give_the_same_bytes(compared: Path, runs: tuple[Path, Path]) -> None:
    before = tree(compared)
    (compared / "report" / "figures" / "old.svg").write_text("", encoding="utf-8")
    (compared / "report" / "mine.txt").write_text("", encoding="utf-8")
    write_comparison(runs, compared)
    (compared / "report" / "mine.txt").unlink()
    assert tree(compared) == before
    assert {path.name for path in compared.iterdir()} == {"comparison.json", "report"}


def test_networks_have_as_much_of_their_path_as_sets_them_apart(runs: tuple[Path, Path], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a/run", "b/run", "b/mine")]
    for folder in folders:
        shutil.copytree(runs[1], folder)
    write_comparison(folders, tmp_path / "all")
    write_comparison(folders[1:], tmp_path / "two")
    names = [[row["name"] for row in json.loads((tmp_path / out / "comparison.json").read_bytes())["networks"]]
             for out in ("all", "two")]  # fmt: skip
    assert names == [["a/run", "b/run", "b/mine"], ["run", "mine"]]


def test_a_run_is_not_compared_with_itself_nor_its_report_overwritten(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stands twice among the runs; name it once"):
        write_comparison([runs[1], runs[1] / ".." / runs[1].name], tmp_path)
    with pytest.raises(StoreError, match="holds the run of one network, whose report would be lost; name another"):
        write_comparison(runs, runs[1])
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="file: is a file; name a folder"):
        write_comparison(runs, file)


N = "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}9"


def estimate(value: float | None, half: float | None = 0.05) -> Estimate:
    bounds = (None, None) if value is None or half is None else (value - half, value + half)
    return Estimate(
        value=value, low=bounds[0], high=bounds[1], n=9, unit="", interval="BCa bootstrap", reason="none", excluded={}
    )


def difference(
    network: str,
    column: str,
    value: float | None,
    half: float | None = 0.05,
    doubt: str = "",
    method: str = "saliency",
) -> Difference:
    return Difference(
        network=network, column=column, method=method, similarity="pearson", images="all",
        estimate=estimate(value, half), doubt=doubt,
    )  # fmt: skip


def similarity(network: str, column: str, method: str, value: float | None, doubt: str = "") -> Similarity:
    return Similarity(
        network=network, column=column, method=method, similarity="pearson", images="all",
        estimate=estimate(value), doubt=doubt,
    )  # fmt: skip


def calibrated(network: str, column: str, method: str, value: float | None, doubt: str = "") -> Calibrated:
    return Calibrated(
        network=network, column=column, method=method, similarity="pearson", images="all",
        estimate=estimate(value), doubt=doubt,
    )  # fmt: skip


def made(
    similarities: list[Similarity],
    differences: list[Difference],
    kept: tuple[KeptPredictions, ...] = (),
    calibrated: tuple[Calibrated, ...] = (),
) -> ComparisonResult:
    columns = (
        ("pgd@0.1", "pgd", 0.1),
        ("pgd@0.2", "pgd", 0.2),
        ("manipulate@0.1", "manipulate", 0.1),
        ("other_class", "", None),
    )
    networks = tuple(
        NetworkFacts.model_construct(name=name, caveats={}, identity=Identity.model_construct(sizes={"image": n}))
        for name, n in (("a", 9), ("b", 99))
    )
    return ComparisonResult.model_construct(
        networks=networks,
        kept=kept,
        columns=tuple(ComparisonColumn(name=n, title=n, perturbation=p, strength=s) for n, p, s in columns),
        similarities=tuple(similarities),
        calibrated=calibrated,
        differences=tuple(differences),
    )


def met(*cases: tuple[str, str]) -> list[Similarity]:
    return [similarity(network, column, "random", 0.5) for network, column in cases]


def test_intervals_are_counted_by_the_side_of_0_on_which_they_lie_whole() -> None:
    rows = [
        difference("a", "pgd@0.2", 0.3),
        difference("b", "pgd@0.2", 0.06),
        difference("a", "manipulate@0.1", 0.04),
        difference("b", "manipulate@0.1", -0.2),
    ]
    first, *_ = findings.summary(made(met(*((row.network, row.column) for row in rows)), rows))
    assert first == (
        "SRD beside Saliency, at the largest strength of each perturbation: of "
        f"4 cases SRD is more stable in 2 (furthest Saliency on a under pgd@0.2: +0.300, +0.250 to +0.350, {N}), "
        f"less stable in 1 (furthest Saliency on b under manipulate@0.1: -0.200, -0.250 to -0.150, {N}) "
        "and not to be told apart in 1."
    )


def test_a_difference_without_interval_or_with_an_attack_in_doubt_counts_for_no_side() -> None:
    rows = [
        difference("a", "pgd@0.2", 0.3, half=None),
        difference("a", "manipulate@0.1", 0.3, doubt="SRD: attack unreliable"),
    ]
    first, *_ = findings.summary(made(met(*((row.network, row.column) for row in rows)), rows))
    assert first.endswith(
        "of 2 cases SRD is more stable in 0, less stable in 0, not to be told apart in 0, without interval in 1 and "
        "not counted in 1, where an attack is in doubt."
    )


def test_each_network_counts_at_the_largest_strength_that_it_met() -> None:
    rows = [difference("a", "pgd@0.1", -0.3), difference("a", "pgd@0.2", 0.3), difference("b", "pgd@0.1", -0.1)]
    first, *_ = findings.summary(made(met(*((row.network, row.column) for row in rows)), rows))
    assert "of 2 cases SRD is more stable in 1 (furthest Saliency on a under pgd@0.2" in first
    assert "less stable in 1 (furthest Saliency on b under pgd@0.1" in first


def test_baselines_of_one_family_share_a_sentence() -> None:
    methods = {"smooth_grad": 0.3, "grad_cam": -0.2, "saliency": 0.4, "lrp_z_plus": 0.1}
    rows = [difference("a", "pgd@0.2", value, method=method) for method, value in methods.items()]
    found = list(findings.summary(made(met(("a", "pgd@0.2")), rows)))[:3]
    assert [text.partition(",")[0] for text in found] == [
        "SRD beside LRP-z+",
        "SRD beside Saliency and SmoothGrad",
        "SRD beside Grad-CAM",
    ]
    assert "of 2 cases SRD is more stable in 2 (furthest Saliency on a under pgd@0.2: +0.400" in found[1]


def test_the_lowest_calibrated_stability_of_each_family_is_told_without_attacks_in_doubt() -> None:
    rows = (
        calibrated("a", "pgd@0.2", "integrated_gradients", 0.9),
        calibrated("a", "pgd@0.2", "srd", 0.9),
        calibrated("b", "pgd@0.1", "srd", 0.7),
        calibrated("b", "pgd@0.2", "srd", None),
        calibrated("a", "manipulate@0.1", "saliency", 0.8, "attack unreliable"),
    )
    met_by = met(*((row.network, row.column) for row in rows))
    (text,) = findings.summary(made(met_by, [], calibrated=rows))
    assert text == (
        f"Lowest calibrated stability seen in each family: decomposition: SRD on a under pgd@0.2 0.900 (0.850 to "
        f"0.950, {N}); gradient: Integrated Gradients on a under pgd@0.2 0.900 (0.850 to 0.950, {N})."
    )


def test_maps_that_left_their_scale_are_named() -> None:
    lost = calibrated("a", "pgd@0.2", "grad_cam", None)
    reason = {"reason": "no more alike than the clean maps of two images: 0.450 against 0.460"}
    rows = (lost.model_copy(update={"estimate": lost.estimate.model_copy(update=reason)}),)
    (text,) = findings.summary(made(met(("a", "pgd@0.2")), [], calibrated=rows))
    assert text.endswith("no more alike than the clean maps of two images: Grad-CAM on a under pgd@0.2.")


def test_cases_in_which_most_predictions_have_changed_are_named() -> None:
    shares = {("a", "pgd@0.1"): 0.1, ("a", "pgd@0.2"): 0.4, ("b", "pgd@0.2"): 0.5}
    kept = tuple(
        KeptPredictions(network=a, column=column, estimate=estimate(share)) for (a, column), share in shares.items()
    )
    (text,) = findings.summary(made(met(*shares), [], kept))
    assert text.startswith(
        f"On less than half of the images the predicted class is kept: 0.400 (0.350 to 0.450, {N}) on a under pgd@0.2. "
    )


def test_maps_that_depend_little_on_the_class_are_named() -> None:
    rows = [
        similarity("a", "other_class", "srd", 0.79),
        similarity("b", "other_class", "saliency", 0.8),
        similarity("b", "other_class", "edges", 1.0),
    ]
    (text,) = findings.summary(made(rows, []))
    assert "(correlation of the two at least 0.8): Saliency on b 0.800 (" in text
    assert "SRD" not in text
    assert "Edges" not in text


def test_few_images_are_a_limit_of_the_networks_that_have_few() -> None:
    (text,) = (text for text in findings.limits(made([], [])) if "Few images" in text)
    assert text.startswith("Few images: a (9). ")


SUBJECTS = """
[subject.one.model]
spec = "network.py:build"
weights = "weights.pt"
classes = "classes.json"

[subject.one.data]
path = "images"
n = 4

[subject.another.model]
spec = "network.py:build"
classes = "classes.json"
mean = [0.5]
std = [0.5]

[subject.another.data]
path = "images"
masks = "masks"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec of two subjects."""
    small = write_audit(tmp_path / "audit")
    several = small.with_name("several.toml")
    several.write_text(SUBJECTS + SPEC[SPEC.index("[explain]") :], encoding="utf-8")
    return several


@pytest.mark.slow
def test_one_command_audits_all_subjects_and_compares_them(command: Command, spec: Path, tmp_path: Path) -> None:
    code, out, err = command("run", spec)
    folder = spec.parent / "runs" / "several"
    assert (code, out) == (0, f"{folder / 'report' / 'index.html'}\n"), err
    assert {path.name for path in folder.iterdir()} == {
        "audit.toml",
        "comparison.json",
        "report",
        "logs",
        "one",
        "another",
    }
    made = {"audit.zarr", "audit.records", "audit.json", "summary.md", "report", "report.html", "logs"}
    assert {path.name for path in (folder / "one").iterdir()} == made
    networks = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["networks"]
    assert [(each["name"], each["report"], each["identity"]["sizes"]["image"]) for each in networks] == [
        ("one", "../one/report/index.html", 4),
        ("another", "../another/report/index.html", 6),
    ]
    before = tree(folder)

    code, out, err = command("run", spec, "--stage", "score")
    assert (code, out) == (0, "")
    assert err.count("nothing to do") == 12
    assert command("report", folder)[0] == 0
    assert tree(folder) == before

    code, out, _ = command("status", spec)
    assert code == 0
    assert re.search(r"one\b.*perturb\D+4\D+4\D+0\D.*another\b.*perturb\D+8\D+8\D+0\D", out, re.DOTALL)

    code, out, _ = command("compare", spec, "--out", "joint")
    assert (code, out) == (0, "joint/report/index.html\n")
    joint = json.loads((tmp_path / "joint" / "comparison.json").read_text(encoding="utf-8"))
    assert joint["similarities"] == json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["similarities"]


def test_a_subject_is_audited_as_by_a_spec_of_its_own(command: Command, spec: Path) -> None:
    alone = edit(spec.with_name("small.toml"), 'masks = "masks"', "n = 4")
    assert command("run", spec, "--stage", "score")[0] == 0
    assert command("run", alone, "--stage", "score")[0] == 0
    runs = spec.parent / "runs"
    assert tree(runs / "several" / "one" / "audit.zarr") == tree(runs / "small" / "audit.zarr")


def test_no_audit_begins_before_every_subject_is_known_to_fit(command: Command, spec: Path) -> None:
    edit(spec, 'masks = "masks"', 'masks = "nowhere"')
    code, out, err = command("run", spec)
    assert (code, out) == (2, "")
    assert "data.masks" in err
    folder = spec.parent / "runs" / "several"
    assert not receipts(folder / "one" / "audit.zarr")
    assert not (folder / "audit.toml").exists()


@pytest.mark.slow
def test_what_is_unfinished_is_not_compared_and_the_message_continues_it(
    command: Command, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(context: Context, task: Task) -> Arrays:
        if task.stage == "score" and len(context.data.ids) == 6:
            raise FloatingPointError("on purpose")
        return compute(context, task)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "compute", failing)
        assert command("run", spec)[0] == 4
    assert command("status", spec)[0] == 4
    folder = spec.parent / "runs" / "several"
    for asked, way_out in ((spec, f"srd-audit run {spec}"), (folder, f"srd-audit run SPEC --out {folder}")):
        code, out, err = command("compare", asked)
        assert (code, out) == (4, "")
        assert err == f"error {folder / 'another'}: 6 tasks are missing; `{way_out}` continues the run\n"
    place = folder.parent / "comparison"
    assert not place.exists()
    assert command("run", spec)[0] == 0
    assert command("compare", folder / "one", folder / "another")[:2] == (0, f"{place / 'report' / 'index.html'}\n")


def test_a_folder_that_is_taken_is_refused(command: Command, spec: Path, tmp_path: Path) -> None:
    edit(spec, "[subject.one.model]", "[subject.report.model]")
    edit(spec, "[subject.one.data]", "[subject.report.data]")
    code, _, err = command("run", spec)
    assert code == 2
    place = spec.parent / "runs" / "several" / "report"
    assert err == f"error subject.report: {place} is where the comparison goes; choose another name\n"
    edit(spec, "[subject.report.model]", "[subject.one.model]")
    edit(spec, "[subject.report.data]", "[subject.one.data]")
    (tmp_path / "taken" / "audit.zarr").mkdir(parents=True)
    (tmp_path / "taken" / "audit.zarr" / "zarr.json").touch()
    code, _, err = command("run", spec, "--out", "taken")
    assert (code, err) == (2, "error taken: holds the run of one network; choose another folder with --out\n")


def test_compare_names_a_run_that_does_not_exist(command: Command) -> None:
    assert command("compare", "nowhere") == (
        2, "", "error nowhere: no such run; start one with `srd-audit run SPEC`\n"
    )  # fmt: skip


@pytest.mark.parametrize("place", ["comparison.json", "report", "report/figures", "report/index.html"])
def test_no_file_of_a_comparison_is_written_through_a_link(runs: tuple[Path, Path], tmp_path: Path, place: str) -> None:
    outside, link = tmp_path / "outside", tmp_path / "comparison" / place
    outside.mkdir() if place in {"report", "report/figures"} else outside.write_text("mine", encoding="utf-8")
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(StoreError, match=f"{place}: is a link"):
        write_comparison(runs, tmp_path / "comparison")
    assert not list(outside.iterdir()) if outside.is_dir() else outside.read_text(encoding="utf-8") == "mine"
