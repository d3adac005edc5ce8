"""The networks of timm: by name, in a folder that timm or the hub wrote, or in the hub's cache."""

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from pipeline.inputs.checkpoints import named_checkpoint
from pipeline.inputs.libraries.hub_cache import cached_file, cached_folder
from pipeline.inputs.libraries.library import (
    LibraryModel,
    import_library,
    refuse_arguments,
    refuse_other_classes,
    refuse_what_it_raises,
)
from pipeline.inputs.preprocessing import Preprocessing
from pipeline.inputs.weights import load_weights
from pipeline.machine.files import TEXT, read_file, refuse_what_a_parser_raises
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import ExactSize, closest
from srd.errors import MissingWeights, ModelError

FOLDER, HUB = "local-dir:", "hf-hub:"
FILES = ("model.safetensors", "pytorch_model.bin")
"""The names of files of weights in repositories of timm, the one that is taken first at the beginning."""
DECIDED = ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir")


def load_timm(spec: ModelSpec, name: str, base: Path, trusted: Collection[Path]) -> LibraryModel:
    """Load `NAME`, `local-dir:FOLDER` or `hf-hub:ORG/NAME`, with its own weights or those of `model.weights`.

    Raises
    ------
    ModelError
        If timm is not installed, if there is no such network, folder or weights, or if arguments do not fit these.
    """
    timm = import_library("timm", spec, "timm")
    refuse_arguments(spec, DECIDED)
    if name.startswith((FOLDER, HUB)):
        folder = _folder(spec, name, base)
        options = _of_folder(spec, folder)
    else:
        options = _of_name(spec, timm, name)
    way_out = "mend model.kwargs or model.weights"
    is_pretrained = spec.weights is None
    with refuse_what_it_raises(spec, way_out):
        network = timm.create_model(pretrained=is_pretrained, **options, **spec.kwargs)
    notes: tuple[str, ...] = ()
    if spec.weights is not None:
        notes = load_weights(network, named_checkpoint(spec, base / spec.weights, trusted), spec.weights_prefix)
    return LibraryModel(network, _preprocessing(timm, network), base / spec.weights if spec.weights else None, notes)


def draw_timm(spec: ModelSpec, name: str) -> LibraryModel:
    """Build `NAME`, which `load_timm` knows, with weights from torch's global generator.

    Raises
    ------
    ModelError
        If the arguments do not fit.
    """
    timm = import_library("timm", spec, "timm")
    with refuse_what_it_raises(spec, "mend model.kwargs"):
        network = timm.create_model(name, pretrained=False, **spec.kwargs)
    return LibraryModel(network, _preprocessing(timm, network))


def _folder(spec: ModelSpec, name: str, base: Path) -> Path:
    """Return the folder that a name leads to, in which timm's configuration lies."""
    if name.startswith(HUB):
        return cached_folder(spec, name.removeprefix(HUB))
    folder = base / name.removeprefix(FOLDER)
    with refuse_what_it_raises(spec, "name a folder"):
        is_there = (folder / "config.json").is_file()
    if not is_there:
        raise ModelError(
            f"model.spec = {spec.spec!r}: {folder} has no config.json; name the folder that "
            "timm.models.save_for_hf wrote; relative paths start at the folder of the spec"
        )
    return folder


def _of_folder(spec: ModelSpec, folder: Path) -> dict[str, Any]:
    place = f"model.spec = {spec.spec!r}: {folder / 'config.json'}"
    with refuse_what_a_parser_raises(ModelError, place, "name a folder that timm.models.save_for_hf wrote"):
        table = json.loads(read_file(folder / "config.json", TEXT))
        of_weights = table.get("num_classes", table.get("pretrained_cfg", table).get("num_classes"))
    refuse_other_classes(spec, "num_classes", of_weights)
    return {"model_name": f"{FOLDER}{folder}"}


def _of_name(spec: ModelSpec, timm: ModuleType, name: str) -> dict[str, Any]:
    """Return the arguments for a network of timm's list; weights of its own must lie in a cache."""
    known = timm.list_models()
    architecture, _, tag = name.partition(".")
    if architecture not in known:
        raise ModelError(
            f"model.spec = {spec.spec!r}: timm has no network {architecture!r}; {closest(architecture, known)}"
        )
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ModelError(f"model.spec = {spec.spec!r}: {architecture} has no weights {tag!r}; {closest(tag, tags)}")
    configuration = timm.models.get_pretrained_cfg(name)
    refuse_other_classes(spec, "num_classes", configuration.num_classes)
    if spec.weights is not None:
        return {"model_name": name}
    return {"model_name": name, "pretrained_cfg_overlay": {"file": str(_cached_weights(spec, configuration))}}


def _cached_weights(spec: ModelSpec, configuration: Any) -> Path:
    """Return the file of a network's own weights in the cache of the hub or of torch.hub."""
    repository, url = configuration.hf_hub_id, configuration.url
    names = (configuration.hf_hub_filename,) if configuration.hf_hub_filename else FILES
    found = [cached_file(repository, name) for name in names] if repository else []
    found += [Path(torch.hub.get_dir(), "checkpoints", Path(url).name)] if url else []
    here = next((file for file in found if file is not None and file.is_file()), None)
    if here is None:
        where = f"the hub's {repository} ({names[0]})" if repository else url or "no place that timm knows"
        raise MissingWeights(
            f"model.spec = {spec.spec!r}: its weights are in no cache of this machine, and audits fetch nothing; bring "
            f"the file from {where}, and set model.weights to its place"
        )
    return here


def _preprocessing(timm: ModuleType, network: nn.Module) -> Preprocessing:
    read: Mapping[str, Any] = timm.data.resolve_model_data_config(network)
    geometry = _geometry(read)
    return Preprocessing("timm's configuration of the weights", tuple(read["mean"]), tuple(read["std"]), **geometry)


def _geometry(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return size, cut and filter in the words of a spec; nothing of ways that it has no words for."""
    _, height, width = read["input_size"]
    share, way = read["crop_pct"], read["crop_mode"]
    rows, columns = math.floor(height / share), math.floor(width / share)
    if way == "squash":
        cut = (height, width) if share < 1 else None
        return {"resize": ExactSize(height=rows, width=columns), "crop": cut, "interpolation": read["interpolation"]}
    if way == "center" and height == width:
        return {"resize": (rows, height), "interpolation": read["interpolation"]}
    return {}
