"""Signed statements about evidence files: in-toto statements with SLSA provenance, signed by ssh-keygen.

The signature is OpenSSH's own format, so `ssh-keygen -Y verify` checks it without touchstone and without a network.

References:
    in-toto Statement v1, https://in-toto.io/Statement/v1; SLSA provenance v1, https://slsa.dev/provenance/v1.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from touchstone.digests import canonical, file_digest
from touchstone.evidence.problems import SIGNATURE, Result
from touchstone.evidence_files.archive import Evidence
from touchstone.messages import first_line
from touchstone.pipeline.provenance import sidecar_files, whole_files

STATEMENT, SIGNATURE_FILE = ".statement.json", ".sig"
NAMESPACE = "touchstone"  # an ssh signature names its purpose, so one that was made for another purpose is refused
TYPE, PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
BUILD = "urn:touchstone:evidence:1"
MISSING = "ssh-keygen is not installed; it comes with OpenSSH"


def statement(path: Path, evidence: Evidence) -> dict[str, Any]:
    """Return the statement about an evidence file: what it is, and what it was made from by which code.

    Args:
        path: The evidence file.
        evidence: Its manifest.
    """
    about = evidence.about
    made = {"name": "evidence.json", "digest": _digest(evidence.digest)}
    root = [{"name": "root", "digest": _digest(about["root"])}] if "root" in about else []
    inputs = [
        {
            "uri": name.removesuffix(sidecar_files.SIDECAR),
            "digest": _digest(entry.digest),
            "annotations": {"of": "its record"},
        }
        for name, entry in evidence.entries.items()
        if name.startswith("data/raw/")
    ]
    settings = [
        {"uri": name, "digest": _digest(entry.digest)}
        for name, entry in evidence.entries.items()
        if name.endswith(".yaml")
    ]
    return {
        "_type": TYPE,
        "subject": [{"name": path.name, "digest": _digest(file_digest(path))}, made, *root],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    name: about[name] for name in ("study", "claims", "eps", "norm") if name in about
                },
                "internalParameters": {name: about[name] for name in ("touchstone", "verdict_code") if name in about},
                "resolvedDependencies": [*settings, *inputs],
            },
            "runDetails": {"builder": {"id": BUILD}},
        },
    }


def _digest(text: str) -> dict[str, str]:
    return {"sha256": text.removeprefix("sha256:")}


def _check_installed(flag: str) -> None:
    if shutil.which("ssh-keygen") is None:
        raise ValueError(f"{flag}: {MISSING}")


def check_key(key: Path) -> None:
    """Check, before evidence is written, that it can be signed.

    Raises:
        ValueError: There is no ssh-keygen.
        FileNotFoundError: There is no such key.
    """
    _check_installed("--sign")
    if not key.is_file():
        raise FileNotFoundError(2, "no such key; `ssh-keygen -t ed25519 -f KEY` creates one", str(key))


def sign(path: Path, evidence: Evidence, key: Path) -> list[Path]:
    """Write the statement about an evidence file and its signature beside the file; return their paths.

    Args:
        path: The evidence file.
        evidence: Its manifest.
        key: The file of an SSH key. If the key has a passphrase, ssh-keygen asks for it or uses ssh-agent.

    Raises:
        ValueError: ssh-keygen did not sign; the message is its own.
    """
    check_key(key)
    target = path.with_name(path.name + STATEMENT)
    whole_files.write_whole(target, (canonical(statement(path, evidence)) + "\n").encode())
    signature = target.with_name(target.name + SIGNATURE_FILE)
    signature.unlink(missing_ok=True)
    _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(target)])
    return [target, signature]


def check(path: Path, signers: Path | None, result: Result) -> None:
    """Check the statement beside an evidence file, if there is one, and its signature.

    Args:
        path: The evidence file.
        signers: The keys that may have signed it, in ssh's format allowed_signers; None to check no signature.
        result: Receives what was proved, or the problem.

    Raises:
        ValueError: A signature is to be checked, and there is no ssh-keygen.
        FileNotFoundError: There is no such file of signers.
    """
    target = path.with_name(path.name + STATEMENT)
    signature = target.with_name(target.name + SIGNATURE_FILE)
    if signers is None:
        unsigned = (
            "nobody signed it"
            if not signature.is_file()
            else "its signature: name the keys that you trust, --signers FILE"
        )
        result.trusted.append(f"who wrote it: {unsigned}")
        return
    if not signers.is_file():
        raise FileNotFoundError(2, "no such file of allowed signers", str(signers))
    _check_installed("--signers")
    missing = [file.name for file in (target, signature) if not file.is_file()]
    if missing:
        result.add(SIGNATURE, path.name, f"is not signed: {', '.join(missing)} is not beside it")
        return
    with result.reading(SIGNATURE, target.name, "its signature does not hold"):
        found = _run(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)])
        signer = found.splitlines()[0]
        checked = ["-Y", "verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(signature)]
        data = target.read_bytes()
        _run(checked, data)
        stated = [subject["digest"] for subject in json.loads(data)["subject"]]
        if _digest(file_digest(path)) not in stated:  # the digest decides: a file may be renamed
            raise ValueError("the signed statement is about other bytes than this evidence file's")
        result.proved.append(f"{signer} signed it, says ssh-keygen")


def _run(arguments: Sequence[str], data: bytes | None = None) -> str:
    """Run ssh-keygen; ValueError with its message if it fails."""
    done = subprocess.run(["ssh-keygen", *arguments], input=data, capture_output=True)
    if done.returncode:
        text = (done.stderr or done.stdout).decode(errors="replace")
        raise ValueError(f"ssh-keygen: {first_line(ValueError(text))}")
    return done.stdout.decode(errors="replace")
