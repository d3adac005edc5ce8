"""The functions of estimates that a new process is asked for, which need no torch in the process that asks."""

from pathlib import Path

from pipeline.estimate.inspected import Inspection, Question
from pipeline.execution.calls import IMPORTING
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.spec.audit import SubjectSpec


def inspect_subject(question: Question, tell: Tell = tell_nobody) -> Inspection:
    """Return the facts about a network and its data.

    Errors are those of `inspection.inspect_subject`.
    """
    tell(IMPORTING)
    from pipeline.estimate import inspection

    return inspection.inspect_subject(question, tell)


def count_images(subject: SubjectSpec, base: Path) -> int:
    """Return how many images the data of a subject hold, without opening any.

    Raises
    ------
    DataError
        If anything is missing.
    """
    from pipeline.inputs.data import count_all

    return count_all(subject.data, subject.model, base)
