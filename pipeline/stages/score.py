"""The stage that computes every metric of what is stored, on the CPU."""

from pipeline.plan.tasks import Task
from pipeline.stages.comparisons import reference_similarities, similarities
from pipeline.stages.context import Context
from pipeline.stages.map_scores import map_scores
from pipeline.stages.qualities import qualities
from pipeline.stages.stored_maps import read_maps
from pipeline.stages.views import InView, in_clean_frame, level
from pipeline.store.store import Arrays


def score(context: Context, task: Task) -> Arrays:
    """Measure one method's stored maps of the tile by every metric."""
    maps = read_maps(context, task)
    flat, seen = (some.flatten(0, 1) for some in in_clean_frame(context, task, maps))
    in_view = InView(level(flat, seen), seen, maps.shape[1])
    return {
        **map_scores(context, task, maps, flat, in_view),
        **similarities(context, task, in_view),
        **qualities(context, task, maps[:, 0]),
        "reference_similarity": reference_similarities(context, task, maps[:, 0]).numpy()[:, None],
    }
