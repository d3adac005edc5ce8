"""The table [data] of a spec: where the images are, how they are stored, and which of them are audited."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.spec.values import Floats, SpecTable, Text, closest, shorten_value

Images = Annotated[int, Field(ge=1, le=2_000_000)]
"""A number of images; the largest folder that is audited, ImageNet's, holds 1.3 million."""
SHAPES = "demo:shapes"
GRIDS = "demo:grids"
"""The images of four demo scenes each, of which the mask is one."""
FORMATS: dict[str, frozenset[str]] = {
    "folder": frozenset({"labels", "masks"}),
    "csv": frozenset({"masks"}),
    "imagenet-s": frozenset({"labels", "split"}),
    "arrays": frozenset({"labels", "masks", "split", "layout", "range"}),
    "torchvision": frozenset({"split"}),
    "huggingface": frozenset({"split"}),
    "demo": frozenset(),
}
"""The formats of data, and the keys that only some of them read."""
TORCHVISION = "torchvision:"
ARRAY_SUFFIXES = (".npy", ".npz", ".zarr")
Sampling = Literal["balanced", "stratified", "random"]


def _check_range(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) != 2 or not values[0] < values[1]:
        raise ValueError(f"{shorten_value(list(values))} is no range; write [black, white], such as [0, 65535]")
    return values


def _check_format(given: str) -> str:
    named = [name for name in FORMATS if name not in {"torchvision", "demo"}]
    if given not in named and not given.startswith(TORCHVISION):
        raise ValueError(f"{shorten_value(given)} is no format; {closest(given, [*named, TORCHVISION + 'NAME'])}")
    return given


class DataSpec(SpecTable):
    """The images: `demo:shapes`, `demo:grids`, or files in one of the formats of `docs/data.md`."""

    path: Text
    """A folder or a file; what it holds says `format`."""
    format: Annotated[Text, AfterValidator(_check_format)] | None = None
    """`folder`, `csv` and `arrays` are seen by the path; `imagenet-s`, `huggingface`, `torchvision:NAME` are not."""
    split: Text | None = None
    """The part of the data set that is read, such as "validation" or "test"."""
    labels: Text | None = None
    """Of a folder, a CSV file with the columns file, label and, if there are any, mask; of ImageNet-S, the folder of
    its published lists; of an array, another with the labels."""
    masks: Text | None = None
    """A folder with one PNG for each image, at the same relative path and of the size of the upright image; pixels
    that are not black are the object. Or a JSON file of COCO's instances. Of arrays, another array."""
    layout: Literal["nhwc", "nchw"] | None = None
    """The axes of an array of images of several channels, where its shape does not tell."""
    range: Annotated[Floats, AfterValidator(_check_range)] | None = None
    """The values of an array that are black and white; [0, 255] of bytes and [0, 1] of floats by default."""
    n: Images | None = None
    """The number of images; all by default."""
    sample: Sampling = "balanced"
    """How `n` images are chosen: of the classes in turn, in the shares of the classes, or at random."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """The seed of the choice. Without it a balanced choice takes the first of each class by name."""
    only_correct: bool = False
    """Whether images that the network does not classify as they are labelled are left out."""

    @property
    def kind(self) -> str:
        """Return the format: one of `FORMATS`."""
        if self.path.startswith("demo:"):
            return "demo"
        if self.format is not None:
            return self.format.partition(":")[0]
        if self.path.rstrip("/").endswith(ARRAY_SUFFIXES):
            return "arrays"
        return "csv" if self.path.endswith(".csv") else "folder"

    @model_validator(mode="after")
    def _check_keys(self) -> "DataSpec":
        if self.path.startswith("demo:") and self.format is not None:
            raise ValueError(f"format = {self.format!r}: the demo images have their own; remove the key")
        for key in dict.fromkeys(key for keys in FORMATS.values() for key in sorted(keys)):
            value = getattr(self, key)
            if value is not None and key not in FORMATS[self.kind] and self.kind != "demo":
                able = ", ".join(name for name, keys in FORMATS.items() if key in keys)
                raise ValueError(
                    f"{key} = {shorten_value(value)}: is for data of the format {able}, this is of {self.kind}; "
                    "remove the key, or set data.format"
                )
        if self.n is None and (self.sample != "balanced" or self.seed is not None):
            key = "seed" if self.seed is not None else "sample"
            raise ValueError(
                f"{key} = {shorten_value(getattr(self, key))}: all images are taken; set data.n, or remove it"
            )
        return self
