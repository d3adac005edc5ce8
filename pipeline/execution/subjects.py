"""The subject of a job, which is its network and images as each process loads them, and the context of its tasks."""

import platform
from dataclasses import dataclass
from functools import lru_cache

from pipeline.execution.fingerprints import differences, fingerprinted_facts
from pipeline.execution.job import Job
from pipeline.inputs.data import Data
from pipeline.inputs.model_and_data import load_model_and_data, open_model_and_data
from pipeline.inputs.models import LoadedModel
from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.plan.conditions import conditions
from pipeline.stages.context import Context
from pipeline.store.store import Store, attributes
from srd.errors import ForeignWorker


@dataclass(frozen=True)
class Subject:
    """The loaded model and data of a job."""

    model: LoadedModel
    data: Data


@lru_cache(maxsize=2)
def context_of(job: Job) -> Context:
    """Return the context of a job, which each process makes once.

    Raises
    ------
    ForeignWorker
        If this process would not make the store's bytes.
    """
    made = attributes(job.store)
    ids = Store(job.store, read_only=True).read("image").tolist() if job.spec.data.only_correct else None
    subject = Subject(*open_model_and_data(job.spec, job.base, ids, job.trusted))
    ours = fingerprinted_facts(job.spec, subject.model, subject.data, made.plan)
    unlike = differences(made.fingerprinted, ours)
    if unlike:
        raise ForeignWorker(
            f"the process on {platform.node()} would not make the same bytes (it differs in: {', '.join(unlike)}); "
            "run all workers on one class of machine, with the same code, weights and images"
        )
    return make_context(job, subject)


def make_context(job: Job, subject: Subject) -> Context:
    """Return the context of a job, for a subject and a store that are there.

    Raises
    ------
    DamagedStore
        If anything is damaged that was written before the tasks.
    """
    store = Store(job.store)
    plan = store.attributes.plan
    return Context(job.spec, conditions(job.spec), plan, store, subject.data, subject.model.model)


def load_subject(job: Job, tell: Tell = tell_nobody) -> Subject:
    """Load model and data of the spec.

    Raises
    ------
    ModelError, DataError
        If they cannot be loaded.
    """
    tell(Phase("loading the network"))
    return Subject(*load_model_and_data(job.spec, job.base, job.trusted, tell))
