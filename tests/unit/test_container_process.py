"""Which process of this machine is a container's: none, where the Docker Engine runs elsewhere."""

import os

from stackproof.engines.compose.stopping import process_of


def test_a_process_that_is_not_in_the_containers_group_is_not_the_containers():
    """Its number may be that of somebody's editor; a kill must go through the engine then."""
    assert process_of({"Id": "f" * 64, "State": {"Pid": os.getpid()}}) is None


def test_a_container_that_does_not_run_has_no_process():
    assert process_of({"Id": "f" * 64, "State": {"Pid": 0}}) is None
