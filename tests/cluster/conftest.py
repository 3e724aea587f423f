"""A one-node Slurm with a made-up GPU, started here and ended here, all its files in one folder; a conda made from PyPI."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# CPUs and memory are as declared, whatever the machine has: what jobs ask for is looked at, not held to.
CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
AuthType=auth/munge
AuthInfo=socket={lab}/munge.sock
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=defer,sched_interval=1
ReturnToService=2
MinJobAge=7200
KillWait=5
BatchStartTimeout=60
SlurmctldPidFile={lab}/ctld.pid
SlurmdPidFile={lab}/slurmd.pid
StateSaveLocation={lab}/ctld
SlurmdSpoolDir={lab}/slurmd
SlurmctldLogFile={lab}/log/slurmctld.log
SlurmdLogFile={lab}/log/slurmd.log
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=3 RealMemory=32000 Gres=gpu:1 State=UNKNOWN
PartitionName=lab Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
OWN_CONF = Path("/etc/slurm/slurm.conf")  # where Slurm looks by itself


@dataclass(frozen=True)
class Slurm:
    """A running cluster of one node."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {"SLURM_CONF": str(self.folder / "slurm.conf"), "TMPDIR": str(self.folder / "tmp")}
        return {**os.environ, **own}

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

    @staticmethod
    def until(holds: Callable[[], object], what: str, seconds: float = 120, every: float = 0.2) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            time.sleep(every)

    def idle(self) -> bool:
        seen = subprocess.run(["sinfo", "-h", "-o", "%T"], env=self.environment, capture_output=True, text=True)
        return "idle" in seen.stdout

    def end_jobs(self) -> None:
        self.run("scancel", "--full", "--user", "root")
        self.until(lambda: not self.run("squeue", "-h"), "jobs to end")

    def told(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(f"{log}:\n{log.read_text()[-1500:]}" for log in sorted((self.folder / "log").iterdir()))


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """Slurm from Debian's packages (`make test-cluster` installs them). Needs root, and neither systemd nor cgroups."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]
    assert not missing, f"{missing} are not installed: apt-get install slurm-wlm munge"
    assert os.geteuid() == 0, "the tests start Slurm's daemons: they need root"
    # A short path: sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="slurm.", dir="/tmp") as folder, _cluster(Path(folder)) as cluster:
        yield cluster


@contextlib.contextmanager
def _cluster(lab: Path) -> Iterator[Slurm]:
    for name in ("ctld", "slurmd", "log", "tmp"):
        (lab / name).mkdir()
    key = lab / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = _free_ports(2)
    facts = {"host": host, "lab": lab, "controller_port": controller_port, "node_port": node_port}
    (lab / "slurm.conf").write_text(CONF.format(**facts))
    (lab / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/null\n")  # any device file will do
    cluster = Slurm(lab)
    munge = [
        "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={lab}/munge.sock",
        f"--pid-file={lab}/munge.pid", f"--log-file={lab}/log/munge.log", f"--seed-file={lab}/munge.seed",
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        _be_found(lab / "slurm.conf", stack)
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            log = stack.enter_context((lab / "log" / f"{command[0]}.out").open("wb"))
            # Not even a killed test leaves them behind.
            daemon = ["setpriv", "--pdeathsig", "TERM", *command]
            stack.callback(_end, subprocess.Popen(daemon, env=cluster.environment, stdout=log, stderr=log))
            if command is munge:
                cluster.until(lambda: (lab / "munge.sock").exists(), "munged to start")
        try:
            cluster.until(cluster.idle, "an idle node")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cluster.told()}") from None
        stack.callback(cluster.end_jobs)
        yield cluster


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _be_found(conf: Path, stack: contextlib.ExitStack) -> None:
    """Let Slurm's commands find the file by themselves: Snakemake's job step drops SLURM_CONF before it calls srun."""
    assert not OWN_CONF.exists() or OWN_CONF.is_symlink(), f"{OWN_CONF} exists: this machine has a Slurm of its own"
    OWN_CONF.parent.mkdir(exist_ok=True)
    OWN_CONF.unlink(missing_ok=True)
    OWN_CONF.symlink_to(conf)
    stack.callback(OWN_CONF.unlink, missing_ok=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


CONDA = (
    *("conda-lock==4.0.3", "conda-package-handling==2.5.0", "pycosat==0.6.6", "pluggy", "tqdm", "jsonpatch"),
    *("archspec", "frozendict", "platformdirs", "distro", "truststore"),
)
ACTIVATE = 'export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$1" CONDA_SHLVL=1\nexport PATH="$1/bin:$PATH"\n'
CONDARC = """\
custom_channels: {{conda-forge: "file://{channels}"}}
channel_priority: strict
solver: classic
offline: true
notify_outdated_conda: false
pkgs_dirs: ["{root}/pkgs"]
"""


@dataclass(frozen=True)
class Conda:
    """A conda whose conda-forge is a folder."""

    root: Path
    used: Path  # a line for each time that a Python of one of its environments started

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.root / "bin"), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "HOME": str(self.root / "home"), "CONDARC": str(self.root / ".condarc")}


@pytest.fixture(scope="session")
def conda(tmp_path_factory: pytest.TempPathFactory) -> Conda:
    """The conda that conda-lock carries inside, the one that PyPI has, with a channel that is called conda-forge.

    Its package python 3.11 starts a Python without touchstone and records the start. The hash-locked packages are there
    already, so the script that fills the environment has nothing to fetch.
    """
    root, channels = tmp_path_factory.mktemp("conda"), tmp_path_factory.mktemp("channels")
    used = root / "used.txt"
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
    subprocess.run([str(root / "bin/python"), "-m", "pip", "install", "--quiet", *CONDA], check=True)
    packages = next((root / "lib").glob("python3*")) / "site-packages"
    shutil.copytree(packages / "conda_lock/_vendor/conda", packages / "conda")
    for path in (packages / "conda").rglob("*.py"):
        path.write_text(path.read_text().replace("conda_lock._vendor.", ""))
    (root / "conda-meta").mkdir()
    (root / "conda-meta/history").touch()
    (root / "home").mkdir()
    guard = "if __name__ == '__main__':  # conda starts a process to look for CUDA"
    run = "    from conda.cli.main import main\n    sys.exit(main())\n"
    (root / "bin/conda").write_text(f"#!{root}/bin/python\nimport sys\n{guard}\n{run}")
    (root / "bin/conda").chmod(0o755)
    (root / "bin/activate").write_text(ACTIVATE)  # Snakemake calls it with the environment's folder
    (root / ".condarc").write_text(CONDARC.format(channels=channels, root=root))
    python = f'#!/bin/sh\necho "$CONDA_PREFIX" >>"{used}"\nexec "{without_touchstone(root / "python")}" "$@"\n'
    _channel(
        channels / "conda-forge", {"python": ("3.11.9", {"bin/python": python}), "pip": ("24.0", {"share/pip": "pip"})}
    )
    return Conda(root, used)


def without_touchstone(folder: Path) -> Path:
    """Create a Python that has the packages of these tests, but not the editable install of touchstone.

    That install is a .pth file, and Python ignores such files in a folder that another .pth file names.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages, own = (sysconfig.get_path("purelib", vars=paths) for paths in ({}, {"base": str(folder)}))
    Path(own, "packages.pth").write_text(f"{packages}\n")
    return folder / "bin/python"


def _channel(folder: Path, packages: dict[str, tuple[str, dict[str, str]]]) -> None:
    """Write a conda channel of packages {name: (version, files)}."""
    (folder / "linux-64").mkdir(parents=True)
    (folder / "noarch").mkdir()
    records = {}
    for name, (version, files) in packages.items():
        index = {
            "name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "arch": None,
            "platform": None, "noarch": "generic", "subdir": "noarch", "license": "MIT", "timestamp": 0,
        }  # fmt: skip
        paths = [
            {
                "_path": path, "path_type": "hardlink", "size_in_bytes": len(text),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            }
            for path, text in files.items()
        ]  # fmt: skip
        meta = {
            "info/index.json": json.dumps(index),
            "info/files": "\n".join(files) + "\n",
            "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
            "info/about.json": "{}",
        }
        packed = folder / "noarch" / f"{name}-{version}-0.tar.bz2"
        with tarfile.open(packed, "w:bz2") as tape:
            for path, text in {**meta, **files}.items():
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(text), 0o755 if path.startswith("bin/") else 0o644
                tape.addfile(member, io.BytesIO(text.encode()))
        data = packed.read_bytes()
        digests = {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()}
        records[packed.name] = index | digests | {"size": len(data)}
    for subdir, found in (("noarch", records), ("linux-64", {})):
        content = {"info": {"subdir": subdir}, "packages": found, "packages.conda": {}, "repodata_version": 1}
        (folder / subdir / "repodata.json").write_text(json.dumps(content))
