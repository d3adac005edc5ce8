"""Settings of the command line: what they change in a spec, and what is refused with place and way out."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.settings import apply_settings, parse_settings
from srd.errors import SpecError

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "specs" / "smoke.toml"


def changed(*texts: str) -> Any:
    return load_spec(SMOKE, parse_settings(texts))


def test_values_are_those_of_toml() -> None:
    spec = changed("data.n=3", 'model.spec="demo:resnet"', 'explain.target = "label"', "run.seed=7")
    assert (spec.data.n, spec.model.spec, spec.explain.target, spec.run.seed) == (3, "demo:resnet", "label", 7)
    assert spec.perturbation == load_spec(SMOKE).perturbation


def test_missing_tables_are_added_and_the_rest_stays() -> None:
    spec = changed("explain.options.srd.bias='none'", "measure={steps = 4}")
    assert spec.explain.options["srd"] == {"bias": "none"}
    assert spec.explain.options["integrated_gradients"] == {"points": 4}
    assert spec.measure.steps == 4


@pytest.mark.parametrize("key", ["pgd", "4", '"pgd"'])
def test_an_entry_of_a_list_is_named_by_its_name_or_number(key: str) -> None:
    spec = changed(f'perturbation.{key}.strengths=["2/255"]')
    found = {each.name: [strength.text for strength in each.strengths] for each in spec.perturbation}
    assert found["pgd"] == ["2/255"]
    assert found["fgsm"] == ["8/255"]


def test_a_subject_of_several_is_changed_alone() -> None:
    audits = load_audits(ROOT / "specs" / "families.toml", parse_settings(["subject.vgg.data.n=3"]))
    assert [name for name, audit in audits.items() if audit.data.n == 3] == ["vgg"]


def test_the_table_itself_stays_as_it_was() -> None:
    table = {"perturbation": [{"name": "pgd"}], "data": {"n": 1}}
    edited = apply_settings(table, parse_settings(["data.n=2", "perturbation.pgd.draws=2"]))
    assert table == {"perturbation": [{"name": "pgd"}], "data": {"n": 1}}
    assert edited == {"perturbation": [{"name": "pgd", "draws": 2}], "data": {"n": 2}}


REFUSED = [
    (["data.n"], "--set 'data.n': is no setting; write KEY=VALUE, such as data.n=16"),
    (["=3"], "--set '=3': is no setting"),
    (["data.n=1\ndata.path=2"], "is no setting"),
    (["data..n=3"], "'data..n' is no key of TOML"),
    (["data n=3"], "'data n' is no key of TOML"),
    (
        ["model.spec=demo:vgg"],
        "'demo:vgg' is no value of TOML; a text is quoted twice: --set 'model.spec=\"demo:vgg\"'",
    ),
    (["data.n="], "'' is no value of TOML"),
    (["data.n=1", "data.n=2"], "--set data.n=2: data.n is set twice; set it once"),
    (["cluster.workers=4"], "[cluster] says where an audit runs, not what it is; use the options of the command"),
    (["store.url='x'"], "[store] says where an audit runs"),
    (["data.n.x=4"], "--set data.n.x=4: data.n is 8, no table; set data.n itself, or another key"),
    (["explain.methods.x.y=4"], "no table; set explain.methods itself"),
    (["perturbation.pdg.draws=4"], "the spec has no entry 'pdg'; did you mean 'pgd'?"),
    (["perturbation.0.draws=4"], "the spec has no entry '0'"),
    (["perturbation.9.draws=4"], "the spec has no entry '9'"),
    (["data.m=4"], "smoke.toml with --set data.m=4: data.m: unknown key; known: path, format, split"),
    (["data.n='4'"], "smoke.toml with --set data.n='4': data.n: Input should be a valid integer"),
    (["perturbation.pgd.options.stepz=4"], "[[perturbation]] number 4 (pgd) options: "),
]


@pytest.mark.parametrize(("texts", "told"), REFUSED, ids=[texts[-1] for texts, _ in REFUSED])
def test_what_is_no_setting_of_the_spec_is_refused(texts: list[str], told: str) -> None:
    with pytest.raises(SpecError) as refused:
        changed(*texts)
    assert told in str(refused.value)


def test_one_of_two_entries_of_a_name_is_named_by_its_number() -> None:
    table = {"perturbation": [{"name": "pgd"}, {"name": "fgsm"}, {"name": "pgd"}]}
    with pytest.raises(SpecError, match="pgd stands several times; name one by its number: 1, 3"):
        apply_settings(table, parse_settings(["perturbation.pgd.draws=2"]))
    edited = apply_settings(table, parse_settings(["perturbation.3.draws=2"]))
    assert edited["perturbation"] == [{"name": "pgd"}, {"name": "fgsm"}, {"name": "pgd", "draws": 2}]
