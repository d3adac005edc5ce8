"""The report of a run: whole, small, the same each time, readable without a network; and of stores with holes."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from forgery import fingerprint_of
from small_audits import copy_store, path_of, store_in

from pipeline.machine.phases import Phase
from pipeline.plan.schema import Reason
from pipeline.spec.audit import parse_spec
from reports.audit import maps, page
from reports.audit.page import pictures
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.report import write_report
from reports.audit.run_record import RunRecord
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.formatting import method_title
from reports.viewer.sizes import BUDGET
from srd.errors import StoreError
from srd.registry import ATTRIBUTORS, METRICS

PROGRESS = {"perturb": (4, 4), "attribute": (2, 2), "score": (2, 2)}
METHODS = ("srd", "saliency", "random")
NOISE = "random_sign@8/255"
SIMILARITIES = ["pearson", "ssim", "top_k_intersection"]


class Page(HTMLParser):
    """Elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def contents(folder: Path) -> dict[str, bytes]:
    files = [folder / "audit.json", folder / "summary.md", folder / "report.html", *(folder / "report").rglob("*")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def rendered(dataset: xr.Dataset, progress: dict[str, tuple[int, int]] | None = None) -> tuple[AuditResult, str]:
    """Result and page of a dataset, everything drawn on the way."""
    readings = Readings(dataset)
    result = summarise(readings, RunRecord(progress or PROGRESS))
    drawn = tuple(pictures(result))
    sheets = dict(maps.drawings(readings, result.cases, result.overview))
    assert all(sheets.values())
    page.markdown(result)
    return result, page.html(result, drawn, [])


@pytest.fixture(scope="module")
def small(dataset: xr.Dataset) -> xr.Dataset:
    """As if the run had three methods and one attack against each that can be attacked."""
    return part(dataset, METHODS, ("clean", NOISE, "pgd@8/255", "manipulate:srd@8/255", "manipulate:saliency@8/255"))


def part(dataset: xr.Dataset, methods: Sequence[str], conditions: Sequence[str]) -> xr.Dataset:
    """As if the spec had named these alone."""
    chosen = dataset.sel({"method": list(methods), "perturbation": list(conditions)})
    made = dataset.attrs["fingerprinted"]
    names = {condition.split("@")[0].split(":")[0] for condition in conditions}
    return asked(chosen, [table for table in made["spec"]["perturbation"] if table["name"] in names])


def asked(dataset: xr.Dataset, tables: list[dict[str, Any]]) -> xr.Dataset:
    """As if the spec had asked for these perturbations."""
    made = dataset.attrs["fingerprinted"]
    facts = {**made, "spec": {**made["spec"], "perturbation": tables}}
    return dataset.assign_attrs(fingerprinted=facts, fingerprint=fingerprint_of(facts))


@pytest.fixture(scope="module")
def parsed(folder: Path) -> Page:
    return Page((folder / "report" / "index.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_second_report_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    copy_store(store_in(folder), path_of(store_in(tmp_path)))
    (tmp_path / "report" / "maps").mkdir(parents=True)
    (tmp_path / "report" / "maps" / "stale.png").write_bytes(b"of an earlier report")
    told: list[Phase] = []
    assert write_report(tmp_path, told.append) == tmp_path / "report" / "index.html"
    assert contents(tmp_path) == contents(folder)
    assert told[0] == Phase("reading the store")
    shares = [int(phase.detail.removesuffix(" %")) for phase in told[1:] if phase.words == "writing report"]
    assert shares == sorted(shares)
    assert len(shares) > 10
    assert (shares[0], len(told)) == (0, 1 + len(shares))
    assert 90 < shares[-1] < 100


def test_everything_that_is_shown_is_there(folder: Path, parsed: Page) -> None:
    links = [a["href"] for a in parsed.all("a")] + [i["src"] for i in parsed.all("img")]
    links += [each["href"] for each in (*parsed.all("link"), *parsed.all("image"))]
    for link in links:
        assert link is not None
        if not link.startswith("#"):
            assert (folder / "report" / link).resolve().is_relative_to((folder / "report").resolve()), link
            assert (folder / "report" / link).is_file(), link


def test_the_folder_of_the_report_can_be_sent_alone(folder: Path) -> None:
    for name in ("audit.json", "summary.md"):
        assert (folder / "report" / name).read_bytes() == (folder / name).read_bytes()
    spec = (folder / "report" / "audit.toml").read_text(encoding="utf-8")
    assert spec == AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8")).identity.spec
    assert parse_spec(tomllib.loads(spec), "audit").data.n


@pytest.mark.parametrize("notes", [{}, {"srd": "a note"}, {"srd": "a note", "saliency": "another"}])
@pytest.mark.parametrize("operations", [{}, {"torch.erf": "activation"}])
def test_the_summary_has_no_gap_and_names_declared_operations(
    folder: Path, notes: dict[str, str], operations: dict[str, str]
) -> None:
    result = AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))
    identity = result.identity.model_copy(update={"operations": operations})
    text = page.markdown(result.model_copy(update={"notes": notes, "identity": identity}))
    assert "\n\n\n" not in text
    assert ("\n| declared operations | torch.erf is activation |\n" in text) == bool(operations)
    assert text.count(" note\n") + text.count(" another\n") == len(notes)


def test_every_anchor_has_its_place(parsed: Page) -> None:
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    assert {a["href"][1:] for a in parsed.all("a") if (a["href"] or "").startswith("#")} <= ids  # type: ignore[index]


def test_no_network_no_scripts(folder: Path, parsed: Page) -> None:
    assert not parsed.all("script")
    assert not any("style" in attributes for _, attributes in parsed.elements)
    text = (folder / "report" / "index.html").read_text(encoding="utf-8") + (folder / "report" / "style.css").read_text(
        encoding="utf-8"
    )
    assert not re.search(r"https?://|@import|url\(", text)


def test_accessible(parsed: Page) -> None:
    assert parsed.all("html") == [{"lang": "en"}]
    assert len(parsed.all("h1")) == 1
    assert all((image["alt"] or "").strip() for image in parsed.all("img"))
    panels = parsed.all("svg")
    assert len(panels) > 20
    assert all(panel["role"] == "img" and (panel["aria-label"] or "").strip() for panel in panels)
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert all(heading.get("scope") in {"col", "row", "rowgroup"} for heading in parsed.all("th"))


def test_figures_are_told_in_numbers(parsed: Page) -> None:
    figures = [image["alt"] or "" for image in parsed.all("img") if (image["src"] or "").startswith("figures/")]
    assert len(figures) >= 10
    assert all(re.search(r"\d\.\d\d", alt) for alt in figures)


def test_small_enough(folder: Path) -> None:
    sizes = {name: len(content) for name, content in contents(folder).items()}
    assert sizes["summary.md"] < 60_000
    in_viewer = sum(size for name, size in sizes.items() if name.startswith("report/viewer/"))
    assert sum(size for name, size in sizes.items() if name.startswith("report/")) - in_viewer < 5_000_000
    assert 0 < in_viewer < BUDGET


def test_the_json_is_of_the_published_schema(folder: Path) -> None:
    text = (folder / "audit.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    result = AuditResult.model_validate_json(text)
    assert result.model_dump_json(indent=1) + "\n" == text
    schema = json.loads((folder / "report" / "data" / "audit.schema.json").read_text(encoding="utf-8"))
    assert schema == AuditResult.model_json_schema()


def test_sober(folder: Path) -> None:
    text = (
        (folder / "report" / "index.html").read_text(encoding="utf-8")
        + (folder / "summary.md").read_text(encoding="utf-8")
    ).lower()
    assert "compliant" not in text
    assert "robust" not in text
    assert str(Path.home()) not in text.replace(str(folder), "")
    assert str(folder) not in text


def test_the_summary_has_numbers_with_n_and_interval(folder: Path) -> None:
    summary = AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8")).summary
    assert 3 <= len(summary) <= 7
    assert sum("n =" in sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in summary) >= 3


@pytest.mark.slow
def test_importing_reports_imports_no_torch() -> None:
    program = "import sys, reports.audit.report, reports.cli.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_report(tmp_path)


def test_without_masks(small: xr.Dataset) -> None:
    score, reason = small.score.copy(), small.reason.copy()
    located = {"metric": [name for name, entry in METRICS.items() if entry.of == "map and mask"]}
    score.loc[located], reason.loc[located] = np.nan, 1
    result, text = rendered(small.drop_vars(["mask", "ignored"]).assign(score=score, reason=reason))
    missing = [row.estimate for row in result.quality if row.metric in located["metric"]]
    assert {(row.value, row.reason) for row in missing} == {(None, "the data set has no masks")}
    assert "no masks" in " ".join(result.not_measured)
    assert "localisation was not measured" in text
    assert "in the object's mask" not in text
    assert "Pointing game" not in text
    told = " ".join((text, page.markdown(result)))
    assert "scores have no value" not in told
    unsigned = int((reason == Reason.UNSIGNED_METHOD).sum())
    assert unsigned > 0
    asked = (~np.isin(small.metric.values, located["metric"])).sum() * score[..., 0].size - unsigned
    assert f"All {asked:,} scores have" in text
    assert result.mask_share is None


@pytest.mark.parametrize("method", METHODS)
def test_with_one_method_and_no_attack_on_it(dataset: xr.Dataset, method: str) -> None:
    result, text = rendered(part(dataset, [method], ("clean", NOISE)))
    assert result.transfer == ()
    assert "the run has no attack on an explanation" in text
    assert "White box" not in text
    assert "softplus" not in text


def test_without_perturbations(small: xr.Dataset) -> None:
    result, text = rendered(part(small, METHODS, ["clean"]))
    assert result.stability == ()
    assert "Not measured: the run has no perturbation" in text


def test_without_the_control_of_equal_size(small: xr.Dataset) -> None:
    result = summarise(Readings(part(small, METHODS, ["clean", "manipulate:srd@8/255"])), RunRecord(PROGRESS))
    verdicts = {cell.verdict for t in result.transfer for row in t.rows for cell in row.cells if cell.white_box}
    assert verdicts == {"attack unchecked"}


def stronger_tables(small: xr.Dataset) -> list[dict[str, Any]]:
    tables = {table["name"]: table for table in small.attrs["fingerprinted"]["spec"]["perturbation"]}
    signs, attack = tables.pop("random_sign"), tables.pop("manipulate")
    return [
        *tables.values(),
        {**signs, "strengths": ["16/255"]},
        {**attack, "strengths": ["16/255"], "against": ["srd"]},
        {**attack, "strengths": ["8/255"], "against": ["saliency"]},
    ]


def test_with_methods_attacked_at_different_strengths(small: xr.Dataset) -> None:
    """As if the attack on SRD, and random signs, were of 16/255, and that on saliency alone of 8/255."""
    larger = {NOISE: "random_sign@16/255", "manipulate:srd@8/255": "manipulate:srd@16/255"}
    names = small.perturbation.values.tolist()
    strengths = [
        16 / 255 if name in larger else value
        for name, value in zip(names, small.perturbation_strength.values, strict=True)
    ]
    renamed = [larger.get(name, name) for name in names]
    stronger = small.assign_coords(
        perturbation=renamed,
        perturbation_group=("perturbation", renamed),
        perturbation_strength=("perturbation", strengths),
    )
    score = stronger.score.copy(deep=True)  # six images show a lead if each has about the same
    score.loc[{"perturbation": "manipulate:srd@16/255", "method": "srd", "metric": "pearson"}] = np.linspace(
        0.1, 0.2, 6
    )
    result, text = rendered(asked(stronger.assign(score=score), stronger_tables(small)))
    summary = page.markdown(result)
    for where in (text, summary):
        assert "at 8/255" in where
        assert "Manipulation at 16/255" in where
        assert "Manipulation at 8/255" in where
    assert summary.count("not attacked") == 2  # the random map, in both tables
    moved = [sentence for sentence in result.summary if sentence.startswith("Manipulation aimed")]
    assert [title for each in moved for title in ("SRD", "Saliency") if title in each] == ["SRD"]
    assert any(sentence.startswith("Whether manipulation at 8/255 does more than noise") for sentence in result.summary)
    first, second = (text.index(f'src="figures/transfer-manipulate-{size}-255-pearson.svg"') for size in (16, 8))
    assert first < second < text.index("The other similarities and strengths")


@pytest.mark.slow
def test_the_order_of_the_spec_changes_nothing(small: xr.Dataset) -> None:
    turned = small.isel(method=[2, 1, 0], perturbation=[0, 1, 2, 4, 3])
    assert turned.perturbation.values.tolist() != small.perturbation.values.tolist()
    assert rendered(turned) == rendered(small)


def test_methods_stand_under_their_families_in_the_order_of_the_registry(folder: Path, parsed: Page) -> None:
    result = AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))
    names = [method.name for method in result.methods]
    assert names == [name for name in ATTRIBUTORS if name in names]
    families = list(dict.fromkeys(ATTRIBUTORS[name].family for name in names))
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    scale = text[text.index("<caption><span>Stability on its own scale") :].partition("</table>")[0]
    assert re.findall('scope="rowgroup">([^<]*)<', scale) == families
    assert re.findall("<h4>([^<]*)</h4>", text) == families * len(result.overview)
    first = text[text.index('id="overview-1"') :].partition('id="overview-2"')[0]
    titles = [method_title(name) for name in names]
    assert re.findall(r'aria-label="(?:Image|Map of) (.*?), c', first)[1:] == titles


def test_with_a_map_that_is_not_finite(small: xr.Dataset) -> None:
    broken = small.copy(deep=True)
    broken["attribution"][0].loc[{"method": "saliency", "perturbation": "clean"}] = np.inf
    _, text = rendered(broken)
    assert text.count('<span class="absent">the map is not finite</span>') == 1


def test_with_holes(small: xr.Dataset) -> None:
    """One method was never attributed, one tile never perturbed under one condition."""
    holed = small.copy(deep=True)
    for name in ("score", "reference_similarity", "attribution", "scale"):
        holed[name].loc[{"method": "saliency"}] = np.nan
    where = {"image": holed.image.values[:4], "perturbation": "pgd@8/255"}
    holed["prediction"].loc[where] = np.nan
    result, text = rendered(holed, {"perturb": (3, 4), "attribute": (1, 2), "score": (1, 2)})
    rows = [row for row in result.stability if row.method == "saliency" and row.images == "all"]
    rows = [row for row in rows if not METRICS[row.similarity].needs_sign]
    assert all(row.estimate.excluded == {NOT_COMPUTED: holed.sizes["image"]} for row in rows)
    pgd = next(row for row in result.accuracy if row.condition == "pgd@8/255")
    assert (pgd.accuracy.n, pgd.accuracy.excluded) == (holed.sizes["image"] - 4, {NOT_COMPUTED: 4})
    assert result.summary[0].startswith("This run is incomplete")
    assert "INCOMPLETE" in text
    assert f'<span class="absent">{NOT_COMPUTED}</span>' in text


def test_with_nothing_computed(small: xr.Dataset) -> None:
    empty = small.copy(deep=True)
    for name in ("score", "reference_similarity", "attribution", "scale", "prediction", "input"):
        empty[name][:] = np.nan
    result, _ = rendered(empty, {stage: (0, done) for stage, (_, done) in PROGRESS.items()})
    assert result.cases == ()
    assert all(row.estimate.value is None and row.estimate.reason for row in result.stability)


def test_an_attack_no_better_than_noise_is_called_unreliable(small: xr.Dataset) -> None:
    scored = small.score.copy()
    noise = {"perturbation": NOISE, "method": "srd", "metric": SIMILARITIES}
    scored.loc[noise | {"perturbation": "manipulate:srd@8/255"}] = scored.loc[noise].values
    result = summarise(Readings(small.assign(score=scored)), RunRecord(PROGRESS))
    cells = [cell for t in result.transfer for row in t.rows for cell in row.cells if cell.white_box]
    assert {cell.verdict for cell in cells if cell.evaluating == "srd"} == {"attack unreliable"}


def test_a_map_that_ignores_the_class_is_called_out(small: xr.Dataset) -> None:
    alike = small.reference_similarity.copy()
    alike.loc[{"method": "saliency", "reference": "other_class"}] = 0.97
    result = summarise(Readings(small.assign(reference_similarity=alike)), RunRecord(PROGRESS))
    assert "depends little on the class" in result.notes["saliency"]
    assert "depends little on the class" in page.html(result, (), [])
    assert any("Saliency" in sentence and "another class" in sentence for sentence in result.summary)
