"""Laws of secrets: a spec holds none, whatever their name, case or form, and no refusal repeats them."""

from pathlib import Path

import pytest

from pipeline.spec.audit import parse_spec
from pipeline.spec.deployment import KubernetesSpec, SchedulerSpec, SlurmSpec, load_deployment, parse_cluster
from pipeline.spec.secrets import is_secret_name, is_secret_value
from srd.errors import SpecError

NAMES = (
    "AWS_SECRET_ACCESS_KEY aws_access_key_id AWS_SESSION_TOKEN SAS_KEY sasKey sas_token connection_string "
    "AzureConnectionString ConnectionString passwd PASSWORD db_pwd SSH_PASSPHRASE account_key master_key ACCOUNT-KEY "
    "google_service_account_key GOOGLE_APPLICATION_CREDENTIALS WANDB_API_KEY apiKey HF_TOKEN key secret SIGNING_KEY "
    "X-Amz-Signature sig Authorization aws_sse_customer_key_base64 private_key private_key_id"
).split()
HARMLESS_NAMES = (
    "region endpoint allow_http aws_skip_signature aws_sse_kms_key_id TOKENIZERS_PARALLELISM monkey nsig "
    "OMP_NUM_THREADS PYTHONPATH keyboard virtual_hosted_style_request azure_authority_id proxy_url max_retries PWD"
).split()
VALUES = (
    "s3://b/a?X-Amz-Signature=HIDDEN",
    "https://h/a?sv=2024&SIG=HIDDEN&se=2026",
    "https://h/a?%73ig=HIDDEN",
    "https://h/a?page=1&token=HIDDEN",
    "https://h/a#access_token=HIDDEN",
    "sftp://me:HIDDEN@host/a",
    "SFTP://:HIDDEN@host/a",
    "http://me:p%40HIDDEN@host:1",
    "http://me:p@HIDDEN@host",
    "me:HIDDEN@proxy:3128",
    "torchvision:HIDDEN@proxy:3128",
    "http://torchvision:HIDDEN@PROXY",
    "tcp://me:HIDDEN@10.0.0.1:8786",
    "AKIAHIDDENHIDDEN1234",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=HIDDEN;",
    "Endpoint=sb://a/;SharedAccessKey=HIDDEN",
    "-----BEGIN RSA PRIVATE KEY----- HIDDEN",
    "-----BEGIN PRIVATE KEY----- HIDDEN",
    '{"type": "service_account", "private_key": "HIDDEN"}',
    "export WANDB_API_KEY=HIDDEN",
    "--export=ALL,TOKEN=HIDDEN",
    'AWS_SECRET_ACCESS_KEY="HIDDEN" run',
    "curl -H 'Authorization: Bearer HIDDENHIDDEN'",
    "ghp_HIDDEN" + "a1" * 15,
    "eyJHIDDEN.eyJHIDDEN.x",
)
HARMLESS_VALUES = (
    "s3://bucket/a@v1/b",
    "http://minio:9000/bucket@v1",
    "sftp://me@host/a",
    "https://h/a?region=eu&page=2",
    "registry:5000/audit:1@sha256:" + "0a" * 32,
    "asiapacificnortheast",
    "audit:1@sha256:" + "0a" * 32,
    "path/to/file.py:callable",
    "torchvision:resnet50@IMAGENET1K_V2",
    "torchvision:vit_b_16@IMAGENET1K_SWAG_E2E_V1",
    "srd@layer2",
    "export TOKEN=$(cat ~/.token)",
    'export WANDB_API_KEY="$WANDB_API_KEY"',
    "export HF_TOKEN=`cat ~/.token`",
    "module load cuda",
    "--gres=gpu:1",
    "[::1]:80",
    "tcp://[fe80::1]:8786",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_secret_is_known_in_any_case(name: str) -> None:
    assert all(map(is_secret_name, (name, name.lower(), name.upper())))


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_other_names_are_none(name: str) -> None:
    assert not any(map(is_secret_name, (name, name.lower(), name.upper())))


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_is_known_by_its_form(value: str) -> None:
    assert is_secret_value(value)


@pytest.mark.parametrize("value", HARMLESS_VALUES)
def test_other_values_are_none(value: str) -> None:
    assert not is_secret_value(value)


def quoted(value: str) -> str:
    return f"'''{value}'''" if "'" in value else f"'{value}'"


PLACES = (
    "[store]\nurl = {value}",
    "[store]\nurl = 's3://b/a'\noptions.endpoint = {value}",
    "[store]\nurl = 's3://b/a'\noptions.proxy_url = {value}",
    "[cluster]\nkind = 'scheduler'\naddress = {value}",
    "[cluster]\nkind = 'slurm'\nworkers = 1\nmemory = '1GB'\nprologue = ['module load x', {value}]",
    "[cluster]\nkind = 'slurm'\nworkers = 1\nmemory = '1GB'\ndirectives = [{value}]",
    "[cluster]\nkind = 'kubernetes'\nworkers = 1\nimage = 'a'\nenv.LEVEL = {value}",
    "[cluster]\nkind = 'kubernetes'\nworkers = 1\nimage = 'a'\nnamepsace = {value}",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_a_secret_anywhere_is_refused_and_not_repeated(tmp_path: Path, place: str, value: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(place.format(value=quoted(value)), encoding="utf-8")
    with pytest.raises(SpecError, match=r"looks like a secret, .*; remove it and set it in the environment") as refused:
        load_deployment(path)
    assert "HIDDEN" not in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "table", ["[store]\nurl = 's3://b/a'\noptions", "[cluster]\nkind = 'kubernetes'\nworkers = 1\nimage = 'a'\nenv"]
)
@pytest.mark.parametrize("value", ["'HIDDEN'", "123456789", "1.5"])
def test_a_setting_that_is_called_a_secret_is_refused(tmp_path: Path, name: str, table: str, value: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(f"{table}.{name} = {value}", encoding="utf-8")
    with pytest.raises(SpecError, match=f"{name}: looks like a secret") as refused:
        load_deployment(path)
    assert value.strip("'") not in str(refused.value)


def test_a_key_that_is_no_setting_may_be_called_so() -> None:
    model = {"spec": "demo:vgg", "operations": {"merge.token": "linear"}}
    spec = parse_spec({"model": model, "data": {"path": "x"}, "explain": {"methods": ["srd"]}}, "spec")
    assert spec.model.operations == {"merge.token": "linear"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "a-", "eyJ-", "//a:", "BEGIN ", "a=", '"private_key"', "bearer ", "%61", "key"])
def test_a_long_text_takes_no_time(unit: str) -> None:
    for _ in range(50):
        is_secret_value(unit * (4000 // len(unit)))


def test_an_address_on_the_command_line_goes_the_same_way() -> None:
    with pytest.raises(SpecError, match=r"^--scheduler: address: looks like a secret") as refused:
        parse_cluster({"kind": "scheduler", "address": "tcp://me:HIDDEN@h:1"}, "--scheduler")
    assert "HIDDEN" not in str(refused.value)


def test_what_logs_say_of_a_cluster_repeats_no_variable_and_no_line_of_shell() -> None:
    kubernetes = KubernetesSpec(workers=3, image="lab/audit:1", env={"AWS_REGION": "hidden", "LEVEL": "hidden"})
    slurm = SlurmSpec(workers=3, memory="1GB", prologue=("hidden", "hidden"), directives=("hidden",))
    for spec in (kubernetes, slurm):
        for words in (str(spec), repr(spec), f"{spec}"):
            assert "hidden" not in words
            assert f"kind='{spec.kind}'" in words
            assert "workers=3" in words
    assert "env=['AWS_REGION', 'LEVEL']" in str(kubernetes)
    assert "prologue='2 lines'" in str(slurm)
    assert "address='tcp://h:1'" in str(SchedulerSpec(address="tcp://h:1"))
