"""How many physical cores are free to this process."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

SIBLINGS = ("core_cpus_list", "thread_siblings_list")
"""Files of a processor's topology that list the hyperthreads of its core: new name, old name."""


def free_cores(root: Path = Path("/"), allowed: Collection[int] | None = None) -> int:
    """Physical cores that the affinity mask and the control groups' quotas leave to this process; at least 1.

    `allowed` are the numbers of the processors that it may run on, by default its affinity. What other processes use
    is not guessed. Where the system tells nothing below `root`, each processor counts as a core, without a quota.
    """
    if allowed is None:
        mask = hasattr(os, "sched_getaffinity")
        allowed = os.sched_getaffinity(0) if mask else range(os.cpu_count() or 1)
    cores = {_siblings(root, cpu) for cpu in allowed}
    return max(1, int(min([len(cores), *_quotas(root)])))


def _siblings(root: Path, cpu: int) -> str:
    topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    return next((text for name in SIBLINGS if (text := _read(topology / name))), str(cpu))


def _quotas(root: Path) -> Iterator[float]:
    """Cores' worth of time that each control group around this process may use; groups without a quota are left out."""
    groups = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        if not controllers:
            for folder in _upwards([groups, groups / "unified"], own):
                yield from _share(_read(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _upwards([groups / controllers, groups / "cpu"], own):
                yield from _share(f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}")


def _upwards(mounts: list[Path], group: str) -> Iterator[Path]:
    """The folders of a group and of all groups around it; in a container the mount itself may be the group."""
    inside = PurePosixPath(*(part for part in PurePosixPath(group).parts if part not in ("/", "..")))
    for mount in mounts:
        yield from (mount / level for level in (inside, *inside.parents))


def _share(text: str) -> Iterator[float]:
    """Quota over period; nothing where there is no quota: `max`, -1 or no file."""
    words = text.split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
        yield int(words[0]) / int(words[1])


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""
