"""Settings: where values come from, and what is said of wrong ones."""

from pathlib import Path

import pytest

from geobservatory.errors import ConfigurationError
from geobservatory.settings import load_settings, load_with_origins
from geobservatory.settings.load import examine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "geobs.toml"
    file.write_text(text)
    return file


def test_defaults_need_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOBS_DATA_DIR")
    settings, origins = load_with_origins()
    assert settings.data_dir.name == "geobservatory"
    assert settings.database_url is None
    assert origins == {}


def test_variables_win_over_the_file_and_each_knows_its_origin(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(folder, "[engine]\nspacing_m = 30\nthreads = 4\n")
    monkeypatch.setenv("GEOBS_ENGINE__THREADS", "2")
    settings, origins = load_with_origins()
    assert settings.engine.spacing_m == 30
    assert settings.engine.threads == 2
    assert str(origins["engine", "spacing_m"]) == f"{file}:2"
    assert str(origins["engine", "threads"]) == "GEOBS_ENGINE__THREADS"


def test_the_file_is_named_or_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = folder / "no-configuration" / "geobservatory"
    user.mkdir(parents=True)
    write(user, "[services]\nprefect_port = 1111\n")
    assert load_settings().services.prefect_port == 1111
    write(folder, "[services]\nprefect_port = 2222\n")
    assert load_settings().services.prefect_port == 2222
    other = folder / "other.toml"
    other.write_text("[services]\nprefect_port = 3333\n")
    monkeypatch.setenv("GEOBS_CONFIG", str(other))
    assert load_settings().services.prefect_port == 3333
    monkeypatch.setenv("GEOBS_CONFIG", str(folder / "absent.toml"))
    with pytest.raises(ConfigurationError, match="GEOBS_CONFIG names"):
        load_settings()


def test_hubs_from_a_variable_replace_those_of_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, '[[hubs]]\nname = "a"\nkind = "dhus"\naddress = "https://a"\n')
    assert [hub.name for hub in load_settings().hubs] == ["a"]
    monkeypatch.setenv("GEOBS_HUBS", '[{"name": "b", "kind": "asf", "address": "https://b"}]')
    assert [hub.name for hub in load_settings().hubs] == ["b"]


HUB = '[[hubs]]\nname = "a"\nkind = "dhus"\naddress = "https://a"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[engine\n", ":1: not TOML"),
        ("a = [1,\n\n b", ":3: not TOML"),
        ("[engine]\n\nthread = 3\n", ":3: engine.thread: no such setting"),
        ("[engine]\nthreads = 0\n", ":2: engine.threads: Input should be greater"),
        ('[engine]\nname = "doris"\n', ":2: engine.name: Input should be"),
        ('[[hubs]]\nname = "a"\nkind = "dhus"\n', ":1: hubs[0].address: Field required"),
        (HUB + HUB, "hubs: two of them are named a"),
        (
            '[[mirror.streams]]\nname = "s"\nhubs = ["x"]\n',
            "mirror.streams: s names no known hub: x",
        ),
        ('[services]\nprefect_port = "x"\n', ":2: services.prefect_port"),
    ],
)
def test_faults_have_a_place_and_a_reason(folder: Path, text: str, fault: str) -> None:
    write(folder, text)
    with pytest.raises(ConfigurationError) as error:
        load_settings()
    assert fault in str(error.value)


def test_every_fault_is_found_at_once(folder: Path) -> None:
    file = write(folder, "[engine]\nthread = 1\nspacing_m = -1\n[dem]\ndatum = 'NN'\n")
    assert len(examine(file)[2]) == 3


def test_a_variable_that_is_no_json_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOBS_HUBS", "[{")
    with pytest.raises(ConfigurationError, match="GEOBS_HUBS: not valid JSON"):
        load_settings()


def test_secrets_are_in_no_representation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", "postgresql://me:geheim@h/d")
    write(folder, HUB + 'password = "geheim"\n')
    assert "geheim" not in repr(load_settings())
