"""The preprocessing that weights were trained with: it fills in what a spec leaves out, and what differs is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.spec.model import ModelSpec
from pipeline.spec.values import ExactSize

GEOMETRY = ("resize", "crop", "interpolation")
"""The keys of a spec on the size of the images that a network reads."""
Size = tuple[int, int] | int


@dataclass(frozen=True)
class Preprocessing:
    """The way from an image in [0, 1] to what a network reads, in the words of `ModelSpec`."""

    origin: str
    """Who says so, such as the weights' transforms."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: Size | ExactSize | None = None
    crop: tuple[int, int] | str | int | None = None
    interpolation: str | None = None

    def complete(self, spec: ModelSpec) -> ModelSpec:
        """Return a spec with what it leaves out."""
        filled: dict[str, Any] = {}
        if spec.mean is None:
            filled |= {"mean": self.mean, "std": self.std}
        if spec.resize is None and spec.crop is None:
            filled |= {"resize": self.resize, "crop": self.crop, "interpolation": self.interpolation}
        elif spec.resize is not None and spec.interpolation is None:
            filled["interpolation"] = self.interpolation
        return spec.model_copy(update=filled)

    def sentences(self, asked: ModelSpec) -> Iterator[str]:
        """Yield what is read, and where the spec says something else, which is then done."""
        said = [f"{name} = {as_text(value)}" for name, value in self._words().items() if value is not None]
        yield f"preprocessing of {self.origin}: {', '.join(said)}"
        for name, theirs in self._words().items():
            ours = getattr(asked, name)
            if ours is not None and _comparable(ours) != _comparable(theirs):
                yield (
                    f"model.{name} = {as_text(ours)} contradicts {self.origin} ({name} = {as_text(theirs)}): "
                    "what the spec says is done; remove the key to follow the weights"
                )

    def _words(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("resize", "crop", "interpolation", "mean", "std")}


def as_text(value: Any) -> str:
    """Return a value of a spec as a reader reads it; None is "nothing"."""
    if isinstance(value, ExactSize):
        return f"{{ height = {value.height}, width = {value.width} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(f'{each:.6g}' for each in value)}]"
    return "nothing" if value is None else str(value)


def _comparable(value: Any) -> Any:
    """Return a value in the form in which equal ones are equal: [224, 224] cuts what 224 cuts."""
    if isinstance(value, tuple) and isinstance(value[0], float):
        values = tuple(round(each, 6) for each in value)
        return values[0] if len(set(values)) == 1 else values
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
