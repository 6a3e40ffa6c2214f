"""How much memory there is, as this machine and its cgroups say."""

from pathlib import Path

from subpixel.system import machine_memory as machine


def _cgroup(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text + "\n")


def test_the_tightest_cgroup_counts(tmp_path: Path) -> None:
    root, membership = tmp_path / "cgroup", tmp_path / "self"
    stat = "anon 5\ninactive_file 200\nactive_file 100"
    _cgroup(root / "a", memory_max="5000", memory_current="1300", memory_stat=stat)
    _cgroup(root / "a/b", memory_max="max", memory_current="900", memory_stat=stat)
    membership.write_text("0::/a/b\n")
    assert list(machine._free_in_cgroups(root, membership)) == [4000]
    _cgroup(root / "a/b", memory_max="2000", memory_current="900", memory_stat=stat)
    assert list(machine._free_in_cgroups(root, membership)) == [1400, 4000]


def test_no_cgroups_no_limit(tmp_path: Path) -> None:
    assert list(machine._free_in_cgroups(tmp_path, tmp_path / "missing")) == []
    (tmp_path / "self").write_text("0::/\n")
    assert list(machine._free_in_cgroups(tmp_path, tmp_path / "self")) == []


def test_there_is_some_memory() -> None:
    assert 0 < machine.free_memory() < 1 << 60
    assert machine.resident() > 10**6
