"""The gateway of the tests with the clients that people use."""

import os

from packages.gateway.tests.serving import gateway, server
from tests.gateway_clients.locks import lacks

__all__ = ["gateway", "server"]

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read at its import, which would ask for news


def pytest_configure(config):
    """The clients warn about each other's future, and leave connections to the collector."""
    config.addinivalue_line("filterwarnings", "default")
    config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")


def pytest_ignore_collect(collection_path):
    """Leave out the modules of clients that this environment's lock does not have."""
    return True if lacks(collection_path.stem) else None
