"""Everything that this program refuses, as one tree; `exit_code` is what the command line ends with.

AuditError                    1
├── InputError (ValueError)   2   what the user gave cannot be audited; the message names place, value and way out
│   ├── SpecError                 the TOML spec
│   ├── DataError                 images, masks, labels
│   ├── ModelError                network, weights, output
│   └── StoreError                a store of another spec, without a run, or of no known kind
├── UnsupportedOperation      2   (NotImplementedError) the network does something a method has no rule for
├── PerturbationError         1   (RuntimeError) an attack left its ball or [0, 1], or is not finite
├── StageError                1   (RuntimeError) a task failed; says where its cause was raised, and in whose code
├── DamagedTask               4   (RuntimeError) what a task wrote is not what its receipt says
├── WorkerLost                4   (RuntimeError) a task ended every process that ran it
├── IncompleteRun             4   (RuntimeError) tasks are missing
│   ├── FailedTasks               some failed, twice, in the user's code; the others were run
│   │   └── FailedByBug       1   ... in code of this project
│   └── ForeignWorker             a worker would not make the same bytes
├── VerificationError         3   (RuntimeError) a store does not hold what it says, or cannot be made again
├── ClusterError              5   (RuntimeError) a cluster cannot be reached, or cannot run tasks
└── CapacityError             5   (RuntimeError) the machine has too little disk or memory
"""


class AuditError(Exception):
    """Root of all errors raised on purpose."""

    exit_code = 1


class InputError(AuditError, ValueError):
    """What the user gave cannot be audited."""

    exit_code = 2


class SpecError(InputError):
    """A spec that cannot be run."""


class DataError(InputError):
    """Images, masks or labels that cannot be read or do not fit."""


class ModelError(InputError):
    """A network or weights file that cannot be loaded or audited."""


class StoreError(InputError):
    """A store that belongs to another spec, holds no run, or lies where none can."""


class UnsupportedOperation(AuditError, NotImplementedError):
    """The network does something that a method has no rule for."""

    exit_code = 2


class PerturbationError(AuditError, RuntimeError):
    """A perturbation returned images outside its strength or outside [0, 1]."""


class StageError(AuditError, RuntimeError):
    """A task of a stage failed.

    `cause` says in one line what was raised, `place` which line of the user's code raised it, or nothing; `is_own`
    whether code of this project did.
    """

    def __init__(self, cause: str, place: str = "", traceback: str = "", is_own: bool = False) -> None:
        super().__init__(cause, place, traceback, is_own)
        self.cause, self.place, self.traceback, self.is_own = cause, place, traceback, is_own

    def __str__(self) -> str:
        return f"{self.cause}\n  {self.place}" if self.place else self.cause


class DamagedTask(AuditError, RuntimeError):
    """What the task `key` wrote is not what its receipt says; done again, it is."""

    exit_code = 4

    def __init__(self, key: str, damage: str) -> None:
        super().__init__(key, damage)
        self.key = key

    def __str__(self) -> str:
        return ": ".join(self.args)


class IncompleteRun(AuditError, RuntimeError):
    """Tasks are missing; the same command continues the run."""

    exit_code = 4


class FailedTasks(IncompleteRun):
    """Tasks failed twice; all that do not read from them were run."""


class FailedByBug(FailedTasks):
    """Tasks failed twice, at least one of them in code of this project."""

    exit_code = 1


class ForeignWorker(IncompleteRun):
    """A worker's class of machine, versions or code are not those that the store was made with."""


class WorkerLost(AuditError, RuntimeError):
    """A task ended every process that ran it: by its memory, by the time limit, by a crash."""

    exit_code = 4


class ClusterError(AuditError, RuntimeError):
    """A cluster that cannot be reached, has no workers, or workers that cannot run tasks."""

    exit_code = 5


class CapacityError(AuditError, RuntimeError):
    """The disk or the memory cannot hold what is asked for."""

    exit_code = 5


class VerificationError(AuditError, RuntimeError):
    """A store that does not hold what its receipts say, or whose tasks make other bytes when done again."""

    exit_code = 3
