"""The image classifiers of transformers, from a folder that `save_pretrained` wrote or from the hub's cache."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from pipeline.inputs.checkpoints import named_checkpoint
from pipeline.inputs.libraries.hub_cache import cached_folder
from pipeline.inputs.libraries.image_processor import preprocessing_of
from pipeline.inputs.libraries.library import (
    LibraryModel,
    import_library,
    refuse_arguments,
    refuse_other_classes,
    refuse_what_it_raises,
)
from pipeline.inputs.preprocessing import Preprocessing
from pipeline.inputs.weights import load_weights
from pipeline.spec.model import ModelSpec
from srd.errors import ModelError

DECIDED = (
    "trust_remote_code",
    "ignore_mismatched_sizes",
    "output_loading_info",
    "local_files_only",
    "dtype",
    "torch_dtype",
)
"""Arguments that would run code of the folder, leave weights random, or load them otherwise."""
SHOWN = 3
"""The names of tensors that a message has."""


def load_hugging_face(spec: ModelSpec, name: str, base: Path, trusted: Collection[Path]) -> LibraryModel:
    """Load the folder or repository `name`, with its own weights or those of `model.weights`.

    Raises
    ------
    ModelError
        If transformers is not installed, if there is no such folder, if weights are missing in it, or if its image
        processor does what a spec has no words for while the spec does not say what to do.
    """
    transformers = import_library("transformers", spec, "hf")
    refuse_arguments(spec, DECIDED)
    with refuse_what_it_raises(spec, "name a folder that save_pretrained of an image classifier wrote"):
        folder = base / name if (base / name).is_dir() else cached_folder(spec, name)
        configuration = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    refuse_other_classes(spec, "num_labels", configuration.num_labels)
    if spec.weights is None:
        network, notes = _load_own(spec, transformers, folder)
    else:
        network, notes = _load_other(spec, transformers, folder, base / spec.weights, trusted)
    return LibraryModel(
        network, _preprocessing(spec, transformers, folder), base / spec.weights if spec.weights else None, notes
    )


def _load_own(spec: ModelSpec, transformers: ModuleType, folder: Path) -> tuple[nn.Module, tuple[str, ...]]:
    way_out = "name a folder that save_pretrained of an image classifier wrote"
    with refuse_what_it_raises(spec, way_out), _silence(transformers):
        network, found = transformers.AutoModelForImageClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
            **spec.kwargs,
        )
    absent = sorted({*found["missing_keys"], *map(str, found["mismatched_keys"])})
    if absent:
        raise ModelError(
            f"model.spec = {spec.spec!r}: {folder} holds no values for {len(absent)} tensors of the network, such as "
            f"{_enumerate(absent)}, which would be random; save the classifier with its head, or set model.weights"
        )
    surplus = sorted(found["unexpected_keys"])
    return network, (f"model.spec: {len(surplus)} tensors are not of the network: {_enumerate(surplus)}",) * bool(
        surplus
    )


def _load_other(
    spec: ModelSpec, transformers: ModuleType, folder: Path, file: Path, trusted: Collection[Path]
) -> tuple[nn.Module, tuple[str, ...]]:
    """Build the network of a folder's configuration, and load another file of weights."""
    with refuse_what_it_raises(spec, "mend model.kwargs"):
        configuration = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **spec.kwargs)
        network = transformers.AutoModelForImageClassification.from_config(configuration)
    return network, load_weights(network, named_checkpoint(spec, file, trusted), spec.weights_prefix)


def _preprocessing(spec: ModelSpec, transformers: ModuleType, folder: Path) -> Preprocessing:
    """Return what the image processor of a folder does; what the spec says is enough where that is not known."""
    way_out = "set model.mean, model.std and model.resize to what the network reads"
    with refuse_what_it_raises(spec, way_out):
        try:
            processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            return preprocessing_of(processor)
        except (OSError, ValueError):
            if spec.mean is None or spec.std is None:
                raise
            return Preprocessing("the spec alone, as no image processor says more", spec.mean, spec.std)


@contextmanager
def _silence(transformers: ModuleType) -> Iterator[None]:
    """Let transformers show neither progress nor advice until the context ends."""
    logging = transformers.utils.logging
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _enumerate(names: Collection[str]) -> str:
    shown = ", ".join(map(repr, list(names)[:SHOWN]))
    return f"{shown}{', ...' * (len(names) > SHOWN)}"
