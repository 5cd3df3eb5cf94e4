"""The settings as a flow run sees them: file, variables, and blocks where those are silent."""

from http import HTTPStatus
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from blocks.accounts import (
    ArchiveStorage,
    Catalogue,
    EngineChoice,
    HubAccount,
    NotificationAccount,
)
from geobservatory.settings import Settings, load_with_origins

# A kind of which there is one is read from the block of this name.
_DEFAULT_NAME = "default"


def settings_with_blocks() -> Settings:
    """Read the settings in force for a flow run.

    Hubs of blocks are added to those of the settings; other blocks (named ``default``) count
    where neither the file nor a variable says anything of their section.
    """
    settings, origins = load_with_origins()
    said = {key[0] for key in origins}
    given: dict[str, Any] = {}
    known = {hub.name for hub in settings.hubs}
    new_hubs = tuple(hub for hub in _hub_accounts() if hub.name not in known)
    if new_hubs:
        given["hubs"] = (*settings.hubs, *new_hubs)
    if "data_dir" not in said and (archive := _find(ArchiveStorage)):
        given["data_dir"] = archive.data_dir
    if "database_url" not in said and (catalogue := _find(Catalogue)):
        given["database_url"] = catalogue.database_url
    if "engine" not in said and (engine := _find(EngineChoice)):
        given["engine"] = engine.settings
    if "notification" not in said and (notification := _find(NotificationAccount)):
        given["notification"] = notification.to_settings()
    return settings.model_copy(update=given)


def _hub_accounts() -> list[Any]:
    with get_client(sync_client=True) as client:
        try:
            documents: list[BlockDocument] = client.read_block_documents_by_type(
                HubAccount.get_block_type_slug(), include_secrets=True
            )
        except PrefectHTTPStatusError as error:
            # A server nobody has set up knows no such kind of block, so there are none.
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return []
    return [
        HubAccount._from_block_document(document).to_settings(str(document.name))
        for document in documents
    ]


def _find(kind: Any) -> Any:
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(
                _DEFAULT_NAME, kind.get_block_type_slug(), include_secrets=True
            )
        except ObjectNotFound:
            return None
    return kind._from_block_document(document)
