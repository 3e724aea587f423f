"""Signed statements: of renamed files, of other bytes, and on a machine that cannot check them."""

import subprocess

import pytest

from touchstone.digests import file_digest
from touchstone.evidence import attestation
from touchstone.evidence.problems import Result
from touchstone.evidence_files.archive import Evidence


def test_without_ssh_keygen_a_signature_is_not_called_forged(tmp_path, monkeypatch):
    signers = tmp_path / "signers"
    signers.write_text("author@example.org ssh-ed25519 AAAA\n")
    for end in (attestation.STATEMENT, attestation.STATEMENT + attestation.SIGNATURE_FILE):
        (tmp_path / f"e{end}").write_text("{}")
    monkeypatch.setattr(attestation.shutil, "which", lambda name: None)
    result = Result("evidence")

    with pytest.raises(ValueError, match="--signers: ssh-keygen is not installed"):
        attestation.check(tmp_path / "e", signers, result)
    assert result.problems == []


def signed_by_author(tmp_path):
    """The files of signed evidence, its statement and its signature, and the file of allowed signers."""
    key, signers, signed = tmp_path / "key", tmp_path / "signers", tmp_path / "signed"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "author", "-f", key], check=True)
    signers.write_text(f"author@example.org {key.with_suffix('.pub').read_text()}")
    signed.write_bytes(b"evidence")
    return [signed, *attestation.sign(signed, Evidence("evaluation", {}), key)], signers


def test_a_statement_that_was_changed_after_it_was_signed_does_not_hold(tmp_path):
    (signed, statement, _), signers = signed_by_author(tmp_path)
    before = file_digest(signed).removeprefix("sha256:")
    signed.write_bytes(b"forged")
    text = statement.read_text()
    statement.write_text(text.replace(before, file_digest(signed).removeprefix("sha256:")))
    result = Result("evidence")

    attestation.check(signed, signers, result)

    assert statement.read_text() != text and result.proved == []
    assert "its signature does not hold" in str(result.problems[0])


def test_a_renamed_file_keeps_its_signature_and_other_bytes_do_not(tmp_path):
    files, signers = signed_by_author(tmp_path)
    for file in files:
        file.rename(file.with_name(file.name.replace("signed", "renamed")))
    renamed, result, forged = tmp_path / "renamed", Result("evidence"), Result("evidence")

    attestation.check(renamed, signers, result)
    renamed.write_bytes(b"forged")
    attestation.check(renamed, signers, forged)

    assert (result.proved, result.problems) == (["author@example.org signed it, says ssh-keygen"], [])
    assert "other bytes" in str(forged.problems[0])
