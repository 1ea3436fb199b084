"""Jobs for other threads: each is done once, by whoever is free, and all of them before the crew goes."""

from __future__ import annotations

import threading

from api.server.crew import Crew


def crew_of(count: int, after_each: list[int]) -> tuple[Crew, list[threading.Thread]]:
    crew = Crew()
    threads = [threading.Thread(target=crew.work, args=(lambda: after_each.append(1),)) for _ in range(count)]
    for thread in threads:
        thread.start()
    return crew, threads


def test_every_job_is_done_once_and_something_after_each() -> None:
    done, after_each = list[int](), list[int]()
    crew, threads = crew_of(4, after_each)
    for number in range(5_000):
        crew.hand_over(lambda number=number: done.append(number))  # type: ignore[misc]
    crew.dismiss()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(done) == list(range(5_000))
    assert len(after_each) == 5_000


def test_jobs_that_block_hold_up_no_other_while_a_thread_is_free() -> None:
    crew, threads = crew_of(3, [])
    freed, quick = threading.Event(), threading.Event()
    for _ in range(2):
        crew.hand_over(lambda: freed.wait(30))  # type: ignore[arg-type, return-value]
    crew.hand_over(quick.set)
    assert quick.wait(30)
    freed.set()
    crew.dismiss()
    for thread in threads:
        thread.join(30)


def test_a_job_goes_to_the_thread_that_was_busy_last() -> None:
    """Its connection to the store is open, and what it needs is in the caches."""
    crew, threads = crew_of(4, [])
    who, done = list[int](), threading.Semaphore(0)

    def job() -> None:
        who.append(threading.get_ident())

    for _ in range(20):
        crew.hand_over(job)
        # Done, and idle again: the next job finds it on top.
        while len(crew._idle) < 4:
            done.acquire(timeout=0.001)
    assert len(set(who)) == 1
    crew.dismiss()
    for thread in threads:
        thread.join(30)


def test_a_job_that_fails_ends_no_thread() -> None:
    crew, [thread] = crew_of(1, [])
    done = threading.Event()
    crew.hand_over(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    crew.hand_over(done.set)
    assert done.wait(30)
    crew.dismiss()
    thread.join(30)
