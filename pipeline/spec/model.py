"""The table of a spec that says which network is audited, how its answer is read, and what it reads."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.spec.values import Arguments, Crop, Floats, Interpolation, Resize, SpecTable, Text, shorten_value
from srd.entries import DeclaredRule


class ModelSpec(SpecTable):
    """The network: where it comes from, and what it reads."""

    spec: Text
    """`demo:vgg`, `demo:resnet`, `path/to/file.py:callable`, `package.module:callable`, `torchvision:NAME@WEIGHTS`,
    `timm:NAME`, `timm:local-dir:FOLDER`, `timm:hf-hub:ORG/NAME` or `hf:FOLDER`."""
    weights: Text | None = None
    """A state dict: a safetensors file, a file that torch loads with `weights_only`, or the index of several."""
    weights_key: Text | None = None
    """The key of the state dict in a file that holds several, such as `state_dict` or `ema`."""
    weights_prefix: Text | None = None
    """The beginning of the names of the tensors to take, which is removed from them."""
    kwargs: Arguments = Field(default_factory=dict)
    """The keyword arguments of the callable."""
    mean: Floats | None = None
    std: Floats | None = None
    resize: Resize | None = None
    """The length to which the shorter side is resized, before the central square is cut out; [256, 224] cuts out a
    smaller square. { height = 128, width = 64 } stretches to this size, and cuts nothing out."""
    crop: Crop | None = None
    """The side of another central square, [height, width] of a rectangle, or "none" to keep all of the image."""
    interpolation: Interpolation | None = None
    """The filter of `resize`, by Pillow's name; bilinear by default."""
    channels: Literal[1, 3] | None = None
    """The channels that image files are read with; 3 by default. Arrays have their own."""
    classes: Text | None = None
    """A file with the class order: a JSON list of names or of [folder, name], or text with one folder a line."""
    output: int | Text | None = None
    """The index, key or attribute of the part of the output that holds the logits, or `output of MODULE`."""
    binary: bool = False
    """Whether the output is one logit, of the second class."""
    multilabel: bool = False
    """Whether the outputs are logits of labels of which an image may have several; a target is one label."""
    outputs_are_logits: bool = False
    """Whether outputs that all lie between 0 and 1 are logits nevertheless."""
    encoder: Text | None = None
    """The module whose output is the end of the encoder; SRD finds it if it is not given."""
    operations: dict[str, DeclaredRule] = Field(default_factory=dict)
    """The meanings of torch functions without a rule, by the names under which SRD refuses them."""

    @model_validator(mode="after")
    def _check_weights(self) -> "ModelSpec":
        for name, value in (("weights_key", self.weights_key), ("weights_prefix", self.weights_prefix)):
            if value is not None and self.weights is None:
                raise ValueError(f"{name} = {value!r} is of a file of weights; set weights, or remove it")
        return self

    @model_validator(mode="after")
    def _check_output(self) -> "ModelSpec":
        if self.binary and self.multilabel:
            raise ValueError("binary and multilabel: one logit is of one pair of classes; remove one of the two")
        return self

    @model_validator(mode="after")
    def _check_normalisation(self) -> "ModelSpec":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together; give both, or neither")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in {1, self.channels or max(1, len(values))}:
                channels = f"each of {self.channels} channels" if self.channels else "each channel"
                raise ValueError(f"{name} needs one number, or one for {channels}, got {shorten_value(list(values))}")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {shorten_value(list(self.std))}")
        return self

    @model_validator(mode="after")
    def _check_geometry(self) -> "ModelSpec":
        if self.crop is not None and isinstance(self.resize, tuple):
            raise ValueError(
                f"crop = {shorten_value(self.crop)}: resize = {list(self.resize)} cuts {self.resize[1]} out already; "
                f"set resize = {self.resize[0]}, or remove crop"
            )
        if self.interpolation is not None and self.resize is None:
            raise ValueError(f"interpolation = {self.interpolation!r}: nothing is resized; set resize, or remove it")
        return self
