"""The table of stages: what a task of each stage reads and writes, and the function that computes it.

Everything that knows stages reads this table: plan, store, dependencies, commands, status, estimate, reports. A new
stage is a row here and a file in `pipeline.stages`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pipeline.plan.schema import MEASURES, PREPARED, Variable
from pipeline.plan.stage import ReadRule, Stage

_MAP = ("y", "x")
_REMOVAL = ("measure.categories", "measure.n_faithfulness", "measure.steps", "measure.fills")
_CURVE = ("order", "step", "answer")
_ANSWER = "answers: target logit, its softmax, and 1 if the target is the class predicted, else 0"

_ROWS: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="fit",
            axis="perturbation",
            group="universal",
            per_tile=False,
            images=32,
            entries=("perturbations", "attacked methods"),
            reads=(),
            writes=(
                Variable(
                    "displacement",
                    ("perturbation", "channel", *_MAP),
                    "float32",
                    "of a universal perturbation: what is added to every image",
                    whole=("channel", *_MAP),
                    group="universal",
                ),
            ),
            function="pipeline.stages.fit:fit",
        ),
        Stage(
            name="perturb",
            axis="perturbation",
            entries=("perturbations", "attacked methods"),
            reads=(ReadRule("fit", "same"),),
            writes=(
                Variable(
                    "input",
                    ("image", "perturbation", "channel", *_MAP),
                    "float32",
                    "what every method saw, in [0, 1]",
                    whole=("channel", *_MAP),
                    is_large=True,
                ),
                Variable("prediction", ("image", "perturbation", "class"), "float32", "logits", whole=("class",)),
                Variable(
                    "change",
                    ("image", "perturbation", "measure"),
                    "float32",
                    "how far the image is from the clean one: " + "; ".join(f"{k}: {v}" for k, v in MEASURES.items()),
                    whole=("measure",),
                ),
                Variable(
                    "attack_evidence",
                    ("image", "perturbation", "evidence"),
                    "float32",
                    "how an attack on an explanation searched, as the attribute evidence explains",
                    whole=("evidence",),
                    group="attack",
                ),
                Variable("mask", ("image", *_MAP), "bool", "where the object is", whole=_MAP, group="masked"),
                Variable(
                    "ignored",
                    ("image", *_MAP),
                    "bool",
                    "where nothing is known of the object, so that metrics of masks leave the pixel out",
                    whole=_MAP,
                    group="masked",
                ),
            ),
            function="pipeline.stages.perturb:perturb",
        ),
        Stage(
            name="attribute",
            axis="method",
            entries=("methods",),
            reads=(ReadRule("perturb", "all"),),
            writes=(
                Variable(
                    "attribution",
                    ("image", "perturbation", "method", *_MAP),
                    "float16",
                    "map of the target, divided by scale",
                    whole=("perturbation", *_MAP),
                    is_large=True,
                ),
                Variable(
                    "scale",
                    ("image", "perturbation", "method"),
                    "float32",
                    "power of two that attribution is to be multiplied by",
                    whole=("perturbation",),
                ),
                Variable(
                    "other_class_attribution",
                    ("image", "method", *_MAP),
                    "float16",
                    "map of other_class on the clean image, divided by other_class_scale",
                    whole=_MAP,
                    is_large=True,
                ),
                Variable(
                    "other_class_scale",
                    ("image", "method"),
                    "float32",
                    "power of two that other_class_attribution is to be multiplied by",
                ),
                Variable(
                    "repeat_attribution",
                    ("image", "method", *_MAP),
                    "float16",
                    "of methods that draw at random: map of the target on the clean image, drawn again, divided by "
                    "repeat_scale",
                    whole=_MAP,
                    is_large=True,
                    group="stochastic",
                ),
                Variable(
                    "repeat_scale",
                    ("image", "method"),
                    "float32",
                    "power of two that repeat_attribution is to be multiplied by",
                    group="stochastic",
                ),
            ),
            function="pipeline.stages.attribute:attribute",
        ),
        Stage(
            name="occlude",
            axis=None,
            asks="faithfulness",
            entries=(),
            controls=("random", "edges"),
            spec_keys=(*_REMOVAL, "measure.subsets"),
            reads=(ReadRule("perturb", "clean"),),
            writes=(
                Variable(
                    "occluded",
                    ("image", "subset", "answer"),
                    "float32",
                    f"of the clean image without a subset of its cells; {_ANSWER}",
                    whole=("subset", "answer"),
                ),
                Variable(
                    "control_curve",
                    ("image", "control", "fill", *_CURVE),
                    "float32",
                    f"as pixels of the clean image are removed in the order of a control's map; {_ANSWER}",
                    whole=("control", "fill", *_CURVE),
                ),
            ),
            function="pipeline.stages.occlude:occlude",
        ),
        Stage(
            name="remove",
            axis="method",
            asks="faithfulness",
            entries=(),
            controls=("random",),
            spec_keys=_REMOVAL,
            reads=(ReadRule("perturb", "all"), ReadRule("attribute", "same")),
            writes=(
                Variable(
                    "curve",
                    ("image", "method", "fill", *_CURVE),
                    "float32",
                    f"as pixels of the clean image are removed in the order of its map; {_ANSWER}",
                    whole=("fill", *_CURVE),
                ),
                Variable(
                    "attacked_curve",
                    ("image", "perturbation", "method", "ranking", *_CURVE),
                    "float32",
                    "as pixels of an image that was attacked against the method are removed, with fill blur, in the "
                    f"order of its map or of the random control's; {_ANSWER}",
                    whole=("perturbation", "ranking", *_CURVE),
                    group="attacked",
                ),
            ),
            function="pipeline.stages.remove:remove",
        ),
        Stage(
            name="randomise",
            axis="method",
            asks="randomisation",
            entries=("methods",),
            spec_keys=("measure.categories", "measure.n_randomise", "measure.redraws"),
            reads=(ReadRule("perturb", "clean"),),
            writes=(
                Variable(
                    "randomised_attribution",
                    ("image", "method", "depth", *_MAP),
                    "float16",
                    "map of the target on the clean image, by a network with a share of its weights drawn again, "
                    "divided by randomised_scale",
                    whole=("depth", *_MAP),
                    is_large=True,
                ),
                Variable(
                    "randomised_scale",
                    ("image", "method", "depth"),
                    "float32",
                    "power of two that randomised_attribution is to be multiplied by",
                    whole=("depth",),
                ),
            ),
            function="pipeline.stages.randomise:randomise",
        ),
        Stage(
            name="score",
            axis="method",
            entries=("metrics",),
            controls=("edges",),
            spec_keys=("measure.categories", "measure.fills", "measure.subsets"),
            reads=(
                ReadRule("perturb", "clean"),
                ReadRule("attribute", "same", tiles="target images"),
                ReadRule("occlude", "all"),
                ReadRule("remove", "same"),
                ReadRule("randomise", "same"),
            ),
            writes=(
                Variable(
                    "score",
                    ("image", "perturbation", "method", "metric"),
                    "float32",
                    "metric of the map; similarities are to the clean map of the same image and method",
                    whole=("perturbation", "metric"),
                ),
                Variable(
                    "reason",
                    ("image", "perturbation", "method", "metric"),
                    "uint8",
                    "why a score is NaN, as numbered by the attribute reasons",
                    whole=("perturbation", "metric"),
                ),
                Variable(
                    "quality_score",
                    ("image", "method", "quality"),
                    "float32",
                    "metric of the clean map and of what the network answers",
                    whole=("quality",),
                ),
                Variable(
                    "quality_reason",
                    ("image", "method", "quality"),
                    "uint8",
                    "why a quality is NaN, as numbered by the attribute reasons",
                    whole=("quality",),
                ),
                Variable(
                    "reference_similarity",
                    ("image", "method", "reference", "similarity"),
                    "float32",
                    "similarity of the clean map to another map, which gives similarities their scale",
                    whole=("reference", "similarity"),
                ),
                Variable(
                    "target_similarity",
                    ("image", "perturbation", "method", "similarity"),
                    "float32",
                    "similarity of the map to the same method's clean map of target_image",
                    whole=("perturbation", "similarity"),
                ),
                Variable(
                    "other_class_similarity",
                    ("image", "perturbation", "method", "similarity"),
                    "float32",
                    "similarity of the map to the same method's map of other_class on the clean image",
                    whole=("perturbation", "similarity"),
                ),
            ),
            function="pipeline.stages.score:score",
        ),
    )
}
STAGES: Mapping[str, Stage] = MappingProxyType(_ROWS)
"""The stages by name, in an order in which they can run."""


class _Variables(Mapping[str, Variable]):
    """The variables that are prepared and those that the stages write, by name."""

    def __getitem__(self, name: str) -> Variable:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @staticmethod
    def _all() -> dict[str, Variable]:
        return {**PREPARED, **{variable.name: variable for stage in STAGES.values() for variable in stage.writes}}


VARIABLES: Mapping[str, Variable] = _Variables()
"""Every array of the store, except its coordinates."""
