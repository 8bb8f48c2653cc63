"""A crew of worker processes, behind a scheduler of dask.distributed: jobs go in, outcomes come out."""

from __future__ import annotations

import logging
import os
import queue
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from sandbox.errors import SweepError
from sandbox.physics.processors import VARIABLE, asked, available
from sandbox.report import Reporter
from sandbox.sweeping.worker import Job, Outcome, work

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT = 10.0
"""Seconds in which a scheduler answers at the beginning."""
TICK = 0.5
RESULT = 60.0
"""Seconds for an outcome to come over the network."""
LONELY = 10.0
"""Seconds without workers until something is done about it."""
PORT = 8787
"""Where the dashboard of a cluster of one's own is, if the port is free."""

CERTIFICATES = ", ".join(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"))
"""Variables, or settings of dask, with which a client finds its certificates."""

SAFE_PATH = "PYTHONSAFEPATH"
"""Variable without which a Python process that is spawned looks for Python's own modules in the working folder first,
which may be a stranger's. It is told afterwards where its parent looks.
"""

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Crew:
    """Workers that make runs.

    Jobs go in by :meth:`put`; iterating gives each with its outcome, as they end, until there are none.

    Attributes:
        dashboard: its address, empty if it has none.

    Args:
        cluster: of this crew's own, whose workers are to be kept up; None if they are somebody else's.
    """

    def __init__(self, client: Client, place: str, reporter: Reporter, cluster: Any = None) -> None:
        self._client, self._place, self._reporter, self._cluster = client, place, reporter, cluster
        self._wanted = len(cluster.worker_spec) if cluster is not None else 1
        self._pending: dict[str, tuple[Future, Job]] = {}
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._numbers = count()
        self._lonely_since: float | None = None

    @property
    def dashboard(self) -> str:
        link = self._client.dashboard_link if self._client.scheduler_info(n_workers=0)["services"] else None
        return link or ""

    @property
    def size(self) -> int:
        """Workers that are there now; at least one, which may come."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def put(self, job: Job) -> None:
        """Give a job to the crew."""
        key = f"{job.name}-{next(self._numbers)}-{os.urandom(4).hex()}"
        future = self._client.submit(work, job, key=key, pure=False)
        self._pending[key] = future, job
        future.add_done_callback(self._ended.put)

    def __iter__(self) -> Iterator[tuple[Job, Outcome]]:
        """Raises:
        SweepError: if the scheduler goes away.
        """
        while self._pending:
            try:
                future = self._ended.get(timeout=TICK)
            except queue.Empty:
                self._look()
                continue
            ended = self._outcome(future)
            if ended is None:
                self._look()
                self.put(self._pending.pop(str(future.key))[1])  # the worker died with what it had to say
            else:
                _, job = self._pending.pop(str(future.key))
                yield job, ended

    def close(self) -> None:
        """Let go of the scheduler."""
        with suppress(Exception):  # it may be gone
            self._client.close(timeout=5)

    def _outcome(self, future: Future) -> Outcome | None:
        """None if it was lost, alone or with the scheduler."""
        from distributed import KilledWorker

        if future.status == "finished":
            try:
                return future.result(timeout=RESULT)
            except Exception:  # worker and outcome died together; whatever it is, the run's folder has the truth
                return None
        if future.status != "error":
            return None
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Outcome(
                "the workers that had it died, one after the other; of memory, as a rule: their logs, or the "
                "system's, say more",
                passing=True,
            )
        return Outcome(f"{type(error).__name__}: {error}", passing=True)

    def _look(self) -> None:
        """See whether scheduler and workers are there."""
        if self._client.status != "running":
            raise SweepError(
                f"the scheduler at {self._place} went away; what is done is kept: once it is there again, run the same "
                "command again, with --out and this sweep's folder"
            )
        if len(self._client.scheduler_info(n_workers=-1)["workers"]) >= self._wanted:
            self._lonely_since = None
        elif self._lonely_since is None:
            self._lonely_since = time.monotonic()
        elif time.monotonic() - self._lonely_since < LONELY:
            return
        elif self._cluster is not None:
            # A worker that died is started again; but the cluster forgets one that does not come back in time.
            self._lonely_since = None
            self._cluster.scale(self._wanted)
        else:
            self._lonely_since = float("inf")  # said once
            self._reporter.warn(
                f"the scheduler at {self._place} has no workers; start some: dask worker {self._place} --nthreads 1"
            )


def needs(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Raises:
        SweepError: naming the extra, if it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise SweepError(f"this needs {module}: pip install 'matter-sandbox[{extra}]'") from error


@contextmanager
def crew(scheduler: str | None, workers: int | None, runs: int, reporter: Reporter) -> Iterator[Crew]:
    """A crew: of the scheduler at an address, or of processes on this machine for as long as the block lasts.

    Args:
        scheduler: address, say ``"tcp://10.0.0.1:8786"``.
        workers: processes on this machine; by default as many as it has processors. They share its threads.
        runs: how many are to be made; no more workers than that are started.
        reporter: told if workers or scheduler are missing.

    Raises:
        SweepError: if the scheduler does not answer, if workers cannot be started, if the extra is not installed.
    """
    distributed = needs("distributed", "sweep")
    if scheduler is not None and workers is not None:
        raise SweepError("workers are started on this machine only; those of a scheduler are started with it")
    if workers is not None and workers < 1:
        raise SweepError(f"workers = {workers}: at least one is needed")
    with ExitStack() as stack:
        if scheduler is None:
            cluster = stack.enter_context(_cluster(workers, runs))
            client = distributed.Client(cluster, timeout=CONNECT, set_as_default=False, security=cluster.security)
            made = Crew(client, "here", reporter, cluster)
        else:
            made = Crew(_client(scheduler), scheduler, reporter)
        stack.callback(made.close)
        yield made


def _client(address: str) -> Client:
    """Connect.

    Raises:
        SweepError: if nothing answers.
    """
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT, set_as_default=False)
    except TypeError as error:  # of distributed, for want of certificates
        raise SweepError(
            f"the scheduler at {address} takes work over TLS, and no certificates are set here: {CERTIFICATES} name "
            "their files, see the guide to scripts"
        ) from error
    except (OSError, ValueError) as error:
        raise SweepError(
            f"no scheduler answers at {address}; is it running (dask scheduler), and is this the address that "
            "it prints, for example tcp://10.0.0.1:8786?"
        ) from error


@contextmanager
def _cluster(workers: int | None, runs: int) -> Iterator[Any]:
    """Worker processes on this machine, spawned, with the processors shared among them.

    What they are sent is executed, so nobody else may send it: they take work only over TLS, with a key that is made
    for this cluster and never written to the disk.
    """
    import multiprocessing

    from dask import config
    from distributed import LocalCluster
    from distributed.security import Security

    needs("cryptography", "sweep")
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SweepError(_GUARD)
    processors = available()
    workers = max(1, min(workers or processors, runs))
    threads = asked() or max(1, processors // workers)
    settings = {
        "distributed.worker.multiprocessing-method": "spawn",
        "distributed.nanny.pre-spawn-environ": {**dict.fromkeys(POOLS, threads), SAFE_PATH: "1"},
    }
    with config.set(settings), _safe_path(), ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Port .* is already in use")
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    security=Security.temporary(),
                    dashboard_address=f"127.0.0.1:{PORT}",
                    silence_logs=logging.CRITICAL,
                    env={VARIABLE: threads},
                )
        except (OSError, RuntimeError) as error:
            raise SweepError(f"the workers cannot be started: {error}. {_GUARD}") from error
        stack.enter_context(cluster)
        yield cluster


@contextmanager
def _safe_path() -> Iterator[None]:
    """Within, Python processes that are started here look for modules where this one does."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE_PATH)
        if before is not None:
            os.environ[SAFE_PATH] = before


_GUARD = (
    "Worker processes import the script that starts them: in a script, call sandbox.sweep under "
    '`if __name__ == "__main__":`'
)
