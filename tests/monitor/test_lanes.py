"""Who may work when."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lanes import Lanes


@pytest.fixture
def crashed():
    return []


@pytest.fixture
def lanes(crashed):
    found = Lanes(4, 2, crashed.append)
    found.start()
    yield found
    found.stop()


def test_what_hangs_in_one_lane_stands_in_nobodys_way(lanes):
    hanging, begun, done = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def hang():
        begun.release()
        hanging.wait(10)

    for number in range(50):
        lanes.put("slow", f"slow-{number}", hang)
    assert begun.acquire(timeout=5)
    assert begun.acquire(timeout=5)
    for number in range(50):
        lanes.put(f"host-{number % 5}", f"quick-{number}", done.release)
    for _ in range(50):
        assert done.acquire(timeout=5)
    assert not begun.acquire(blocking=False)  # two of the slow lane, and no third
    hanging.set()
    for _ in range(48):
        assert begun.acquire(timeout=5)


def test_a_key_is_never_there_twice(lanes):
    hanging, begun, done = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)
    assert lanes.put("h", "a", lambda: (begun.release(), hanging.wait(10)))
    assert begun.acquire(timeout=5)
    assert not lanes.put("h", "a", done.release)  # under way
    for number in range(3):
        lanes.put("h", f"fill-{number}", lambda: hanging.wait(10))
    assert lanes.put("h", "b", done.release)
    assert not lanes.put("h", "b", done.release)  # waiting
    hanging.set()
    assert done.acquire(timeout=5)


def test_work_that_raises_is_told_and_costs_no_thread(lanes, crashed):
    done = threading.Semaphore(0)
    for number in range(20):
        lanes.put("h", f"bad-{number}", lambda: 1 / 0)
    lanes.put("h", "good", done.release)
    assert done.acquire(timeout=5)
    lanes.stop()
    assert len(crashed) >= 19


def test_the_end_finishes_what_is_under_way_and_leaves_what_waits():
    lanes, begun, finished = Lanes(1, 1, print), threading.Semaphore(0), []
    lanes.start()
    going = threading.Event()
    lanes.put("h", "a", lambda: (begun.release(), going.wait(10), finished.append("a")))
    lanes.put("h", "b", lambda: finished.append("b"))
    assert begun.acquire(timeout=5)
    threading.Timer(0.05, going.set).start()
    lanes.stop()
    assert finished == ["a"]
    assert not lanes.put("h", "c", print)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from("abcd"), max_size=60), st.integers(1, 5), st.integers(1, 3))
def test_everything_is_done_once_and_no_lane_is_ever_over_full(hosts, threads, each):
    lock, running, most, done = threading.Lock(), {}, {}, []
    finished = threading.Semaphore(0)

    def work(host, number):
        with lock:
            running[host] = running.get(host, 0) + 1
            most[host] = max(most.get(host, 0), running[host])
        with lock:
            running[host] -= 1
            done.append(number)
        finished.release()

    lanes = Lanes(threads, each, print)
    lanes.start()
    for number, host in enumerate(hosts):
        assert lanes.put(host, str(number), lambda host=host, number=number: work(host, number))
    for _ in hosts:
        assert finished.acquire(timeout=5)
    lanes.stop()
    assert sorted(done) == list(range(len(hosts)))
    assert all(count <= each for count in most.values())
    assert not lanes._waiting
    assert not lanes._busy
    assert not lanes._keys
