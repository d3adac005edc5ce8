"""Images and maps for the viewer, made by hand; their names are what names can be at their worst."""

import json
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.machine.writing import File
from pipeline.store.packing import pack, unpack
from reports.pixels import Pixels
from reports.viewer.contents import Holdings, Prediction, Shown, ShownCondition, ShownImage, ShownMap, ShownMethod
from reports.viewer.sizes import Size, viewer_size

SCRIPT = "</script><script>window.wasRun = true</script>"
RIGHT_TO_LEFT = "\u05db\u05dc\u05d1 \u0639\u0631\u0628\u064a"
LONG = "a" * 200
NAMES = (SCRIPT, RIGHT_TO_LEFT, LONG, "$x_1$", "<img src=x onerror=alert(1)>", "line\u2028separator\u2029")
METHODS = (ShownMethod("srd", "SRD", "SRD", True), ShownMethod("cam", "Grad-CAM", "CAM", False, "a caveat"))
CONDITIONS = (
    ShownCondition("clean", "clean", "clean"),
    ShownCondition("noise@0.1", "Gaussian noise 0.1", "noise", draws=2),
    ShownCondition("move:srd@8/255", f"Move {SCRIPT} 8/255", "attack on the explanation", "srd", "attack unreliable"),
)
ABSENT = "the map is not finite"


def holdings(shape: tuple[int, int] = (12, 12)) -> Holdings:
    return Holdings(
        model=f"net:{SCRIPT}",
        data=RIGHT_TO_LEFT,
        fingerprint="0" * 64,
        n_images=9,
        selection=f"Some of {LONG} are here.",
        shape=shape,
        methods=METHODS,
        conditions=CONDITIONS,
        measures=("Pearson correlation", "SSIM"),
    )


def size(shape: tuple[int, int] = (12, 12), images: int = len(NAMES)) -> Size:
    return viewer_size(shape, images, len(CONDITIONS), len(METHODS))


def images(shape: tuple[int, int] = (12, 12), names: Sequence[str] = NAMES, seed: int = 0) -> list[ShownImage]:
    """Return an image for each name; the similarity to the clean map grows with the number of the image.

    The second image has no map of the second method under the last condition.
    """
    random = np.random.default_rng(seed)
    return [_image(number, name, shape, random) for number, name in enumerate(names)]


def _image(number: int, name: str, shape: tuple[int, int], random: np.random.Generator) -> ShownImage:
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : -2] = True
    photo = random.random((3, *shape), np.float32)
    under = [_shown(photo, number, name, random)]
    for _ in CONDITIONS[1:]:
        moved = (photo + random.normal(0, 0.02, photo.shape)).clip(0, 1).astype(np.float32)
        under.append(_shown(moved, number, NAMES[(number + 1) % len(NAMES)] if number % 2 else name, random))
    if number == 1:
        under[-1] = replace(under[-1], maps=(under[-1].maps[0], ShownMap(None, ABSENT)))
    return ShownImage(f"{name} {number}", name, name, mask, tuple(under))


def _shown(photo: Pixels, number: int, answer: str, random: np.random.Generator) -> Shown:
    maps = []
    for method in METHODS:
        values = unpack(*pack((random.normal(0, 0.02, photo.shape[1:]) ** 3 * 1e4).astype(np.float32)))
        maps.append(ShownMap(values if method.signed else np.abs(values), scores=(number / 10, 0.5)))
    return Shown(photo, Prediction(answer, 0.25), tuple(maps))


def arguments_of(script: bytes) -> tuple[str, list[Any]]:
    """Return the function that a script calls, and its arguments."""
    function, _, text = script.decode("ascii").partition("(")
    assert text.endswith(");\n")
    found: list[Any] = json.loads(f"[{text.removesuffix(');' + chr(10))}]")
    return function, found


def entries_of(files: Iterable[File], image: int) -> list[dict[str, Any]]:
    """Return all entries of an image, from its shards in their order."""
    start = f"data/{image:04}-"
    shards = {name: content for name, content in files if name.startswith(start)}
    order = sorted(shards, key=lambda name: int(name.removeprefix(start).removesuffix(".js")))
    return [entry for name in order for entry in arguments_of(shards[name])[1][1]]


def map_of(entry: dict[str, Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the map of an entry, read independently of the page."""
    values = np.frombuffer(b64decode(entry["map"]), "<f2").reshape(shape)
    return values.astype(np.float64) * float(entry["scale"])
