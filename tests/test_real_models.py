"""Networks that nobody here made, from specs without code of ours, classify as many images as their README says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_audits import job_of

from pipeline.execution.admission import admit
from pipeline.execution.subjects import load_subject
from srd.errors import ModelError

VARIABLE = "SRD_AUDIT_REAL"
HOME = Path(os.environ.get(VARIABLE, "")).resolve()
IMAGENET = "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\n"
CLASSES = 'classes = "{home}/imagenet/classes.json"\n'
CIFAR = "mean = [0.4914, 0.4822, 0.4465]\n"
MODELS = {
    "resnet20": (
        'spec = "{home}/cifar10/cifar_resnet.py:resnet20"\nweights = "{home}/cifar10/resnet20.pt"\n' + IMAGENET
    ),
    "resnet32": (
        'spec = "{home}/cifar10/cifar_nets.py:resnet32"\nweights = "{home}/cifar10/resnet32-d509ac18.th"\n' + IMAGENET
    ),
    "resnet2b": (
        'spec = "{home}/cifar10/cifar_nets.py:resnet2b"\nweights = "{home}/cifar10/resnet2b.pt"\n'
        f"{CIFAR}std = [0.2471, 0.2435, 0.2616]\n"
    ),
    "resnet4b": (
        'spec = "{home}/cifar10/cifar_nets.py:resnet4b"\nweights = "{home}/cifar10/resnet4b.pt"\n'
        f"{CIFAR}std = [0.2471, 0.2435, 0.2616]\n"
    ),
    "vit": (
        'spec = "{home}/cifar10/cifar_nets.py:vit_pgd"\nweights = "{home}/cifar10/vit_pgd_2_3_16.pt"\n'
        f"{CIFAR}std = [0.2023, 0.1994, 0.2010]\n"
    ),
    "mobilenet_v2": (
        'spec = "{home}/imagenet/mobilenet_v2.py:mobilenet_v2"\nweights = "{home}/imagenet/mobilenet_v2_fp16.pt"\n'
        "mean = [0.5]\nstd = [0.5]\n" + CLASSES
    ),
    "resnet18": 'spec = "{home}/imagenet/resnet_pq.py:resnet18"\nresize = [256, 224]\n' + IMAGENET + CLASSES,
    "resnet50": 'spec = "torchvision:resnet50"\nweights = "resnet50.pt"\n' + CLASSES,
    "squeezenet": ('spec = "torchvision:squeezenet1_0"\nweights = "{home}/imagenet/squeezenet1_0_fp16.pt"\n' + CLASSES),
    "lite0": (
        'spec = "timm:tf_efficientnet_lite0"\n'
        'weights = "{home}/imagenet/efficientnet_lite0/model.safetensors.index.json"\n' + CLASSES
    ),
    "gtsrb": (
        'spec = "{home}/gtsrb/gtsrb_stn.py:build"\nweights = "{home}/gtsrb/gtsrb_stn.pt"\noutput = "output of fc2"\n'
        "resize = {{ height = 32, width = 32 }}\nmean = [0.3337, 0.3064, 0.3171]\nstd = [0.2672, 0.2564, 0.2629]\n"
    ),
}
EXPECTED = {
    ("resnet20", "cifar10/images"): (160, 200),
    ("resnet32", "cifar10/png"): (233, 242),
    ("resnet2b", "cifar10/png"): (190, 242),
    ("resnet4b", "cifar10/png"): (212, 242),
    ("vit", "cifar10/png"): (144, 242),
    ("mobilenet_v2", "imagenet/images"): (57, 63),
    ("resnet18", "imagenet/images"): (43, 63),
    ("resnet50", "imagenet/images"): (47, 63),
    ("squeezenet", "imagenet/images"): (36, 63),
    ("lite0", "imagenet/images"): (54, 63),
    ("gtsrb", "gtsrb/images"): (256, 258),
}

pytestmark = pytest.mark.skipif(
    not (VARIABLE in os.environ and (HOME / "gtsrb").is_dir()), reason=f"set {VARIABLE} to the folder of real networks"
)


def write_spec(folder: Path, name: str, data: str) -> Path:
    spec = folder / f"{name}.toml"
    text = f'[model]\n{MODELS[name]}\n[data]\npath = "{{home}}/{data}"\n\n[explain]\nmethods = ["saliency"]\n'
    spec.write_text(f"{text}\n[run]\ntile = 16\n".format(home=HOME), encoding="utf-8")
    return spec


def decode_resnet50(folder: Path) -> None:
    """Write the state dict that the network's own script makes."""
    files = HOME / "imagenet/resnet_pq.py", HOME / "imagenet/resnet50_large_blocks.pth"
    subprocess.run([sys.executable, *map(str, files), "resnet50", str(folder / "resnet50.pt")], check=True)


@pytest.mark.parametrize(("name", "data"), EXPECTED, ids=str)
def test_as_many_images_are_classified_as_expected(name: str, data: str, tmp_path: Path) -> None:
    if "timm:" in MODELS[name]:
        pytest.importorskip("timm", reason="the extra timm is not installed")
    if name == "resnet50":
        decode_resnet50(tmp_path)
    job = job_of(write_spec(tmp_path, name, data), tmp_path / "run")
    subject = load_subject(job)
    assert (admit(job.spec, subject).correct, len(subject.data.ids)) == EXPECTED[name, data]


def test_a_network_of_log_probabilities_is_refused_with_its_way_out(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "gtsrb", "gtsrb/images")
    spec.write_text(spec.read_text(encoding="utf-8").replace('output = "output of fc2"\n', ""), encoding="utf-8")
    job = job_of(spec, tmp_path / "run")
    with pytest.raises(ModelError, match=r"logarithms of probabilities .* set model\.output = 'output of fc2'"):
        admit(job.spec, load_subject(job))
