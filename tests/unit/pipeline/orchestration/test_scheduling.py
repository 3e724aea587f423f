"""Snakemake looks for jobs again after a while, and has one timer for it however often it looked."""

import threading
from types import SimpleNamespace

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from touchstone.pipeline.orchestration import snakemake_patches


@pytest.fixture
def look_again(monkeypatch):
    monkeypatch.setattr(JobScheduler, "_schedule_reevalutation", JobScheduler._schedule_reevalutation)
    snakemake_patches._schedule()
    return JobScheduler._schedule_reevalutation


def waiting():
    return SimpleNamespace(_open_jobs=threading.Semaphore(0))


def test_many_requests_wake_it_once(look_again):
    scheduler = waiting()

    for _ in range(20):
        look_again(scheduler, 0.05)

    assert scheduler._open_jobs.acquire(timeout=5)
    assert not scheduler._open_jobs.acquire(timeout=0.3)


def test_once_awake_it_can_be_woken_again(look_again):
    scheduler = waiting()

    for _ in range(3):
        look_again(scheduler, 0.01)
        assert scheduler._open_jobs.acquire(timeout=5)


def test_a_waiting_timer_does_not_hold_the_process(look_again):
    before = threading.active_count()

    look_again(waiting(), 60)

    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    assert threading.active_count() == before + 1
    assert all(timer.daemon for timer in timers if timer.interval == 60)
    for timer in timers:
        timer.cancel()


def test_snakemake_still_asks_for_it_by_this_name():
    assert callable(JobScheduler._schedule_reevalutation)
