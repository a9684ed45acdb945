"""A container that has ended while it is waited for: given up, or given another try."""

import pytest

from stackproof.engines.compose.begun import BegunService
from stackproof.errors import ServiceExited
from stackproof.plan.model import ServicePlan
from stackproof_redaction import Redactor


class Containers:
    """One container, which has ended."""

    def __init__(self, code, policy, *, most=0, restarts=0):
        self.found = {
            "State": {"Status": "exited", "ExitCode": code},
            "HostConfig": {"RestartPolicy": {"Name": policy, "MaximumRetryCount": most}},
            "RestartCount": restarts,
        }

    def inspect(self, _service):
        return self.found

    def lines(self, _service, _redactor, *, tail):
        return []


def service(containers, *, deaths=1, one_shot=False):
    plan = ServicePlan("web", (), {}, one_shot=one_shot)
    return BegunService(plan, containers, Redactor(), deaths=deaths)


@pytest.mark.parametrize(
    ("code", "policy", "bounds"),
    [
        (1, "no", {}),
        (0, "no", {}),
        (0, "on-failure", {}),
        (1, "on-failure", {"most": 2, "restarts": 2}),
    ],
)
def test_a_container_that_docker_does_not_start_again_is_given_up(code, policy, bounds):
    with pytest.raises(ServiceExited, match=f"web exited with status {code}"):
        service(Containers(code, policy, **bounds)).ensure_it_runs()


@pytest.mark.parametrize(
    ("code", "policy", "bounds"),
    [
        (0, "always", {}),
        (1, "unless-stopped", {}),
        (1, "on-failure", {}),
        (1, "on-failure", {"most": 2, "restarts": 1}),
    ],
)
def test_a_container_that_docker_starts_again_is_waited_for(code, policy, bounds):
    service(Containers(code, policy, **bounds)).ensure_it_runs()


def test_one_that_ends_again_and_again_is_given_up_whatever_its_policy():
    with pytest.raises(ServiceExited, match="3 times in a row"):
        service(Containers(1, "always"), deaths=3).ensure_it_runs()


def test_a_good_end_of_a_service_that_is_to_end_is_no_failure():
    service(Containers(0, "no"), one_shot=True).ensure_it_runs()
