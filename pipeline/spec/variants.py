"""The spec of variants: an audit's network, images and methods, and tables `[variant.NAME]` of how it is shipped."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from pipeline.spec.audit import AuditSpec
from pipeline.spec.comparison import LONGEST, NAME
from pipeline.spec.experiment import load_experiment_spec, refuse_perturbations
from pipeline.spec.values import SpecTable, Text, shorten_value

MOST = 16
"""The most variants of one page."""


class VariantSpec(SpecTable):
    """The form in which the same network is shipped."""

    weights: Text | None = None
    """Another file of weights, read as `model.weights` is."""
    weights_key: Text | None = None
    weights_prefix: Text | None = None
    dtype: Literal["bfloat16", "float16", "float64"] | None = None
    """The type of the weights, and of all that the network computes between its inputs and its answer."""
    quantize: Literal["int8-dynamic"] | None = None
    """The linear layers get weights of 8 bits, and round what they read to 8 bits."""
    compile: bool = False
    """Whether torch.compile compiles the network."""

    @model_validator(mode="after")
    def _check_changes(self) -> "VariantSpec":
        if not (self.weights or self.dtype or self.quantize or self.compile):
            raise ValueError("changes nothing; set weights, dtype, quantize or compile = true")
        for name, value in (("weights_key", self.weights_key), ("weights_prefix", self.weights_prefix)):
            if value is not None and self.weights is None:
                raise ValueError(f"{name} = {value!r} is of a file of weights; set weights, or remove it")
        if self.dtype and self.quantize:
            raise ValueError(
                f"dtype = {self.dtype!r}: layers of dynamic int8 read float32; remove dtype, or make two variants"
            )
        return self


class VariantsSpec(AuditSpec):
    """Everything that the user asks of the variants of a network."""

    variant: dict[str, VariantSpec]
    """The variants by name, in the order of the page."""

    @model_validator(mode="after")
    def _check_variants(self) -> "VariantsSpec":
        if not 0 < len(self.variant) <= MOST:
            raise ValueError(f"variant: {len(self.variant)} tables; write 1 to {MOST} tables [variant.NAME]")
        for name in self.variant:
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"variant.{shorten_value(name)}: is no name; use letters, digits, - and _, at most {LONGEST}"
                )
        refuse_perturbations(self)
        return self


def load_variants_spec(path: Path) -> VariantsSpec:
    """Return the spec in a TOML file.

    Raises
    ------
    SpecError
        With the file, the place, the value and the way out.
    """
    advice = "add [variant.NAME] with dtype, quantize, compile or weights"
    return load_experiment_spec(path, VariantsSpec, "variant", advice)
