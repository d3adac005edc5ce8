"""The work of `init` on a network and its data: both are looked at until a spec can be written."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pipeline.estimate.calls import count_images
from pipeline.estimate.inspected import Inspection, Question
from pipeline.execution.new_process import call_in_new_process
from pipeline.spec.audit import ExplainSpec, RunSpec
from pipeline.spec.settings import apply_settings
from reports.cli.inspecting import ask, parse_subject, settings_of
from reports.cli.spec_draft import Draft
from reports.cli.subject_options import Named
from srd.errors import ModelError

METHODS = (
    "srd",
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "grad_cam",
    "generic_attention",
    "random",
    "edges",
)
"""The methods that a first audit compares, as far as the network allows them."""
LOOKED_AT = 32
"""The number of images that are looked at, if the command line says no other."""


def draft_spec(
    named: Named, home: Path, settings: Sequence[str] | None, trusted: tuple[Path, ...], console: Console
) -> str:
    """Return the text of a spec in the folder `home` that audits a network on its data.

    Raises
    ------
    ModelError, DataError
        If no audit can be made of them.
    """
    asked = parse_subject(apply_settings(named.tables(home), settings_of(settings)), home)
    whole: int = call_in_new_process({}, count_images, asked, home)
    looked = asked.data.model_copy(update={"n": asked.data.n or min(whole, LOOKED_AT)})
    question = Question(asked.model, looked, ExplainSpec(methods=METHODS), RunSpec(), home, trusted)
    first = ask(question, console)
    remedies = first.output.remedy
    found = first
    if first.refusal and remedies:
        found = ask(replace(question, model=question.model.model_copy(update=remedies)), console)
    _refuse_unfit(found)
    return Draft(asked.model, asked.data, home, found, remedies, first.output.kind, whole).text(_title(named))


def _refuse_unfit(found: Inspection) -> None:
    """Refuse a network that no audit can be made of."""
    if found.refusal:
        raise ModelError(found.refusal)
    if found.is_random:
        raise ModelError(
            f"model.spec = {found.model.spec!r}: no weights are named or at hand, and random ones are no audit's "
            "subject; name them by --weights (docs/models.md)"
        )


def _title(named: Named) -> str:
    return f"Written by `srd-audit init` for {named.model}: what it says of network and data was found there."
