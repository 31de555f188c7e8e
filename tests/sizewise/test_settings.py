"""Settings in layers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sizewise import settings as module
from sizewise.settings import SECTIONS, Given, Settings, SettingsError, keys_of, load, shown


@dataclass(frozen=True)
class Inner:
    depth: int = 1
    sasl_plain_password: str = ""


@dataclass(frozen=True)
class Item:
    match: str
    share: float = 1.0


@dataclass(frozen=True)
class Room:
    count: int = 1
    name: str = "x"
    on: bool = False
    tags: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    perhaps: tuple[str, ...] | None = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}; it must be at least 0")


@pytest.fixture(autouse=True)
def _one_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "SECTIONS", {"room": f"{__name__}:Room", "api": SECTIONS["api"]})
    monkeypatch.chdir(tmp_path)


def loaded(toml: str = "", env: dict[str, str] | None = None, flags: dict[str, object] | None = None) -> Settings:
    file = Path("given.toml")
    file.write_text(toml)
    given_flags = {name: Given(value, "flag", "--flag") for name, value in (flags or {}).items()}
    return load(["room"], env or {}, given_flags, file)


LAYERS = st.fixed_dictionaries(
    {}, optional={"file": st.integers(0, 99), "environment": st.integers(0, 99), "flag": st.integers(0, 99)}
)


@given(LAYERS)
def test_the_last_layer_that_gives_a_value_wins_and_is_remembered(layers: dict[str, int]) -> None:
    """default 1 < file < environment < flag, whichever of them speak."""
    settings = loaded(
        f"[room]\ncount = {layers['file']}\n" if "file" in layers else "",
        {"SIZEWISE_ROOM__COUNT": str(layers["environment"])} if "environment" in layers else {},
        {"room.count": str(layers["flag"])} if "flag" in layers else {},
    )
    winner = next((name for name in ("flag", "environment", "file") if name in layers), None)
    assert settings["room"].count == (layers[winner] if winner else 1)
    origin = settings.origins.get("room.count")
    assert (origin.layer if origin else None) == winner


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20), st.booleans())
def test_text_from_the_environment_means_what_it_means_in_toml(text: str, on: bool) -> None:
    """A string stays as it is, `true` is a bool, nested keys have two underscores."""
    env = {"SIZEWISE_ROOM__NAME": text, "SIZEWISE_ROOM__ON": str(on).lower(), "SIZEWISE_ROOM__INNER__DEPTH": "7"}
    room = loaded(env=env)["room"]
    assert (room.name, room.on, room.inner.depth) == (text, on, 7)


def test_lists_from_the_environment_are_separated_by_commas_or_json() -> None:
    """Both spellings, and a list of tables as JSON."""
    assert loaded(env={"SIZEWISE_ROOM__TAGS": "a, b"})["room"].tags == ("a", "b")
    assert loaded(env={"SIZEWISE_ROOM__TAGS": '["a,b"]'})["room"].tags == ("a,b",)
    assert loaded(env={"SIZEWISE_ROOM__ITEMS": '[{"match": "*"}]'})["room"].items == (Item("*"),)


@pytest.mark.parametrize(("text", "meant"), [("a,b", ("a", "b")), ("[]", ()), ("", ())])
def test_a_list_that_need_not_be_there_may_be_empty(text: str, meant: tuple[str, ...]) -> None:
    """Empty is not the same as not given."""
    assert loaded(env={"SIZEWISE_ROOM__PERHAPS": text})["room"].perhaps == meant
    assert loaded()["room"].perhaps is None


WRONG = [
    ("[room]\ncuont = 3\n", {}, r"given.toml line 2: unknown setting room.cuont = 3; did you mean room.count\?"),
    ("[room]\n\ncount = 'many'\n", {}, r"given.toml line 3: room.count = 'many' does not fit: Expected `int`"),
    ("[romo]\n", {}, r"given.toml: unknown section \[romo\]; did you mean room\?"),
    ("[room.inner]\ndeptx = 1\n", {}, r"line 2: unknown setting room.inner.deptx = 1; did you mean room.inner.depth\?"),
    ("[[room.items]]\nmatch = 'a'\nshar = 2\n", {}, r"line 1: room.items .* unknown field shar; did you mean share\?"),
    ("[room]\ncount = -1\n", {}, r"\[room\] count is -1; it must be at least 0 \(given by given.toml line 2\)"),
    ("[room\n", {}, r"given.toml is no valid TOML: .*line 1"),
    ("", {"SIZEWISE_ROOM__CUONT": "3"}, r"unknown setting room.cuont = '3'; did you mean SIZEWISE_ROOM__COUNT\?"),
    (
        "",
        {"SIZEWISE_ROOM_COUNT": "3"},
        r"SIZEWISE_ROOM_COUNT='3': no such setting; did you mean SIZEWISE_ROOM__COUNT\?",
    ),
    ("", {"SIZEWISE_ROOM__COUNT": "x"}, r"SIZEWISE_ROOM__COUNT: room.count = 'x' does not fit: Expected `int`"),
    ("", {"SIZEWISE_ROOM__ITEMS": "[{"}, r"SIZEWISE_ROOM__ITEMS: room.items = '\[\{' does not fit"),
]


@pytest.mark.parametrize(("toml", "env", "message"), WRONG)
def test_an_error_names_key_value_place_and_the_nearest_key(toml: str, env: dict[str, str], message: str) -> None:
    """Whatever is wrong, one line tells where to look and what was probably meant."""
    with pytest.raises(SettingsError, match=message):
        loaded(toml, env)


def test_a_secret_is_masked_even_in_its_own_error() -> None:
    """Neither `sizewise config` nor an error shows a password."""
    keys = {key.name: key for key in keys_of(Room, "room")}
    assert shown(keys["room.inner.sasl_plain_password"], "hunter2") == "***"
    assert shown(keys["room.name"], "x") == "x"
    with pytest.raises(SettingsError) as caught:
        loaded("[room.inner]\nsasl_plain_password = 12\n")
    assert "12" not in str(caught.value).replace("line 2", "")
    with pytest.raises(SettingsError) as caught:
        loaded("", {"SIZEWISE_TOKENS": "szw_x"})
    assert "szw_x" not in str(caught.value)


def test_what_says_who_asks_is_no_setting() -> None:
    """SIZEWISE_TOKEN for --url, and what Slurm's filter reads, may stand in the environment of any command."""
    environ = {"SIZEWISE_TOKEN": "szw_x", "SIZEWISE_URL": "https://sizewise", "SIZEWISE_CLUSTER": "linux"}
    assert loaded("", environ) == loaded("", {})


def test_what_kubernetes_sets_beside_a_service_is_no_setting() -> None:
    """A Service called sizewise-room puts these into every pod; none of them is an error or a value."""
    env = {
        "SIZEWISE_SERVICE_HOST": "10.0.0.1",
        "SIZEWISE_ROOM_SERVICE_PORT": "80",
        "SIZEWISE_ROOM_SERVICE_PORT_HTTP": "80",
        "SIZEWISE_ROOM_PORT": "tcp://10.0.0.1:80",
        "SIZEWISE_ROOM_PORT_80_TCP_ADDR": "10.0.0.1",
        "SIZEWISE_STATE": "/var/lib/sizewise",
    }
    assert loaded(env=env)["room"] == Room()


def test_other_roles_sections_are_checked_by_name_only() -> None:
    """A file for the whole installation serves every role; a role does not import the others to read it."""
    assert loaded("[api]\nport = 'not looked at'\n[room]\ncount = 2\n")["room"].count == 2


def test_a_named_file_must_exist_and_the_default_file_need_not() -> None:
    """--config and SIZEWISE_CONFIG name a file; ./sizewise.toml is read when it is there."""
    assert load(["room"], {})["room"] == Room()
    with pytest.raises(SettingsError, match=r"cannot read settings file no.toml: No such file .* --config"):
        load(["room"], {"SIZEWISE_CONFIG": "no.toml"})
    Path("sizewise.toml").write_text("[room]\ncount = 5\n")
    assert load(["room"], {})["room"].count == 5


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_the_product_loads_from_its_defaults(section: str) -> None:
    """Each room's dataclass is found, and accepts its own defaults."""
    name, _, cls = SECTIONS[section].partition(":")
    room = getattr(importlib.import_module(name), cls)
    assert keys_of(room, section)
    assert room() == room()
