"""Clusters with one pod for each worker, made by the Dask operator of a Kubernetes cluster."""

from typing import Any

from pipeline.execution.on_dask.settings import environment
from pipeline.spec.deployment import KubernetesSpec
from srd.errors import ClusterError

WORKER = "dask worker --nthreads 1"
SCHEDULER = ["dask", "scheduler", "--host", "0.0.0.0"]  # dask-kubernetes names a script that Dask no longer installs


def kubernetes_cluster(spec: KubernetesSpec) -> Any:
    """Create the cluster's resource, with its scheduler running; closing it removes the resource.

    Raises
    ------
    ClusterError
        If dask-kubernetes is not installed, or if no Kubernetes answers.
    """
    made = manifest(spec)
    _refuse_unreachable()
    from dask_kubernetes.operator import KubeCluster

    return KubeCluster(
        namespace=spec.namespace, custom_cluster_spec=made, resource_timeout=int(spec.worker_timeout), quiet=True
    )


def manifest(spec: KubernetesSpec) -> dict[str, Any]:
    """Return the `DaskCluster` resource.

    Raises
    ------
    ClusterError
        If dask-kubernetes is not installed.
    """
    try:
        from dask_kubernetes.operator import make_cluster_spec, make_worker_spec
    except ImportError as error:
        raise ClusterError("kind = 'kubernetes' needs dask-kubernetes; install the extra 'kubernetes'") from error
    size = {"memory": spec.memory, "cpu": "1"}
    gpu = {"nvidia.com/gpu": "1"} if spec.gpu else {}
    common = {"image": spec.image, "env": environment() | spec.env}
    made: dict[str, Any] = make_cluster_spec(spec.name, resources={"requests": size, "limits": size}, **common)
    made["spec"]["worker"] = make_worker_spec(
        n_workers=spec.workers,
        resources={"requests": size | gpu, "limits": size | gpu},
        worker_command=f"{WORKER} --memory-limit {spec.memory}",
        **common,
    )
    scheduler, worker = (made["spec"][part]["spec"]["containers"][0] for part in ("scheduler", "worker"))
    scheduler["args"] = SCHEDULER
    scheduler["envFrom"] = worker["envFrom"] = [{"secretRef": {"name": name}} for name in spec.env_from]
    worker["volumeMounts"] = _mounts(spec)
    made["spec"]["worker"]["spec"]["volumes"] = _volumes(spec)
    for part in ("scheduler", "worker"):
        made["spec"][part]["spec"] |= _identity(spec)
    return made


def _volumes(spec: KubernetesSpec) -> list[dict[str, Any]]:
    claims = [{"name": f"claim-{name}", "persistentVolumeClaim": {"claimName": name}} for name in spec.volumes]
    return [*claims, *({"name": f"secret-{name}", "secret": {"secretName": name}} for name in spec.secrets)]


def _mounts(spec: KubernetesSpec) -> list[dict[str, Any]]:
    claims = [{"name": f"claim-{name}", "mountPath": path} for name, path in spec.volumes.items()]
    secrets = spec.secrets.items()
    return [*claims, *({"name": f"secret-{name}", "mountPath": path, "readOnly": True} for name, path in secrets)]


def _identity(spec: KubernetesSpec) -> dict[str, Any]:
    """Return who the pods are, and as whom they fetch the image."""
    account = {"serviceAccountName": spec.service_account} if spec.service_account else {}
    return account | {"imagePullSecrets": [{"name": name} for name in spec.pull_secrets]}


def _refuse_unreachable() -> None:
    import kr8s
    from httpx import HTTPError

    try:
        kr8s.api().version()
    except (ValueError, OSError, HTTPError, kr8s.APITimeoutError, kr8s.ServerError) as error:
        raise ClusterError(f"no Kubernetes answers ({error}); check it with `kubectl version`") from error
