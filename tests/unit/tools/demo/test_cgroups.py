from __future__ import annotations

from tools.demo import cgroups


def test_the_first_versions_controllers_are_those_with_a_hierarchy():
    listed = (
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
        "cpu\t3\t10\t1\npids\t9\t10\t1\nmemory\t0\t10\t1\nhugetlb\t4\t1\t0\n"
    )
    assert cgroups.controllers(listed) == ["cpu", "pids"]


def test_mounts_say_whether_they_may_be_written_to():
    listed = (
        "30 20 0:26 / /sys rw - sysfs sysfs rw\n"
        "31 30 0:28 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw\n"
        "32 31 0:29 /docker/a /sys/fs/cgroup/cpu ro,nosuid master:4 - cgroup cgroup rw,cpu\n"
    )
    assert cgroups.mounts(listed) == [
        ("/sys/fs/cgroup", "tmpfs", True),
        ("/sys/fs/cgroup/cpu", "cgroup", False),
    ]
