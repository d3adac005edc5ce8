"""The preparation of a run: model and data must fit, and the explained classes and the fingerprint are found."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.entries import EVIDENCE
from pipeline.demo import certificates, shapes
from pipeline.execution.admission import admit, clean_logits
from pipeline.execution.fingerprints import differences, fingerprinted_facts, lasting_differences, refuse_other
from pipeline.execution.image_checks import refuse_unfit_images
from pipeline.execution.job import Job
from pipeline.execution.law_checks import check_laws
from pipeline.execution.planning import coordinates, plan_audit
from pipeline.execution.prepared_arrays import prepared_arrays
from pipeline.execution.stage_sources import sources_of
from pipeline.execution.subjects import Subject, load_subject
from pipeline.inputs.user_code import refusal
from pipeline.machine import environment, seeds
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.phases import Notice, Phase, Tell, name_aloud, tell_nobody
from pipeline.plan.axes import references
from pipeline.plan.conditions import conditions, threat
from pipeline.plan.schema import REASONS
from pipeline.plan.tasks import Plan
from pipeline.spec.audit import AuditSpec
from pipeline.spec.data import SHAPES
from pipeline.stages.context import own_attributor
from pipeline.store import store
from pipeline.store.attributes import DemoCertificates, FingerprintedFacts, RunAttributes
from pipeline.store.creation import NewStore, create, find_damaged_objects, mend
from pipeline.store.renewal import is_half_renewed, plan_renewal, renew
from pipeline.store.store import Arrays
from srd.encoder_module import encoder_module
from srd.errors import AuditError, ModelError, SpecError, UnsupportedOperation

CERTIFIED_SCENES = 300
WATCHED_CODE_RAISES = (AuditError, RuntimeError, TypeError, ValueError, LookupError, AttributeError)
"""The errors of a network, of any making, that has no encoder which can be watched."""


def prepare(job: Job, tell: Tell = tell_nobody) -> RunAttributes:
    """Load model and data and create the store, or open it; return its attributes.

    Errors are those of `load_subject` and `prepare_store`.
    """
    with divert_stdout():
        return prepare_store(job, load_subject(job, tell), tell)


def prepare_store(job: Job, subject: Subject, tell: Tell = tell_nobody) -> RunAttributes:
    """Create the store of a job, or open the existing one and mend what was written before the tasks.

    If sources have changed since, the tasks that they may change are made missing.

    Raises
    ------
    StoreError
        If the existing store is that of another audit, or its root is damaged.
    ModelError, DataError
        If model and data do not fit.
    """
    tell(Phase("reading digests of sources, weights and images"))
    plan = plan_audit(job.spec, subject.data, conditions(job.spec))
    ours = fingerprinted_facts(job.spec, subject.model, subject.data, plan)
    if not store.exists(job.store):
        create(job.store, _prepare_anew(job, subject, plan, ours, tell))
    made = store.attributes(job.store)
    refuse_other(job.store, lasting_differences(made.fingerprinted, ours))
    if differences(made.fingerprinted, ours) or is_half_renewed(job.store):
        _renew(job, made, _prepare_anew(job, subject, plan, ours, tell), tell)
    attributes = store.attributes(job.store)
    _mend(job, subject, attributes, tell)
    return attributes


def _renew(job: Job, made: RunAttributes, new: NewStore, tell: Tell) -> None:
    """Make the store anew for other sources, and tell what is done again."""
    renewal = plan_renewal(job.store, made, new)
    for stage, reason in renewal.redone.items():
        tell(Notice(f"{stage} is done again: {reason}"))
    if not renewal.redone:
        tell(Notice("sources changed; no task is done again"))
    renew(job.store, renewal)


def _mend(job: Job, subject: Subject, attributes: RunAttributes, tell: Tell) -> None:
    """Write damaged objects again that no task has written, so that none could be done again."""
    tell(Phase("checking the store"))
    damaged = find_damaged_objects(job.store)
    if damaged:
        with environment.reproducible():
            prepared = prepared_arrays(job.spec, subject.data, clean_logits(job.spec, subject, tell))
        mend(job.store, _new_store(job, subject, prepared, attributes), damaged)


def _prepare_anew(job: Job, subject: Subject, plan: Plan, ours: FingerprintedFacts, tell: Tell) -> NewStore:
    """Return the store that a run starts with; what cannot be audited is refused."""
    refuse_unfit_images(job.spec, subject.data)
    with environment.reproducible():
        admitted = admit(job.spec, subject, tell)
        prepared = prepared_arrays(job.spec, subject.data, admitted.logits)
        resolutions = try_methods(job.spec, subject, prepared["target"], tell)
        laws = check_laws(job.spec, subject, prepared["target"], tell)
        tell(Phase("preparing the store"))
        certified = _certificates(job.spec, subject)
        encoder = _encoder(job.spec, subject, prepared["target"])
    columns = conditions(job.spec)
    attributes = RunAttributes(
        fingerprint=ours.fingerprint,
        fingerprinted=ours,
        plan=plan,
        correct=admitted.correct,
        data=subject.data.description,
        notes=admitted.notes,
        parameters=subject.model.n_parameters,
        certificates=certified,
        self_checks=(*admitted.checks, *laws),
        resolutions=resolutions,
        encoder=encoder,
        reasons=REASONS,
        references={name: reference.meaning for name, reference in references(job.spec.measure).items()},
        evidence=dict(EVIDENCE),
        threats={condition.id: threat(condition) for condition in columns[1:]},
    )
    return _new_store(job, subject, prepared, attributes)


def _new_store(job: Job, subject: Subject, prepared: Arrays, attributes: RunAttributes) -> NewStore:
    sources = sources_of(job.spec, attributes.plan)
    return NewStore(coordinates(job.spec, subject.data), prepared, attributes, sources)


def try_methods(
    spec: AuditSpec, subject: Subject, target: NDArray[np.int64], tell: Tell = tell_nobody
) -> dict[str, tuple[int, int]]:
    """Return rows and columns of every method's own map of the first image.

    What cannot work is refused here, before any task.

    Raises
    ------
    UnsupportedOperation, ModelError, SpecError
        If a method cannot explain the network.
    """
    model = subject.model.model
    inputs = model.normalise(subject.data.images(range(1)).to(model.device))
    of_first = torch.from_numpy(target[:1]).to(model.device)
    streams = [seeds.generator(spec.run.seed, "trial")]
    resolutions: dict[str, tuple[int, int]] = {}
    for name in name_aloud(spec.explain.methods, "trying method", tell):
        try:
            explain = own_attributor(spec, model, subject.data, name)
            _, rows, columns = explain(model.network, inputs, of_first, streams).shape
        except UnsupportedOperation as error:
            way_out = "or leave the method out of explain.methods"
            raise UnsupportedOperation(f"method {name!r} cannot explain this network: {error}, {way_out}") from error
        except ModelError as error:
            raise ModelError(f"model.encoder: {error}") from error
        except ValueError as error:
            raise SpecError(f"explain.options.{name}: {error}") from error
        except (RuntimeError, SystemExit) as error:
            way_out = "mend the network, or leave the method out of explain.methods"
            raise refusal(f"method {name!r} fails on the first image", error, Path(), way_out) from error
        resolutions[name] = rows, columns
    return resolutions


def _encoder(spec: AuditSpec, subject: Subject, target: NDArray[np.int64]) -> str:
    """Return the module whose output is that of the encoder, found on the first image; "" if no module's is."""
    model = subject.model.model
    inputs = model.normalise(subject.data.images(range(1)).to(model.device))
    of_first = torch.from_numpy(target[:1]).to(model.device)
    try:
        return encoder_module(
            model.network, inputs, of_first, encoder=spec.model.encoder, operations=spec.model.operations
        )
    except WATCHED_CODE_RAISES:
        return ""


def _certificates(spec: AuditSpec, subject: Subject) -> DemoCertificates | None:
    """Return the proof that a demo network looks at the object; None for other data, grids among them."""
    if spec.data.path != SHAPES:
        return None
    model = subject.model.model
    mean, std = model.mean.flatten().tolist(), model.std.flatten().tolist()
    certified = certificates.certify(model.network, mean, std, shapes.TEST_SEED, CERTIFIED_SCENES)
    return DemoCertificates(
        **asdict(certified),
        least_accuracy=certificates.LEAST_ACCURACY,
        largest_drop=certificates.LARGEST_DROP,
        holds=certified.checks(),
    )
