"""Where something was measured, in words."""

import platform
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from lineage_lab.comparing.provenance import provenance


def test_hardware_versions_and_date_are_all_said() -> None:
    found = provenance()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["threads"] == str(torch.get_num_threads())
    assert all(isinstance(value, str) and value for value in found.values())


def test_what_the_system_does_not_tell_is_said_to_be_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(Path, "is_file", lambda _: False)
    monkeypatch.setattr("os.sysconf", lambda _: (_ for _ in ()).throw(ValueError()))
    monkeypatch.setattr("lineage_lab.comparing.provenance.version", missing)
    found = provenance()
    assert found["processor"]
    assert found["bf16_instructions"] == "none known"
    assert found["memory"] == "not known"
    assert found["timm"] == "none"
