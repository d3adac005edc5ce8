"""A run as each process has it: plain data that is sent, and what is made of it there, once."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import store
from pipeline.conditions import conditions
from pipeline.context import Context
from pipeline.data import Data, load_data, open_data
from pipeline.fingerprints import differences, made_by
from pipeline.location import Location
from pipeline.models import LoadedModel, load_model
from pipeline.spec import AuditSpec
from pipeline.store import Store
from srd.errors import ForeignWorker


@dataclass(frozen=True)
class Job:
    """A run as it is sent to workers: plain data, from which each process makes its own context once."""

    spec: AuditSpec
    base: Path
    """Where relative paths of the spec start."""
    store: Location
    fingerprint: str = ""
    """Of the store, once it is prepared: a worker may outlive the store and network that once were there."""

    def __hash__(self) -> int:
        return hash(self.spec.model_dump_json()) ^ hash((self.base, self.store, self.fingerprint))


@dataclass(frozen=True)
class Subject:
    """The loaded model and data of a job."""

    model: LoadedModel
    data: Data


@lru_cache(maxsize=2)
def context_of(job: Job) -> Context:
    """The context of a job, made once per process. Raises ForeignWorker where it would not make the store's bytes."""
    data = open_data(job.spec.data, job.spec.model, job.base)
    subject, attributes = Subject(load_model(job.spec.model, job.base), data), store.attributes(job.store)
    ours = made_by(subject.model)
    unlike = differences({name: attributes["fingerprinted"][name] for name in ours}, ours)
    if unlike:
        raise ForeignWorker(
            f"the process on {platform.node()} would not make the same bytes (it differs in: {', '.join(unlike)}); "
            "run all workers on one class of machine, with one version of the code"
        )
    return made_context(job, subject, attributes)


def made_context(job: Job, subject: Subject, attributes: Mapping[str, Any]) -> Context:
    """What tasks need, of a subject and a store that are there."""
    plan = store.plan_of(attributes)
    return Context(job.spec, conditions(job.spec), plan, Store(job.store, plan), subject.data, subject.model.model)


def load(job: Job) -> Subject:
    """Model and data of the spec. Raises ModelError, DataError."""
    return Subject(load_model(job.spec.model, job.base), load_data(job.spec.data, job.spec.model, job.base))
