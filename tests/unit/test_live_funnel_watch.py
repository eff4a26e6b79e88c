"""Funnel files that change under a running worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from processors.live.funnel_watch import FunnelWatch
from schemas.funnel import FunnelError, load_funnels

LEAD = (Path(__file__).parent.parent.parent / "docs" / "funnels" / "lead_form.toml").read_text()


def write(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, (at, at))


def names(watch: FunnelWatch) -> list[tuple[str, int]] | None:
    funnels = watch.changed()
    return None if funnels is None else [(f.name, f.version) for f in funnels][2:]


def test_without_a_folder_nothing_ever_changes() -> None:
    assert FunnelWatch(None, load_funnels()).changed() is None


def test_files_are_read_when_they_change(tmp_path: Path) -> None:
    watch = FunnelWatch(tmp_path, load_funnels(tmp_path))
    assert names(watch) is None
    write(tmp_path / "lead.toml", LEAD, 1)
    assert names(watch) == [("lead_form", 1)]
    assert names(watch) is None
    write(tmp_path / "lead.toml", LEAD.replace("version = 1", "version = 2"), 2)
    assert names(watch) == [("lead_form", 2)]
    write(tmp_path / "lead.toml", "# a comment\n" + LEAD.replace("version = 1", "version = 2"), 3)
    assert names(watch) is None, "the same funnels in other words"
    (tmp_path / "lead.toml").unlink()
    assert names(watch) == []


def test_a_broken_file_is_told_once_and_mended_later(tmp_path: Path) -> None:
    watch = FunnelWatch(tmp_path, load_funnels(tmp_path))
    write(tmp_path / "lead.toml", "name = 3", 1)
    with pytest.raises(FunnelError, match=r"lead\.toml"):
        watch.changed()
    assert names(watch) is None
    write(tmp_path / "lead.toml", LEAD, 2)
    assert names(watch) == [("lead_form", 1)]
