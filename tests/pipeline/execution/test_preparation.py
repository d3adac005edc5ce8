"""Laws of preparation: what is settled is stored, and another audit never enters the folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from colour_network import COLOURS
from small_audits import PER_CLASS, SIZE, Finished, edit, job_of, path_of, tree, write_audit, write_picture

from pipeline.execution import admission, preparation
from pipeline.execution.job import Job
from pipeline.execution.preparation import prepare_store
from pipeline.execution.self_checks import SELF_CHECKS
from pipeline.execution.subjects import load_subject
from pipeline.inputs.demo_data import Shapes
from pipeline.machine import environment, seeds
from pipeline.plan.axes import references
from pipeline.plan.schema import REASONS
from pipeline.store.attributes import RunAttributes
from pipeline.store.results import open_results
from pipeline.store.store import attributes
from srd.errors import DataError, ModelError, SpecError, StoreError, UnsupportedOperation

N = len(COLOURS) * PER_CLASS


def prepared(spec: Path, folder: Path) -> RunAttributes:
    job = job_of(spec, folder)
    return prepare_store(job, load_subject(job))


def refused(spec: Path, folder: Path) -> str:
    with pytest.raises(StoreError) as caught:
        prepared(spec, folder)
    return str(caught.value)


def test_the_store_says_what_it_was_made_from(finished: Finished) -> None:
    attributes = finished.attributes
    stored = attributes.fingerprinted
    subject = load_subject(finished.job)
    assert attributes == finished.watch.attributes
    assert set(stored.table()) == {"spec", "weights", "network", "data", "sources", "versions", "hardware"}
    assert stored.spec == finished.job.spec
    assert stored.weights == subject.model.weights_digest
    assert stored.data == subject.data.digest
    assert stored.versions == environment.versions()
    assert attributes.reasons == REASONS
    compared = references(finished.job.spec.measure)
    assert attributes.references == {name: reference.meaning for name, reference in compared.items()}
    assert attributes.parameters == subject.model.n_parameters
    assert attributes.certificates is None


def test_accuracy_on_the_clean_images_is_stored(finished: Finished, spec: Path, tmp_path: Path) -> None:
    assert finished.attributes.correct == N
    write_picture(spec.parent, 0, "blue/red.png")
    attributes = prepared(spec, tmp_path / "run")
    assert attributes.plan.sizes["image"] == N + 1
    assert attributes.correct == N


def test_notes_on_model_and_data_are_stored(finished: Finished, spec: Path, tmp_path: Path) -> None:
    assert finished.attributes.notes == ()
    (spec.parent / "images/blue/9.tga").write_bytes(b"")
    state = torch.load(spec.parent / "weights.pt")
    torch.save({"state_dict": state}, spec.parent / "weights.pt")
    model, data = prepared(spec, tmp_path / "run").notes
    assert model == "model.weights: the state dict is the one under 'state_dict'"
    assert data == "1 file in blue/: .tga is not read"
    assert str(tmp_path) not in model + data


def test_products_in_another_precision_are_noted_and_of_another_class_of_machine(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(spec, "[explain]\n", "[explain]\noptions.srd.precision = 'mixed'\n")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    made = prepared(spec, tmp_path / "run")
    (note,) = made.notes
    assert note.startswith("precision = 'mixed' of srd is 'full' here: the cpu has no instructions for bfloat16")
    assert "bfloat16" not in made.fingerprinted.hardware
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert prepared(spec, tmp_path / "other").notes == ()
    with pytest.raises(StoreError, match="hardware"):
        prepared(spec, tmp_path / "run")


@pytest.mark.parametrize(
    ("keys", "told"),
    [("", "model.mean and model.std are not set"), ("mean = [0.5]\nstd = [1.0]\n", "model.mean and model.std")],
)
def test_accuracy_near_chance_is_noted(spec: Path, tmp_path: Path, keys: str, told: str) -> None:
    (spec.parent / "classes.json").write_text('["green", "blue", "red"]', encoding="utf-8")
    edit(spec, "[model]\n", f"[model]\n{keys}")
    (note,) = prepared(spec, tmp_path / "run").notes
    assert note == f"accuracy of 0.0% is near chance (33.3%): check model.classes; {told}"


@pytest.mark.parametrize(
    ("correct", "n_images", "n_classes", "is_noted"),
    [(59, 100, 2, True), (61, 100, 2, False), (99, 100, 2, False), (19, 100, 10, True), (21, 100, 10, False)],
)
def test_near_chance_is_less_than_a_tenth_above_it(
    finished: Finished, correct: int, n_images: int, n_classes: int, is_noted: bool
) -> None:
    data = Shapes(n_images)
    data.classes = data.classes[:1] * n_classes
    assert bool(list(admission._low_accuracy_in_words(finished.job.spec, data, correct))) is is_noted


def test_classes_are_those_of_the_clean_images(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    clean = dataset["prediction"].isel(perturbation=0).values
    assert (dataset["target"].values == clean.argmax(1)).all()
    assert dataset["label"].values.tolist() == list(load_subject(finished.job).data.labels)


def test_the_label_is_explained_where_the_spec_says_so(spec: Path, tmp_path: Path) -> None:
    edit(spec, "[explain]\n", '[explain]\ntarget = "label"\n')
    write_picture(spec.parent, 0, "blue/red.png")
    job = job_of(spec, tmp_path / "run")
    prepare_store(job, load_subject(job))
    dataset = open_results(job.store)
    assert dataset["target"].values.tolist() == dataset["label"].values.tolist()
    assert (dataset["other_class"] != dataset["target"]).all()


def test_the_other_class_is_any_but_the_target_and_the_images_own_draw(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    n_classes, seed = dataset.sizes["class"], finished.job.spec.run.seed
    for name, target, other in zip(
        *(dataset[v].values.tolist() for v in ("image", "target", "other_class")), strict=True
    ):
        rest = [c for c in range(n_classes) if c != target]
        assert other == rest[seeds.index(seed, len(rest), "other class", name)]
    assert len(set(dataset["other_class"].values.tolist())) > 1


def test_the_target_image_is_of_another_predicted_class_and_the_images_own_draw(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    predicted, chosen = dataset["target"].values, dataset["target_image"].values
    assert (predicted[chosen] != predicted).all()
    for row, name in enumerate(dataset["image"].values.tolist()):
        others = np.flatnonzero(predicted != predicted[row])
        place = seeds.index(finished.job.spec.run.seed, len(others), "target image", name)
        assert chosen[row] == others[place]


def test_preparing_again_changes_nothing(spec: Path, tmp_path: Path) -> None:
    attributes = prepared(spec, tmp_path / "run")
    before = tree(tmp_path / "run")
    assert prepared(spec, tmp_path / "run") == attributes
    assert tree(tmp_path / "run") == before


def test_two_preparations_make_the_same_bytes(spec: Path, tmp_path: Path) -> None:
    prepared(spec, tmp_path / "one")
    prepared(write_audit(tmp_path / "elsewhere"), tmp_path / "other")
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 1", "seed = 2", "spec.run.seed (1 there, 2 here)"),
        ("tile = 4", "tile = 3", "spec.run.tile (4 there, 3 here)"),
        ("[explain]\n", '[explain]\ntarget = "label"\n', "spec.explain.target ('predicted' there, 'label' here)"),
        ("strengths = [0.1]", "strengths = [0.2]", "spec.perturbation"),
        ('masks = "masks"', 'masks = "masks"\nn = 3', "spec.data.n (None there, 3 here), data"),
    ],
)
def test_another_spec_is_refused_by_what_differs(spec: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = tmp_path / "run"
    prepared(spec, folder)
    before = tree(folder)
    assert f"was made by another audit (it differs in: {message})" in refused(edit(spec, old, new), folder)
    assert tree(folder) == before


def test_other_weights_code_or_images_are_refused(spec: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    prepared(spec, folder)
    for name, message in (("weights.pt", "weights"), ("images/red/0.png", "data"), ("masks/red/1.png", "data")):
        file = spec.parent / name
        original = file.read_bytes()
        if name.endswith("png"):
            file.write_bytes((file.parent / f"{1 - int(file.stem)}.png").read_bytes())
        else:
            state = torch.load(file)
            state["fc.bias"][0] += 1e-6
            torch.save(state, file)
        assert f"(it differs in: {message});" in refused(spec, folder)
        file.write_bytes(original)


def test_a_store_that_is_no_audit_is_refused(spec: Path, tmp_path: Path) -> None:
    zarr.create_group(path_of(job_of(spec, tmp_path).store))
    assert "is not the store of an audit" in refused(spec, tmp_path)


def attempt(spec: Path, folder: Path, error: type[Exception]) -> str:
    """The message of a refusal that left nothing behind."""
    with pytest.raises(error) as caught:
        prepared(spec, folder)
    assert not folder.exists()
    return str(caught.value)


def network(spec: Path, forward: str) -> None:
    edit(spec.parent / "network.py", "logits: Tensor = self.fc(hidden.mean((2, 3)))\n        return logits", forward)


def test_one_predicted_class_is_refused(spec: Path, tmp_path: Path) -> None:
    network(spec, "return self.fc(hidden.mean((2, 3))) * 0.01 + torch.tensor([20.0, 0.0, 0.5])")
    assert "every image is predicted as the same class" in attempt(spec, tmp_path / "run", DataError)


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("return self.fc(hidden.mean((2, 3))) * 0 + torch.tensor([2.0, 0.0, 0.5])", "is the same for all 6 images"),
        ("return self.fc(hidden.mean((2, 3))) * 0", "is the same for all 6 images"),
        ("return self.fc(hidden.mean((2, 3))) * 0 + torch.tensor([0.2, 0.3, 0.5])", "is the same for all 6 images"),
        ("return self.fc(torch.nn.functional.dropout(hidden, 0.3).mean((2, 3)))", "two passes over the same images"),
        ("hidden = hidden.mean((2, 3)); return self.fc(hidden - hidden.mean(0))", "other images of its batch"),
        ("self.fc.bias.data.add_(0.1); return self.fc(hidden.mean((2, 3)))", "two passes over the same images"),
        ("return self.fc(hidden.mean((2, 3))).log_softmax(1)", "logarithms of probabilities"),
        ("return self.fc(hidden.mean((2, 3))).sigmoid()", "all between 0 and 1"),
    ],
)
def test_a_network_that_no_audit_is_true_of_is_refused_before_any_work(
    spec: Path, tmp_path: Path, forward: str, said: str
) -> None:
    network(spec, forward)
    assert said in attempt(spec, tmp_path / "run", ModelError)


def test_what_was_asked_of_the_network_is_stored(finished: Finished) -> None:
    checks = attributes(finished.job.store).self_checks
    assert [check.name for check in checks] == [*SELF_CHECKS, "SRD: conservation"]
    assert not any(check.is_marked for check in checks)


def test_an_operation_without_a_rule_is_refused_by_method_and_name(spec: Path, tmp_path: Path) -> None:
    network(spec, "return self.fc(hidden.sin().mean((2, 3)))")
    message = attempt(spec, tmp_path / "run", UnsupportedOperation)
    assert message.startswith("method 'srd' cannot explain this network: ")
    assert "sin" in message
    assert "leave the method out of explain.methods" in message


def test_the_resolution_of_each_methods_own_maps_is_stored(spec: Path, tmp_path: Path) -> None:
    edit(spec, 'methods = ["srd", ', 'methods = ["srd", "grad_cam", ')
    resolutions = prepared(spec, tmp_path / "run").resolutions
    assert resolutions["srd"] == resolutions["saliency"] == (SIZE, SIZE)
    rows, columns = resolutions["grad_cam"]
    assert 1 < rows == columns <= SIZE


def test_every_method_is_tried(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def recorded(_: object, __: object, ___: object, name: str) -> Any:
        tried.append(name)
        return lambda *args: torch.zeros(1, SIZE, SIZE)

    monkeypatch.setattr(preparation, "own_attributor", recorded)
    prepared(spec, tmp_path / "run")
    assert tried == ["srd", "saliency", "random"]


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("[model]", '[model]\nencoder = "relu9"', ModelError, "model.encoder: layer 'relu9'"),
        ("[explain]", '[explain]\noptions.srd.bias = "none"', SpecError, "explain.options.srd: bias 'none' is not one"),
    ],
)
def test_an_option_that_a_method_refuses_is_refused_before_any_work(
    spec: Path, tmp_path: Path, old: str, new: str, error: type[Exception], message: str
) -> None:
    assert message in attempt(edit(spec, old, new), tmp_path / "run", error)


def test_a_network_without_gradients_is_refused(spec: Path, tmp_path: Path) -> None:
    network(spec, "return self.fc(hidden.detach().mean((2, 3)))")
    edit(spec, '["srd", "saliency", "random"]', '["saliency", "srd"]')
    message = attempt(spec, tmp_path / "run", ModelError)
    assert message.startswith("method 'saliency' fails on the first image: RuntimeError")


def test_jobs_are_plain_data(finished: Finished) -> None:
    job = finished.job
    again = Job(job.spec.model_copy(), job.base, job.store)
    assert again == job
    assert hash(again) == hash(job)
