"""A store is made anew for other code: killed wherever, it becomes what a new store would be, and nothing is lost."""

import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audits import copy_store, object_path, tree
from small_stores import PLAN, SIZES, arrays, at, coordinates, new_store, prepared
from zarr.storage import LocalStore

from pipeline.plan.schema import PREPARED
from pipeline.plan.tasks import Plan, Task
from pipeline.store.creation import NewStore, create, find_damaged_objects, mend
from pipeline.store.manifest import MANIFEST
from pipeline.store.renewal import Renewal, is_half_renewed, plan_renewal, renew
from pipeline.store.results import open_results
from pipeline.store.sources import Sources, StageSources
from pipeline.store.store import Store, attributes, progress
from srd.errors import DamagedStore

WIDER, NARROWER = (replace(PLAN, sizes={**SIZES, "metric": n}) for n in (4, 2))
METRICS: list[str | float] = ["a", "b", "c", "d"]


def new(plan: Plan = PLAN, values: int = 0, encoder: str = "", **changed: str) -> NewStore:
    """Return a store of other code: of stages whose digests are of other digits."""
    store = new_store(plan)
    digests = store.attributes.fingerprinted.sources | {name: digit * 64 for name, digit in changed.items()}
    facts = store.attributes.fingerprinted.model_copy(update={"sources": digests})
    update = {"fingerprinted": facts, "fingerprint": facts.fingerprint, "encoder": encoder}
    made = {**prepared(), "target": prepared()["target"] + values}
    names = coordinates(plan) | {"metric": METRICS[: plan.sizes["metric"]]}
    return NewStore(names, made, store.attributes.model_copy(update=update))


def fill(path: Path, plan: Plan = PLAN) -> Store:
    store = Store(at(path))
    for task in plan.all_tasks():
        if task.key not in store.receipts.task_keys():
            store.write(task, values_of(plan, task))
    return store


def values_of(plan: Plan, task: Task) -> dict[str, np.ndarray[Any, Any]]:
    made = arrays(task)
    for name in ("score", "reason"):
        if name in made:
            made[name] = np.resize(made[name], (*made[name].shape[:-1], plan.sizes["metric"]))
    return made


@pytest.fixture
def filled(path: Path) -> Store:
    create(at(path), new())
    return fill(path)


def planned(path: Path, store: NewStore) -> Renewal:
    return plan_renewal(at(path), attributes(at(path)), store)


def apply(path: Path, store: NewStore) -> Renewal:
    """Do what a run does with a store that is there."""
    renewal = planned(path, store)
    renew(at(path), renewal)
    damaged = find_damaged_objects(at(path))
    if damaged:
        mend(at(path), store, damaged)
    return renewal


def fresh(path: Path, store: NewStore, plan: Plan = PLAN) -> dict[str, str]:
    """Return the bytes of a store that was made by this code from the beginning."""
    create(at(path), store)
    fill(path, plan)
    return tree(path)


def missing(path: Path) -> set[str]:
    return {stage for stage, (done, planned) in progress(at(path)).items() if done < planned}


ALL = {"fit", "perturb", "attribute", "occlude", "remove", "randomise", "score"}


def test_a_receipt_that_no_listing_shows_is_withdrawn_as_well(
    path: Path, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: [] if str(folder).endswith("ledger") else listing(folder))
    apply(path, new(score="1"))
    monkeypatch.undo()
    assert missing(path) == {"score"}


@pytest.mark.parametrize(
    ("store", "plan", "redone"),
    [
        (new(score="1"), PLAN, {"score"}),
        (new(WIDER, score="1"), WIDER, {"score"}),
        (new(NARROWER, score="1"), NARROWER, {"score"}),
        (new(attribute="1", score="1"), PLAN, {"attribute", "remove", "score"}),
        (new(attribute="1"), PLAN, {"attribute", "remove", "score"}),
        (new(WIDER), WIDER, {"score"}),
        (new(values=1), PLAN, ALL),
        (new(encoder="features"), PLAN, ALL),
        (new(), PLAN, set()),
    ],
    ids=["code", "wider", "narrower", "two stages", "readers", "shapes alone", "targets", "encoder", "nothing"],
)  # fmt: skip
def test_what_changed_is_missing_and_the_rest_stays(
    path: Path, filled: Store, tmp_path: Path, store: NewStore, plan: Plan, redone: set[str]
) -> None:
    before = tree(path)
    assert apply(path, store).redone.keys() == redone
    assert missing(path) == redone
    own = {f"_ledger/{task.key}" for task in PLAN.all_tasks() if task.stage in redone}
    after = tree(path)
    assert own <= before.keys() - after.keys()
    assert all(key.partition("/")[0] in {"score", "reason", "_ledger"} for key in before.keys() - after.keys())
    fill(path, plan)
    assert tree(path) == fresh(tmp_path / "fresh", store, plan)


def failing(monkeypatch: pytest.MonkeyPatch, kth: int) -> list[str]:
    """The kth write or deletion, and all after it, do not happen. Returns the keys of the others."""
    done: list[str] = []

    def limited(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def act(store: LocalStore, key: str, *content: Any) -> None:
            if len(done) >= kth:
                raise OSError(28, "No space left on device")
            done.append(key)
            await original(store, key, *content)

        return act

    for name in ("set", "delete"):
        monkeypatch.setattr(LocalStore, name, limited(getattr(LocalStore, name)))
    return done


def killed(path: Path, store: NewStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a copy of a store for each point at which its renewal can end, the last of which is its end."""
    for kth in count():
        copy = path.parent / f"killed at {kth}"
        copy_store(path, copy)
        with monkeypatch.context() as patched, suppress(OSError):
            failing(patched, kth)
            apply(copy, store)
            return
        yield copy


def test_killed_anywhere_it_is_made_anew_by_the_same_command(
    path: Path, filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, n = fresh(tmp_path / "fresh", new(WIDER, score="1"), WIDER), 0
    for copy in killed(path, new(WIDER, score="1"), monkeypatch):
        n += 1
        apply(copy, new(WIDER, score="1"))
        assert missing(copy) == {"score"}
        fill(copy, WIDER)
        assert tree(copy) == whole
    assert n > 20


@pytest.mark.parametrize("left", [1, 2, 3, 4, 9, 25])
@pytest.mark.parametrize(
    ("then", "plan"),
    [(new(), PLAN), (new(WIDER, score="2"), WIDER), (new(attribute="3", score="3"), PLAN)],
    ids=["the code before", "a third code", "a third code of another stage"],
)
def test_after_a_kill_any_other_code_goes_on(
    path: Path, filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, then: NewStore, plan: Plan
) -> None:
    """Killed so many steps before the end."""
    copy = tmp_path / "copy"
    copy_store(path, copy)
    with monkeypatch.context() as patched:
        steps = failing(patched, 10**6)
        apply(copy, new(WIDER, score="1"))
    with monkeypatch.context() as patched:
        failing(patched, len(steps) - left)
        with pytest.raises(OSError, match="No space"):
            apply(path, new(WIDER, score="1"))
    apply(path, then)
    fill(path, plan)
    assert tree(path) == fresh(tmp_path / "fresh", then, plan)


def test_half_made_anew_it_is_refused_and_its_progress_told(
    path: Path, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = []
    for copy in killed(path, new(WIDER, score="1"), monkeypatch):
        assert progress(at(copy))["perturb"] == (6, 6)
        halves += [copy] * is_half_renewed(at(copy))
    (half,) = halves
    for read in (Store, open_results):
        with pytest.raises(DamagedStore, match="is half made anew, after a change of code; run the same spec"):
            read(at(half))


def test_receipts_of_a_run_that_is_ahead_stay(path: Path, filled: Store) -> None:
    """Two commands at once: the slower one read the root before the faster one made the store anew."""
    late = planned(path, new(score="1"))
    apply(path, new(score="1"))
    fill(path)
    before = tree(path)
    renew(at(path), late)
    assert tree(path) == before


def test_nothing_outside_is_deleted_whatever_the_manifest_names(path: Path, filled: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "zarr.json"
    outside.parent.mkdir()
    outside.write_text("mine", encoding="utf-8")
    manifest = json.loads(object_path(path, MANIFEST).read_text(encoding="utf-8"))
    named = ("../outside/zarr.json", "/etc/zarr.json", "_ledger/deep/zarr.json", "old/zarr.json")
    manifest["sha256"] |= dict.fromkeys(named, "0" * 64)
    object_path(path, MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (path / "old").mkdir()
    (path / "old" / "zarr.json").write_text("{}", encoding="utf-8")
    renewal = planned(path, new(score="1"))
    assert renewal.remade == ("old",)
    renew(at(path), renewal)
    assert outside.read_text(encoding="utf-8") == "mine"
    assert not (path / "old" / "zarr.json").exists()


def test_through_a_link_nothing_is_deleted(path: Path, filled: Store, tmp_path: Path) -> None:
    aside = (path / "score").rename(tmp_path / "aside")
    (path / "score").symlink_to(aside)
    before = tree(aside)
    with pytest.raises(DamagedStore, match="is a link"):
        apply(path, new(WIDER, score="1"))
    assert tree(aside) == before


def with_sources(store: NewStore, files: dict[str, str], **stages: StageSources) -> NewStore:
    return replace(store, sources=Sources(files={name: digit * 64 for name, digit in files.items()}, stages=stages))


def test_the_reason_names_files_and_keys_and_what_is_read(path: Path) -> None:
    before = {"a.py": "0", "b.py": "0", "gone.py": "0", "c.py": "0"}
    attribute = StageSources(files=("a.py", "b.py", "gone.py"), spec={"measure.steps": 10})
    create(at(path), with_sources(new(), before, attribute=attribute, score=StageSources(files=("c.py",))))

    def reasons(files: dict[str, str], stage: StageSources, **changed: Any) -> dict[str, str]:
        store = with_sources(new(**changed), files, attribute=stage, score=StageSources(files=("c.py",)))
        return dict(planned(path, store).redone)

    after = {"a.py": "0", "b.py": "1", "new.py": "1", "c.py": "0"}
    moved = StageSources(files=("a.py", "b.py", "new.py"), spec={"measure.steps": 5})
    assert reasons(after, moved, attribute="1", score="1") == {
        "attribute": "b.py, new.py, gone.py and 1 more changed",
        "remove": "it reads what attribute wrote",
        "score": "it reads what attribute, remove wrote",
    }
    steps = attribute.model_copy(update={"spec": {"measure.steps": 5}})
    assert reasons(before, steps, attribute="1")["attribute"] == "measure.steps changed"
    assert reasons(before | {"c.py": "1"}, attribute, score="1") == {"score": "c.py changed"}
    assert reasons(before, attribute, score="1") == {"score": "its sources or the names in its arrays changed"}
    object_path(path, "_preparation", "sources").write_text("{", encoding="utf-8")
    assert "b.py" in reasons(before, attribute, attribute="1")["attribute"]


def test_of_what_was_prepared_the_reason_is_its_name(path: Path, made: Store) -> None:
    assert set(planned(path, new(values=1, encoder="last")).redone.values()) == {"target, encoder changed"}
    assert "target/c/0" in planned(path, new(values=1)).changed
    assert not {f"{name}/c/0" for name in PREPARED} & set(planned(path, new()).changed)
