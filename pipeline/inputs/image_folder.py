"""A folder of images, with one folder for each class."""

from pathlib import Path

from pipeline.inputs.class_order import ClassOrder
from pipeline.inputs.collection import Collection, Request, Sample
from pipeline.inputs.image_listing import list_images
from pipeline.inputs.masks import open_masks
from pipeline.inputs.stored_files import ImageFile, image_id


def collect_folder(request: Request) -> Collection:
    """Return the images of a folder; the class order is that of a file, or alphabetical.

    Raises
    ------
    DataError
        For a folder without images, a folder that is no class, and a missing mask.
    """
    listing = list_images(request.root)
    order = request.order or ClassOrder([(name, name) for name in listing.folders], str(request.root))
    labels = {name: order.of_folder(name, f"data.path = {request.root}") for name in listing.folders}
    samples, masks = [], open_masks(request, order)
    for file in listing.files:
        name = image_id(str(file.relative_to(request.root)), "data.path")
        label = labels[Path(name).parts[0]]
        samples.append(Sample(name, label, ImageFile(file, request.channels), masks.of(name, label)))
    left_out = f", {listing.n_left_out:,} files left out" * bool(listing.n_left_out)
    return Collection(
        samples,
        order.titles,
        masks.are_there,
        f"{len(listing.folders)} folders{left_out}",
        (*listing.notes, *masks.notes),
    )
