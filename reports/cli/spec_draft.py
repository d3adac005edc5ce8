"""The text of a spec that runs, written from what a network and its data were found to be."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any

from pipeline.estimate.inspected import Inspection, Method
from pipeline.inputs.formats import find_format
from pipeline.spec.audit import parse_spec
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from reports.cli.durations import time_in_words
from reports.cli.first_audit import FirstAudit, size_first_audit

IMAGES, FEWER_IMAGES = 16, 8
"""The numbers of images that a first audit takes, if the data hold more: where that is afforded, and else."""
LONGEST = 300
"""Characters of a comment."""
BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key of TOML that needs no quotes."""
PERTURBATIONS = """\
[[perturbation]]
name = "gaussian_noise"
strengths = [0.05, 0.1]

[[perturbation]]
name = "random_sign"        # the control of equal size for every attack
strengths = ["4/255", "8/255"]

[[perturbation]]
name = "pgd"                # attack on the prediction
strengths = ["4/255", "8/255"]
"""
MANIPULATION = """
[[perturbation]]
name = "manipulate"         # attack on the explanation, through methods that have a gradient
strengths = ["8/255"]
"""
FEWER_QUESTIONS = (
    "[measure]",
    "subsets = 50                # fewer questions than by default, as a pass of this network is slow here",
    'fills = ["black", "blur"]',
    "n_randomise = 4",
)


@dataclass(frozen=True)
class Draft:
    """The facts from which a spec is written."""

    model: ModelSpec
    """What the user asked for."""
    data: DataSpec
    home: Path
    """The folder of the spec."""
    found: Inspection
    remedies: Mapping[str, bool | str]
    """Keys of [model] without which the output is not logits."""
    output: str
    """What the output is without them."""
    whole: int
    """The number of images that the data hold."""

    def text(self, title: str) -> str:
        """Return the text, which is a spec.

        Raises
        ------
        SpecError
            If it is none, which would be a fault of this program.
        """
        head = (_heading(title), self._model(), self._data(), self._explain(), self._perturbations())
        measured = (FEWER_QUESTIONS,) if self.size.asks_less else ()
        text = "\n".join("\n".join(part) + "\n" for part in map(list, (*head, *measured, RUN)))
        parse_spec(tomllib.loads(text), title)
        return text

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Return the methods that explain the network."""
        return tuple(method for method in self.found.methods if not method.refusal)

    @cached_property
    def sizes(self) -> tuple[FirstAudit, FirstAudit]:
        """Return the size of the audit, and that of the one which more time would allow."""
        most, least = (self.data.n or min(self.whole, images) for images in (IMAGES, FEWER_IMAGES))
        return size_first_audit(self.methods, most, least)

    @property
    def size(self) -> FirstAudit:
        """Return the size of the audit."""
        return self.sizes[0]

    def _model(self) -> Iterator[str]:
        yield "[model]"
        for key, value in self.model.model_dump(exclude_unset=True, exclude_none=True).items():
            if key not in self.remedies:
                yield _line(key, value)
        for key, remedy in self.remedies.items():
            yield _line(key, remedy, f"as it is, the network answers with {self.output}")
        yield from self._preprocessing()
        for note in self.found.notes:
            if not note.startswith("preprocessing of"):
                yield _comment(note)

    def _preprocessing(self) -> Iterator[str]:
        given = self.model.model_fields_set
        for each in self.found.reading:
            value = getattr(self.found.model, each.key)
            if value is not None and each.key not in given:
                yield _line(each.key, value, f"from {each.origin}")
        if self.found.model.mean is None and not self.model.spec.startswith("demo:"):
            yield _comment("mean and std: nobody says them, so images in [0, 1] are read as they are; set both if not")
        if self.found.model.resize is None:
            height, width = self.found.input_shape[1:]
            yield _comment(f"resize: nobody says it, and all images that were looked at have {width}x{height} pixels")

    def _data(self) -> Iterator[str]:
        yield "[data]"
        known = find_format(self.home / self.data.path)
        for key, value in self.data.model_dump(exclude_unset=True, exclude_none=True).items():
            why = known[1] if known and key == "format" else ""
            if key != "n":
                yield _line(key, value, why)
        if self.data.n is not None or self.whole > self.size.images:
            of_all = f"of {self.whole:,}; more images make intervals narrower, without this line all are audited"
            yield _line("n", self.size.images, of_all)
        yield _comment(f"looked at: {self.found.data}")
        if self.found.correct is not None:
            yield _comment(f"{self.found.correct} of these {self.found.n_images} are classified as labelled")

    def _explain(self) -> Iterator[str]:
        yield "[explain]"
        yield _line("methods", [method.name for method in self.methods])
        for method in self.found.methods:
            if method.refusal:
                yield _comment(f"left out, {method.name}: {method.refusal}")

    def _perturbations(self) -> Iterator[str]:
        yield PERTURBATIONS.rstrip("\n")
        if self.size.against:
            yield MANIPULATION.rstrip("\n")
            yield from self._attack()

    def _attack(self) -> Iterator[str]:
        size, larger = self.sizes
        if size.against != larger.against:
            yield _line("against", size.against, "the quick ones; without this line all")
        yield _line("options.steps", size.steps)
        seconds, more = (each.seconds(self.methods) for each in (size, larger))
        yield _comment(f"all of this takes about {time_in_words(seconds)} on one worker here, by the time of a map")
        if size != larger:
            yield _comment(
                f"{larger.steps} steps through {len(larger.against)} methods on {larger.images} images find more and "
                f"decide more, and take about {time_in_words(more)}"
            )


RUN = (
    "[run]",
    "tile = 8                    # images per task; attacks see a tile at once, so it is part of the result",
    "seed = 0                    # of every random draw",
)


def _heading(title: str) -> Iterator[str]:
    yield _comment(title)
    yield "# Relative paths start at this file's folder. `srd-audit plan` tells what the audit takes, `srd-audit run`"
    yield "# runs it; `srd-audit init` without options writes a spec with all keys."


def _line(key: str, value: Any, why: str = "") -> str:
    line = f"{key} = {_toml(value)}"
    return f"{line:<27} {_comment(why)}" if why else line


def _comment(text: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in text)
    return f"# {shorten(shown, LONGEST, placeholder=' ...')}"


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _toml(value: Any) -> str:
    """Return a value of a spec as TOML writes it."""
    if hasattr(value, "model_dump"):
        return _toml(value.model_dump(exclude_none=True))
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else repr(value)
