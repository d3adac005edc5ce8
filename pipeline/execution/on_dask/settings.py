"""The settings of Dask and its workers, as configuration here and as environment variables elsewhere."""

import os

from pipeline.machine.files import MIB

LOOPBACK = "127.0.0.1"  # whoever reaches the port of a scheduler or worker can run code there
ANY_PORT = f"{LOOPBACK}:0"  # of the dashboard; None would take 8787, and warn where another audit has it
CLUSTER = {
    "distributed.deploy.lost-worker-timeout": "60s",  # a loaded machine may need more than Dask's 15 to start one
}
SCHEDULER = {
    "distributed.scheduler.allowed-failures": 3,
    "distributed.scheduler.worker-ttl": "30 minutes",  # an attack may hold the interpreter for minutes
}
WORKER = {
    "distributed.worker.memory.target": False,  # tasks return nothing: there is nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,  # a task needs its memory until it ends: the pause would not end either
}
# Dask trims freed memory at once; giving each tensor back to the kernel cost more than a third of the time
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(512 * MIB), "MALLOC_MMAP_THRESHOLD_": str(1024 * MIB)}
LINK = "distributed.dashboard.link"
PLAIN_LINK = "{scheme}://{host}:{port}/status"
UTF8 = {"PYTHONUTF8": "1"}  # names of files are UTF-8 whatever a node's locale says
QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}  # on the run's own terminal, which reports what fails


FORKED = ALLOCATOR | UTF8 | QUIET
"""The environment variables of processes that are forked on this machine."""


def configuration() -> dict[str, object]:
    """Return the configuration for clusters that this process starts."""
    spawned = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in FORKED.items()}
    return CLUSTER | SCHEDULER | WORKER | spawned | {LINK: _dashboard_link()}


def environment() -> dict[str, str]:
    """Return the same settings for schedulers and workers that start elsewhere; they keep their logs."""
    return ALLOCATOR | UTF8 | {_variable(key): str(value) for key, value in (SCHEDULER | WORKER).items()}


def _dashboard_link() -> str:
    """Return the template of links to dashboards: the user's, or Dask's own where that one cannot be filled in."""
    import dask  # its import costs a second that other commands need not pay

    template = str(dask.config.get(LINK, ""))
    try:
        template.format(**{**os.environ, "scheme": "http", "host": LOOPBACK, "port": 8787})
    except (LookupError, ValueError, AttributeError):
        return PLAIN_LINK
    return template or PLAIN_LINK


def _variable(key: str) -> str:
    return "DASK_" + key.upper().replace(".", "__").replace("-", "_")
