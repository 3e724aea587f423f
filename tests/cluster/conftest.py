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
import tarfile
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
MinJobAge=7200
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
    # Snakemake's job step drops SLURM_CONF, so that srun inside a job looks where Slurm looks by itself.
    place = Path("/etc/slurm/slurm.conf")
    assert not place.exists() or place.is_symlink(), f"{place} exists: this machine has a Slurm of its own"
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(lab / "slurm.conf")
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
        stack.callback(place.unlink, missing_ok=True)
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

    Its package python 3.11 starts the Python of these tests and writes down that it did; the hash-locked packages are
    there already, so that what fills the environment has nothing to fetch.
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
    python = f'#!/bin/sh\necho "$CONDA_PREFIX" >>"{used}"\nexec "{sys.executable}" "$@"\n'
    _channel(
        channels / "conda-forge", {"python": ("3.11.9", {"bin/python": python}), "pip": ("24.0", {"share/pip": "pip"})}
    )
    return Conda(root, used)


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
