"""All errors that this program raises on purpose, as one tree. The command line ends with their `exit_code`.

AuditError                    1
├── InputError (ValueError)   2   the user's input cannot be audited; the message names place, value and remedy
│   ├── SpecError                 the TOML spec
│   ├── DataError                 images, masks, labels
│   ├── ModelError                network, weights, output
│   │   ├── EndlessThread         its code leaves a thread running, which would keep the process
│   │   └── MissingWeights        no weights are named, or none are at hand
│   └── StoreError                a store of another spec, without a run, or of no known kind
│       └── DamagedStore      3   a store is not what was written
├── UnsupportedOperation      2   (NotImplementedError) a method has no rule for an operation of the network
├── PerturbationError         1   (RuntimeError) an attack left its ball or [0, 1], or is not finite
├── StageError                1   (RuntimeError) a task failed; says where its cause was raised, and in whose code
├── DamagedTask               4   (RuntimeError) the output of a task differs from its receipt
├── WorkerLost                4   (RuntimeError) a task ended every process that ran it
├── IncompleteRun             4   (RuntimeError) tasks are missing
│   ├── FailedTasks               some failed twice in the user's code; the others were run
│   │   └── FailedByBug       1   some failed twice in code of this project
│   └── ForeignWorker             a worker would not make the same bytes
├── VerificationError         3   (RuntimeError) a store differs from its receipts, or cannot be made again
├── ClusterError              5   (RuntimeError) a cluster cannot be reached, or cannot run tasks
├── CapacityError             5   (RuntimeError) the machine has too little disk or memory
└── PrintError                5   (RuntimeError) this machine has nothing that prints a page
"""


class AuditError(Exception):
    """Root of all errors that are raised on purpose."""

    exit_code = 1


class InputError(AuditError, ValueError):
    """The user's input cannot be audited."""

    exit_code = 2


class SpecError(InputError):
    """A spec cannot be run."""


class DataError(InputError):
    """Images, masks or labels cannot be read or do not fit."""


class ModelError(InputError):
    """A network or weights file cannot be loaded or audited."""


class EndlessThread(ModelError):
    """The code of a network leaves a thread running, for which Python might wait for ever."""


class MissingWeights(ModelError):
    """A spec names no weights, and the network has none that are at hand."""


class StoreError(InputError):
    """A store belongs to another spec, holds no run, or lies where no store can be."""


class DamagedStore(StoreError):
    """A store differs from what was written into it."""

    exit_code = 3


class UnsupportedOperation(AuditError, NotImplementedError):
    """A method has no rule for an operation of the network."""

    exit_code = 2


class PerturbationError(AuditError, RuntimeError):
    """A perturbation returned images outside its strength or outside [0, 1]."""


class StageError(AuditError, RuntimeError):
    """A task of a stage failed.

    `cause` says in one line what was raised. `place` names the line of the user's code that raised it, or is empty.
    `is_own` says whether code of this project raised it.
    """

    def __init__(self, cause: str, place: str = "", traceback: str = "", is_own: bool = False) -> None:
        super().__init__(cause, place, traceback, is_own)
        self.cause, self.place, self.traceback, self.is_own = cause, place, traceback, is_own

    def __str__(self) -> str:
        return f"{self.cause}\n  {self.place}" if self.place else self.cause


class DamagedTask(AuditError, RuntimeError):
    """The output of the task `key` differs from its receipt. A repeat of the task repairs it."""

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
    """Tasks failed twice. All tasks that do not read their output were run."""


class FailedByBug(FailedTasks):
    """Tasks failed twice, at least one of them in code of this project."""

    exit_code = 1


class ForeignWorker(IncompleteRun):
    """A worker differs from the store in class of machine, versions or code."""


class WorkerLost(AuditError, RuntimeError):
    """A task ended every process that ran it: by its memory, the time limit or a crash."""

    exit_code = 4


class ClusterError(AuditError, RuntimeError):
    """A cluster cannot be reached, has no workers, or its workers cannot run tasks."""

    exit_code = 5


class PrintError(AuditError, RuntimeError):
    """A page could not be printed on this machine."""

    exit_code = 5


class CapacityError(AuditError, RuntimeError):
    """The disk or the memory cannot hold the requested amount."""

    exit_code = 5


class VerificationError(AuditError, RuntimeError):
    """A store differs from its receipts, or a repeat of its tasks makes other bytes."""

    exit_code = 3
