"""Built services: whole or absent, once per recipe."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deploy.services.cache import Cache
from deploy.services.service import Service, ServiceError


def service(recipe: Path, build) -> Service:
    return Service("thing", "1.2", "a thing", "1 s", (), (recipe,), build, start=lambda home, port: None)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe"
    path.write_text("jar 1")
    return path


def test_the_folder_is_chosen_by_the_environment(tmp_path: Path) -> None:
    """SIZEWISE_SERVICES wins over XDG_CACHE_HOME, which wins over ~/.cache."""
    assert Cache.from_environment({"SIZEWISE_SERVICES": str(tmp_path), "XDG_CACHE_HOME": "/x"}).root == tmp_path
    assert Cache.from_environment({"XDG_CACHE_HOME": "/x"}).root == Path("/x/sizewise-services")
    assert Cache.from_environment({}).root == Path.home() / ".cache" / "sizewise-services"


def test_a_service_is_built_once_and_again_when_its_recipe_changes(tmp_path: Path, recipe: Path) -> None:
    """One build per content of the recipe files: 1 after two calls, 2 after a change."""
    built: list[Path] = []
    cache, thing = Cache(tmp_path / "cache"), service(recipe, built.append)
    assert (cache.build(thing, print), cache.build(thing, print), len(built)) == (True, False, 1)
    recipe.write_text("jar 2")
    assert not cache.has(thing)
    assert (cache.build(thing, print), len(built)) == (True, 2)
    assert cache.require(thing).name == "thing-1.2"


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, recipe: Path) -> None:
    """A build that raises half-way is not taken for a built service, and the next one starts from nothing."""

    def build(target: Path) -> None:
        (target / "half").touch()
        raise ServiceError("no network")

    cache = Cache(tmp_path / "cache")
    with pytest.raises(ServiceError, match="no network"):
        cache.build(service(recipe, build), print)
    assert [path.name for path in cache.root.iterdir()] == [".thing.lock"]
    with pytest.raises(ServiceError, match=r"thing 1\.2 is not built: run `make services`"):
        cache.require(service(recipe, build))


def test_two_builds_at_once_make_one(tmp_path: Path, recipe: Path) -> None:
    """The second waits for the first, says so, and finds the work done."""
    inside, go_on, said = threading.Event(), threading.Event(), threading.Event()
    built: list[Path] = []

    def build(target: Path) -> None:
        built.append(target)
        inside.set()
        assert go_on.wait(10)

    cache, thing = Cache(tmp_path / "cache"), service(recipe, build)
    outcome: list[bool] = []
    first = threading.Thread(target=lambda: outcome.append(cache.build(thing, print)))
    second = threading.Thread(target=lambda: outcome.append(cache.build(thing, lambda line: said.set())))
    first.start()
    assert inside.wait(10)
    second.start()
    assert said.wait(10)
    go_on.set()
    first.join(10)
    second.join(10)
    assert (sorted(outcome), len(built)) == ([False, True], 1)
