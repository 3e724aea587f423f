"""Signed statements on a machine that cannot check them."""

import pytest

from touchstone.evidence import attestation
from touchstone.evidence.problems import Result


def test_without_ssh_keygen_a_signature_is_not_called_forged(tmp_path, monkeypatch):
    signers = tmp_path / "signers"
    signers.write_text("author@example.org ssh-ed25519 AAAA\n")
    for end in (attestation.STATEMENT, attestation.STATEMENT + attestation.SIGNATURE_FILE):
        (tmp_path / f"e{end}").write_text("{}")
    monkeypatch.setattr(attestation.shutil, "which", lambda name: None)
    result = Result("evidence")

    with pytest.raises(ValueError, match="--signers: ssh-keygen is not installed"):
        attestation.check(tmp_path / "e", None, signers, result)
    assert result.problems == []
