"""Which connector speaks to which kind of hub."""

from pathlib import Path

from geobservatory.catalog.database import Catalog
from geobservatory.errors import ConfigurationError
from geobservatory.hubs.asf import AsfConnector
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.dataspace import DataspaceConnector
from geobservatory.hubs.dhus import DhusConnector
from geobservatory.hubs.folder import FolderConnector
from geobservatory.hubs.mirror import MirrorConnector
from geobservatory.settings.model import Hub, HubKind


def connect(hub: Hub, data_dir: Path, catalog: Catalog | None = None) -> Connector:
    """Make the connector of a hub; nothing is asked of it yet.

    Parameters
    ----------
    hub
        Its settings.
    data_dir
        Where what outlives a process is kept (tokens).
    catalog
        What a mirror answers from.

    Raises
    ------
    ConfigurationError
        If the account is not of the kind the hub takes.
    """
    match hub.kind:
        # Another instance of this system serves its products as a DHuS does.
        case HubKind.DHUS | HubKind.GEOBSERVATORY:
            return DhusConnector(hub)
        case HubKind.CDSE:
            return DataspaceConnector(hub, data_dir / "tokens")
        case HubKind.ASF:
            return AsfConnector(hub)
        case HubKind.FOLDER:
            return FolderConnector(hub)
        case HubKind.MIRROR:
            if catalog is None:
                raise ConfigurationError(f"hub {hub.name}: a mirror answers from the catalogue")
            return MirrorConnector(hub, catalog)
