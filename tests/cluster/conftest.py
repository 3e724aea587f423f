"""A one-node Slurm with a made-up GPU, started here and ended here, all its files in one folder; a conda made from PyPI."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CONF = """\
ClusterName=lab
SlurmctldHost={host}
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={lab}/munge.sock
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=defer,sched_interval=2
ReturnToService=2
MinJobAge=300
KillWait=5
BatchStartTimeout=30
SlurmctldPidFile={lab}/ctld.pid
SlurmdPidFile={lab}/slurmd.pid
StateSaveLocation={lab}/ctld
SlurmdSpoolDir={lab}/slurmd
SlurmctldLogFile={lab}/log/slurmctld.log
SlurmdLogFile={lab}/log/slurmd.log
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=lab Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running cluster of one node."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """What `scontrol show job` says of every job, by its number."""
        found = {}
        for block in self.run("scontrol", "show", "job", "--oneliner").splitlines():
            facts = dict(part.partition("=")[::2] for part in block.split() if "=" in part)
            if "JobId" in facts:
                found[facts["JobId"]] = facts
        return found


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Slurm from Debian's packages (`make test-cluster` installs them). Needs root, and neither systemd nor cgroups."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]
    assert not missing, f"{missing} are not installed: apt-get install slurm-wlm munge"
    lab = tmp_path_factory.mktemp("slurm")
    for name in ("ctld", "slurmd", "log"):
        (lab / name).mkdir()
    key = lab / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 1024
    facts = {"host": host, "lab": lab, "cores": os.cpu_count(), "memory": memory}
    (lab / "slurm.conf").write_text(CONF.format(**facts))
    (lab / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/null\n")  # any device file will do
    cluster = Slurm(lab)
    munge = [
        "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={lab}/munge.sock",
        f"--pid-file={lab}/munge.pid", f"--log-file={lab}/log/munge.log", f"--seed-file={lab}/munge.seed",
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            log = stack.enter_context((lab / "log" / f"{command[0]}.out").open("wb"))
            process = subprocess.Popen(command, env=cluster.environment, stdout=log, stderr=log)
            stack.callback(_end, process)
            if command is munge:
                _until(lambda: (lab / "munge.sock").exists(), "munged to start")
        stack.callback(cluster.run, "scancel", "--full", "--user", "root")
        _until(lambda: "idle" in subprocess.run(["sinfo", "-h", "-o", "%T"], env=cluster.environment, capture_output=True, text=True).stdout, f"an idle node; see {lab}/log")  # fmt: skip
        yield cluster


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(holds: object, what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.2)
