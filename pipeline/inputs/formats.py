"""The format of data, as names on disk show it. Nothing is opened, and nothing here imports torch."""

from pathlib import Path

HUGGING_FACE = ("dataset_dict.json", "dataset_info.json", "state.json")
"""The files that `save_to_disk` of Hugging Face's datasets writes."""
SEGMENTATION = "-segmentation"
"""The end of the names of folders of masks in ImageNet-S, beside those of images."""


def find_format(path: Path) -> tuple[str, str] | None:
    """Return the format of data that a spec has to name, and by what it is known; None where a spec need not."""
    known = next((name for name in HUGGING_FACE if (path / name).is_file()), None)
    if known:
        return "huggingface", f"it has a {known}"
    masks = sorted(path.glob(f"*{SEGMENTATION}")) if path.is_dir() else []
    beside = [each for each in masks if each.is_dir() and each.with_name(each.name.removesuffix(SEGMENTATION)).is_dir()]
    return ("imagenet-s", f"it has a {beside[0].name}") if beside else None
