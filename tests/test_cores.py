"""Free cores are read from the system's files, here written by hand; the answers are counted on fingers."""

import os

import pytest

from tauten.cores import free_cores


def system(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n", encoding="utf-8")
    return root


def topology(cores, name="core_cpus_list"):
    """Files of a machine whose cores have these processors, such as (0, 4)."""
    return {
        f"sys/devices/system/cpu/cpu{cpu}/topology/{name}": ",".join(map(str, core)) for core in cores for cpu in core
    }


FOUR = [(0, 4), (1, 5), (2, 6), (3, 7)]
UNBOUND = {"proc/self/cgroup": "0::/user.slice/job", "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000"}


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_hyperthreads_of_a_core_count_once(tmp_path, name):
    root = system(tmp_path, topology(FOUR, name) | UNBOUND)
    assert free_cores(root, range(8)) == 4
    assert free_cores(root, {0, 4}) == 1
    assert free_cores(root, {0, 1, 5}) == 2
    assert free_cores(root, {7}) == 1


def test_the_tightest_quota_around_the_process_counts(tmp_path):
    machine = topology([(cpu,) for cpu in range(8)]) | {"proc/self/cgroup": "0::/pod/job/step"}
    levels = {
        "sys/fs/cgroup/pod/job/step/cpu.max": "max 100000",
        "sys/fs/cgroup/pod/job/cpu.max": "600000 100000",
        "sys/fs/cgroup/pod/cpu.max": "150000 50000",
    }
    assert free_cores(system(tmp_path, machine | levels), range(8)) == 3
    assert free_cores(tmp_path, range(2)) == 2
    assert free_cores(system(tmp_path, {"sys/fs/cgroup/pod/job/cpu.max": "299000 100000"}), range(8)) == 2
    assert free_cores(system(tmp_path, {"sys/fs/cgroup/pod/job/step/cpu.max": "50000 100000"}), range(8)) == 1


def test_another_group_s_quota_does_not_count(tmp_path):
    elsewhere = {"sys/fs/cgroup/user.slice/other/cpu.max": "100000 100000"}
    assert free_cores(system(tmp_path, topology(FOUR) | UNBOUND | elsewhere), range(8)) == 4


@pytest.mark.parametrize("group", ["/", "/docker/8f2e", "/../outside"])
def test_in_a_container_the_mount_itself_is_the_group(tmp_path, group):
    files = {"proc/self/cgroup": f"0::{group}", "sys/fs/cgroup/cpu.max": "200000 100000"}
    outside = {"sys/fs/cpu.max": "100000 100000"}
    assert free_cores(system(tmp_path, topology(FOUR) | files | outside), range(8)) == 2


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_quotas_of_the_first_version_at_two_levels(tmp_path, mount):
    files = {
        "proc/self/cgroup": "9:memory:/box\n4:cpu,cpuacct:/box/job\n1:name=systemd:/box\n0::/",
        f"sys/fs/cgroup/{mount}/box/job/cpu.cfs_quota_us": "-1",
        f"sys/fs/cgroup/{mount}/box/job/cpu.cfs_period_us": "100000",
        f"sys/fs/cgroup/{mount}/box/cpu.cfs_quota_us": "250000",
        f"sys/fs/cgroup/{mount}/box/cpu.cfs_period_us": "100000",
    }
    assert free_cores(system(tmp_path, topology(FOUR) | files), range(8)) == 2


def test_a_quota_of_the_second_version_beside_the_first(tmp_path):
    files = {"proc/self/cgroup": "4:cpu:/\n0::/job", "sys/fs/cgroup/unified/job/cpu.max": "300000 100000"}
    assert free_cores(system(tmp_path, topology(FOUR) | files), range(8)) == 3


def test_files_that_are_missing_or_odd_leave_the_affinity(tmp_path):
    assert free_cores(tmp_path, range(5)) == 5
    odd = {"proc/self/cgroup": "0::/jöb", "sys/fs/cgroup/jöb/cpu.max": "unreadable"}
    assert free_cores(system(tmp_path, odd), {2, 3}) == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_the_affinity_of_this_very_process():
    before = os.sched_getaffinity(0)
    assert 1 <= free_cores() <= len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert free_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
