"""What a run needs in Docker before its containers: the model, and its copies of folders."""

from __future__ import annotations

from collections.abc import Mapping

from docker import DockerClient

from stackproof.engines.base import Say
from stackproof.engines.compose.command_line import CommandLine
from stackproof.engines.compose.copies import WRITTEN, Copies, copy_files
from stackproof.engines.compose.model import Model, effective_model
from stackproof.engines.compose.mounts import copied_folders
from stackproof.engines.compose.ownership import refuse_others
from stackproof.engines.compose.snapshot_images import SnapshotImages
from stackproof.engines.compose.snapshot_places import model_from_snapshot
from stackproof.plan.model import Plan
from stackproof.plan.mounts.settling import without_copies


class Preparing:
    """Makes the model of one run.

    Args:
        client: The Docker Engine.
        compose: Docker Compose for the run.
        labels: What everything of the run is marked with.
    """

    def __init__(
        self, client: DockerClient, compose: CommandLine, labels: Mapping[str, str]
    ) -> None:
        self.client = client
        self.compose = compose
        self.labels = labels
        self.resolved: Model = {}

    def write_model(self, plan: Plan) -> None:
        """Write the model down for Compose; nothing is made."""
        self.compose.write(self._model(plan))

    def make(self, plan: Plan, say: Say) -> Model:
        """Make the copies, and write the model that has them.

        Args:
            plan: The plan.
            say: Takes what could not be copied.

        Returns:
            The model.

        Raises:
            Refused: If volumes or networks of somebody else have the run's names.
            EngineUnavailable: If something must be copied and can't be.
        """
        model = self._model(plan)
        folders = {
            key: folder
            for key, folder in copied_folders(plan).items()
            if model["volumes"].get(key, {}).get("external")
        }
        refuse_others(self.client, _names(model, plan, folders), self.labels)
        refused = Copies(self.client, plan.project, self.labels).make(folders)
        refused |= copy_files(plan)
        if refused:
            plan, said = without_copies(plan, refused)
            for line in said:
                say(f"note: {line}")
            model = self._model(plan)
        self.compose.write(model)
        return model

    def _model(self, plan: Plan) -> Model:
        version = str(self.client.version()["ApiVersion"])
        self.resolved = self.compose.resolve(plan)
        model = effective_model(self.resolved, plan, self.labels, version)
        kept = SnapshotImages.read(self.compose.folder)
        if kept is not None:
            model = model_from_snapshot(model, kept.places, kept.names, self.labels)
        return model


def _names(model: Model, plan: Plan, copies: Mapping[str, object]) -> dict[str, str]:
    """Names in Docker of what the run makes, with the kind of each."""
    own = {
        volume["name"]: "volume"
        for volume in model["volumes"].values()
        if not volume.get("external")
    }
    for key in copies:
        name = f"{plan.project}_{key}"
        own |= {name: "volume", f"{name}{WRITTEN}": "volume"}
    return own | {network["name"]: "network" for network in model["networks"].values()}
