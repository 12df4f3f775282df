"""The pool: one instance for all, byte budgets, the least recently used goes first, nothing is left half loaded."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import ConfigError
from yggdrasil.runtime.pool import Handling, Key, Pool


class Heavy:
    """What takes `size` bytes, somewhere."""

    def __init__(self, name: str, size: int, device: str) -> None:
        self.name, self.size, self.device = name, size, device


def key(name: str, device: str = "gpu", **options: Any) -> Key:
    return Key.of("test.Heavy", name, device=device, **options)


def refs(pool: Pool) -> list[str]:
    found = pool.keys()
    return sorted(k.ref for k in found)


class World:
    """A pool, and what was loaded into it."""

    def __init__(self, **budgets: float) -> None:
        self.pool = Pool()
        self.loads: list[str] = []
        self.moves: list[str] = []
        self.alive: list[weakref.ref[Heavy]] = []
        for device, size in budgets.items():
            self.pool.budget(device, size)

    def take(self, name: str, size: int = 10, device: str = "gpu", *, moves: bool = False, **options: Any) -> Any:
        def load() -> Heavy:
            self.loads.append(name)
            made = Heavy(name, size, device)
            self.alive.append(weakref.ref(made))
            return made

        def move(to: str) -> Callable[[Heavy], None]:
            def moved(value: Heavy) -> None:
                self.moves.append(f"{value.name} to {to}")
                value.device = to

            return moved

        away, back = (move("cpu"), move(device)) if moves else (None, None)
        handling = Handling(lambda v: v.size, lambda: size, away, back)
        return self.pool.lease(key(name, device), load, handling=handling, **options)

    def names(self) -> list[str]:
        return refs(self.pool)

    def there(self) -> list[str]:
        gc.collect()
        return sorted(v.name for r in self.alive if (v := r()) is not None)


# --- one instance


def test_one_for_all_who_name_it_alike() -> None:
    world = World()
    leases = [world.take("a") for _ in range(12)]
    assert len({id(lease.value) for lease in leases}) == 1
    assert world.loads == ["a"]
    assert world.pool.users(key("a")) == 12
    assert world.pool.key_of(leases[0].value) == key("a")
    for lease in leases[:-1]:
        lease.release()
        lease.release()  # the second time nothing happens
    assert world.pool.users(key("a")) == 1
    leases[-1].release()
    assert world.there() == []
    assert world.pool.keys() == []
    with pytest.raises(ConfigError, match="a was released"):
        _ = leases[-1].value


@pytest.mark.parametrize("other", [{"revision": "2"}, {"dtype": "float16"}, {"variant": "ema"}])
def test_what_differs_in_the_key_is_another(other: dict[str, Any]) -> None:
    pool = Pool()
    one, two = pool.lease(key("a"), object), pool.lease(Key.of("test.Heavy", "a", device="gpu", **other), object)
    assert one.value is not two.value


def test_options_that_are_no_json_are_refused() -> None:
    with pytest.raises(ConfigError, match="no JSON"):
        Key.of("kind", "ref", option=object())


def test_a_private_copy_is_nobody_elses() -> None:
    world = World(gpu=100)
    one, two, shared = world.take("a", share=False), world.take("a", share=False), world.take("a")
    assert len({id(one.value), id(two.value), id(shared.value)}) == 3
    assert world.pool.taken("gpu") == 30
    one.release()
    two.release()
    assert world.there() == ["a"], "private ones are not kept"
    assert world.pool.taken("gpu") == 10


def test_two_devices_are_two_copies_and_a_warning() -> None:
    world = World()
    first = world.take("a", device="cpu")
    with pytest.warns(RuntimeWarning, match="a is loaded twice: on gpu, and on cpu already"):
        second = world.take("a", device="gpu")
    assert first.value is not second.value
    first.release()
    second.release()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        world.take("a", device="other").release()
        held, private = world.take("a", device="cpu"), world.take("a", device="gpu", share=False)
    assert held.value is not private.value


def test_a_forgotten_lease_releases_itself() -> None:
    world = World()
    world.take("a")
    assert world.there() == []
    assert world.pool.keys() == []
    with world.take("b") as lease:
        assert lease.value.name == "b"
    assert world.pool.keys() == []


# --- budgets


def test_without_a_budget_nothing_stays() -> None:
    world = World()
    world.take("a").release()
    world.take("a").release()
    assert world.loads == ["a", "a"]


def test_within_a_budget_what_is_used_no_more_stays() -> None:
    world = World(gpu=30)
    for name in "abc":
        world.take(name).release()
    world.take("a").release()
    assert world.loads == ["a", "b", "c"]
    world.take("d").release()  # b was used least recently
    assert world.names() == ["a", "c", "d"]
    assert world.there() == ["a", "c", "d"]
    world.take("e", size=20).release()
    assert world.names() == ["d", "e"] == world.there()
    assert world.pool.taken("gpu") == 30
    assert world.pool.clear() == 2
    assert world.there() == []


def test_what_is_in_use_is_never_evicted_and_what_cannot_fit_is_refused_before_it_is_loaded() -> None:
    world = World(gpu=30)
    held = world.take("a", size=20)
    world.take("b", size=10).release()
    with pytest.raises(ConfigError, match=r"c takes 11 bytes, and gpu has a budget of 30 bytes; a takes 20 bytes"):
        world.take("c", size=11)
    assert world.loads == ["a", "b"]
    assert world.names() == ["a", "b"], "nothing was evicted for what cannot fit anyway"
    with pytest.raises(ConfigError, match="d takes 31 bytes"):
        world.take("d", size=31)
    assert world.take("c", size=10).value.name == "c"
    assert held.value.name == "a"


def test_what_turns_out_larger_than_was_said_is_dropped_again() -> None:
    world = World(gpu=30)
    world.take("b", size=20).release()
    grown: list[weakref.ref[Heavy]] = []

    def load() -> Heavy:
        made = Heavy("a", 40, "gpu")
        grown.append(weakref.ref(made))
        return made

    with pytest.raises(ConfigError, match="a takes 40 bytes") as caught:
        world.pool.lease(key("a"), load, handling=Handling(lambda v: v.size, lambda: 5))
    gc.collect()
    assert grown[0]() is None, "not even while the error is looked at"
    assert caught.value.hint
    assert world.names() == ["b"]
    assert world.pool.taken("gpu") == 20


def test_devices_have_budgets_of_their_own() -> None:
    world = World(gpu=10, cpu=10)
    world.take("a", device="gpu").release()
    world.take("b", device="cpu").release()
    assert world.names() == ["a", "b"]


def test_a_budget_may_change() -> None:
    world = World(gpu=30)
    for name in "abc":
        world.take(name).release()
    held = world.take("a")
    world.pool.budget("gpu", 20)
    assert world.names() == ["a", "c"]
    with pytest.raises(ConfigError, match="10 bytes of gpu are in use"):
        world.pool.budget("gpu", 5)
    world.pool.budget("gpu", None)
    assert world.names() == ["a"]
    held.release()
    assert world.names() == []
    for wrong in (0, -1, True, "8e9", float("nan")):
        with pytest.raises(ConfigError, match="budget of gpu"):
            world.pool.budget("gpu", wrong)  # type: ignore[arg-type]


def test_moved_to_the_cpu_and_back_instead_of_loaded_anew() -> None:
    world = World(gpu=20)
    first = world.take("a", moves=True)
    value = first.value
    first.release()
    world.take("b", size=15, moves=True).release()
    assert world.moves == ["a to cpu"]
    assert (world.pool.taken("gpu"), world.pool.taken("cpu")) == (15, 10)
    again = world.take("a", moves=True)
    assert again.value is value
    assert world.moves == ["a to cpu", "b to cpu", "a to gpu"]
    assert world.loads == ["a", "b"]
    again.release()
    world.pool.budget("cpu", 10)  # b does not fit there
    assert world.names() == ["a"]
    del value
    world.take("c", size=20, moves=True)
    assert world.pool.taken("cpu") == 10


def test_what_cannot_be_moved_is_dropped_and_the_error_is_told() -> None:
    world = World(gpu=20)

    def refuse(value: Heavy) -> None:
        raise MemoryError(f"no room for {value.name}")

    handling = Handling(lambda v: v.size, None, refuse, refuse)
    world.pool.lease(key("a"), lambda: Heavy("a", 15, "gpu"), handling=handling).release()
    with pytest.raises(MemoryError):
        world.take("b", size=10)
    assert world.pool.keys() == []
    assert world.take("b", size=10).value.name == "b"


def test_what_lies_in_a_cycle_leaves_at_once_when_its_room_is_needed() -> None:
    world = World(gpu=10)
    lease = world.take("a")
    lease.value.itself = lease.value
    lease.release()
    world.take("b")
    assert [value.name for reference in world.alive if (value := reference()) is not None] == ["b"]


# --- loading


def test_a_failure_leaves_nothing_and_the_next_one_tries_again() -> None:
    world = World(gpu=10)

    def fail() -> Heavy:
        raise OSError("no such file")

    for _ in range(2):
        with pytest.raises(OSError, match="no such file"):
            world.pool.lease(key("a"), fail, handling=Handling(lambda v: v.size, lambda: 10))
        assert world.pool.keys() == []
        assert world.pool.taken("gpu") == 0
    assert world.take("a").value.name == "a"


def test_those_who_wait_for_a_load_that_fails_try_themselves() -> None:
    pool, attempts, started = Pool(), [], threading.Event()

    def load() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            started.set()
            time.sleep(0.05)
            raise OSError("the first one fails")
        return "loaded"

    def take(wait: bool) -> Any:
        if wait:
            started.wait(5)
        try:
            return pool.lease(key("a"), load).value
        except OSError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(take, [False, True, True, True]))
    assert found == ["the first one fails", "loaded", "loaded", "loaded"]
    assert len(attempts) >= 2


def test_other_refs_load_at_the_same_time() -> None:
    pool, both = Pool(), threading.Barrier(2, timeout=5)

    def load() -> int:
        return both.wait()

    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda name: pool.lease(key(name), load), "ab")
        assert {lease.value for lease in found} == {0, 1}


def test_many_threads_never_load_twice_nor_exceed_the_budget() -> None:
    world, over = World(gpu=50), []
    sizes = {name: 4 + number % 3 for number, name in enumerate("abcdefghijkl")}  # 60 in all, at most 48 in use
    inside = dict.fromkeys(sizes, 0)
    gate = threading.Lock()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(150):
            name = dice.choice("abcdefghijkl")
            lease = world.take(name, sizes[name], moves=dice.random() < 0.5)
            with gate:
                inside[name] += 1
            if world.pool.taken("gpu") > 50 or lease.value.name != name or lease.value.device != "gpu":
                over.append(name)
            if dice.random() < 0.2:
                time.sleep(0.0005)
            with gate:
                inside[name] -= 1
            if dice.random() < 0.9:
                lease.release()
            del lease

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert not over
    assert len(world.loads) > len(sizes), "some had to go"
    assert world.pool.clear() <= len(sizes)
    assert world.there() == []
    assert world.pool.taken("gpu") == world.pool.taken("cpu") == 0


def test_a_destructor_inside_the_pool_may_give_back_another() -> None:
    """A pipeline that is dropped drops its own leases, while the pool is at work."""
    pool = Pool()
    pool.budget("gpu", 10)

    class Holder:
        size = 10

        def __init__(self) -> None:
            self.lease = pool.lease(key("inner", "cpu"), lambda: Heavy("inner", 1, "cpu"))

        def __del__(self) -> None:
            self.lease.release()

    pool.lease(key("outer"), Holder, handling=Handling(lambda v: v.size)).release()
    assert refs(pool) == ["inner", "outer"]
    with pool.lease(key("next"), lambda: Heavy("next", 10, "gpu"), handling=Handling(lambda v: v.size)):
        assert refs(pool) == ["next"]


# --- with torch


MEMORY = textwrap.dedent(
    """
    import ctypes, gc, json, sys, weakref
    import torch
    from yggdrasil.blocks.shared import Shared
    from yggdrasil.blocks.weights import module_bytes
    from yggdrasil.runtime.pool import POOL

    def resident():
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        fields = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith("VmRSS"))
        return int(fields["VmRSS"].split()[0]) * 1024

    def load(device):
        layers = [torch.nn.Linear(1000, 1000) for _ in range(50)] + [torch.nn.Linear(10, 10) for _ in range(500)]
        return torch.nn.Sequential(*layers)

    def round():
        users = [Shared("test.Net", "here", load) for _ in range(12)]
        modules = {id(user.get()) for user in users}
        with torch.no_grad():
            users[0].get()[:50](torch.zeros(4, 1000))
        return users, weakref.ref(users[0].get()), len(modules)

    torch.nn.Linear(1000, 1000)(torch.zeros(4, 1000))
    before = resident()
    users, reference, count = round()
    size, during = module_bytes(reference()), resident()
    for user in users:
        user.close()
    after = resident()
    print(json.dumps({"count": count, "size": size, "before": before, "during": during, "after": after,
                      "dead": reference() is None, "keys": len(POOL.keys())}))
    """
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_comes_back_when_all_is_released() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True, env=environment, timeout=120
    )
    import json

    found = json.loads(run.stdout)
    assert found["count"] == 1
    assert found["size"] > 200e6
    assert found["dead"]
    assert found["keys"] == 0
    assert found["during"] - found["before"] < 1.15 * found["size"], "one copy"
    assert found["after"] - found["before"] < 0.05 * found["size"], found
