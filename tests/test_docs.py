"""What users see is documented, and the documentation is true of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from models.metrics import METRICS, NullMeter
from models.reasons import Reason
from models.signals import CPU_SIGNALS, GPU_SIGNALS
from recommender.api.app import create_app
from recommender.api.settings import ApiSettings
from recommender.view import View
from sizewise.docs import PAGES, commands, out_of_date
from sizewise.exits import MEANINGS
from sizewise.settings import SECTIONS, keys_of, section_class

ROOT = Path(__file__).parents[1]
PAGES_OF_PEOPLE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_pages_made_from_the_code_are_up_to_date() -> None:
    """`python -m sizewise.docs` would change nothing."""
    assert out_of_date(ROOT / "docs") == [], "run `python -m sizewise.docs`"
    assert all(f"docs/{name}" in (ROOT / "README.md").read_text() for name in PAGES)


@pytest.mark.parametrize(
    ("words", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_option_is_documented_and_explained(words: str, command: click.Command) -> None:
    """The page has the command; every option of it is there and has a help text."""
    section = text("cli.md").partition(f" sizewise {words}\n")[2].partition("\n## ")[0]
    assert section
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert all(option in section for option in parameter.opts)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_meaning(section: str) -> None:
    """Name, variable and a sentence, which is the docstring under the field."""
    page = text("settings.md")
    for key in keys_of(section_class(section), section):
        row = re.search(rf"^\| `{re.escape(key.name)}` \| .* \| `{key.variable}` \| (.*) \|$", page, re.MULTILINE)
        assert row, key.name
        assert len(row[1]) > 15, f"{key.name} needs a docstring under its field"


def test_every_metric_signal_reason_and_exit_code_is_documented() -> None:
    """The catalogues of the code are on the pages."""
    assert all(f"`{spec.name}`" in text("metrics.md") for spec in METRICS)
    assert all(f"`{signal.name}`" in text("signals.md") for signal in (*CPU_SIGNALS, *GPU_SIGNALS))
    assert all(f"`{str(reason.name).lower().replace('_', '-')}`" in text("signals.md") for reason in Reason)
    assert all(meaning in text("cli.md") for meaning in MEANINGS.values())


def test_every_route_and_every_problem_of_the_api_is_documented() -> None:
    """Each path of the OpenAPI document, and a heading for each problem type that the code can answer."""
    app = create_app(View(), ApiSettings(), NullMeter(), lambda: 0.0, lambda: (b"", ""))
    page = text("api.md")
    for path, item in app.openapi()["paths"].items():
        assert all(f"`{method.upper()} {path.replace(':path', '')}`" in page for method in item)
    source = "".join(file.read_text() for file in (ROOT / "recommender/api").glob("*.py"))
    slugs = set(re.findall(r'Problem\(\s*\d+, "([a-z-]+)"', source))
    assert slugs >= {"unknown-workload", "invalid-parameter", "not-ready"}
    assert all(f"### {slug}\n" in page for slug in slugs)


def anchors(page: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES_OF_PEOPLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page: Path) -> None:
    """Links to files and headings of this repository lead somewhere."""
    body = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", body):
        if not target.startswith(("http://", "https://")):
            file, _, anchor = target.partition("#")
            found = (page.parent / file).resolve() if file else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found.read_text()), target


@pytest.mark.parametrize("page", PAGES_OF_PEOPLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_an_example_exists(page: Path) -> None:
    """Lines of shell examples that call sizewise use a command, and options, that there are; make targets exist."""
    known = dict(commands())
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["make"]:
                assert set(words[1:]) <= targets, line
            elif words and words[0].endswith("sizewise") and len(words) > 1:
                command = known.get(" ".join(words[1:3])) or known[words[1]]
                options = {option for p in command.params for option in p.opts}
                assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, line


def test_every_json_example_of_the_api_page_is_json() -> None:
    """Whole objects parse; fragments parse inside braces."""
    for block in re.findall(r"```json\n(.*?)```", text("api.md"), re.DOTALL):
        assert json.loads(block if block.startswith("{") else "{" + block + "}")


def test_pages_name_files_and_folders_that_exist() -> None:
    """Every path in backticks that begins with a folder of the repository is there."""
    for page in (ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md"):
        for path in re.findall(r"`([a-z_]+/[\w/.]*)`", page.read_text()):
            known = (ROOT / path.partition("/")[0]).is_dir()
            assert not known or (ROOT / path).exists(), f"{page.name} names {path}"
