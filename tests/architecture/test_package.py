"""The package as it is published: small, complete, and described without a broken link."""

import inspect
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen
from readme_renderer import markdown
from twine.commands.check import check

import wxasset
from wxasset import WxSession

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
HOME: Final = PROJECT["urls"]["Homepage"]
FENCED: Final = re.compile(r"^```(?s:.*?)^```$", re.MULTILINE)


@frozen
class Built:
    """Both distributions, and the metadata of the wheel."""

    wheel: Path
    sdist: Path
    metadata: EmailMessage
    description: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the package as a release does, but for the environment of its own."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(directory)], cwd=ROOT, check=True)
    (wheel,) = directory.glob("*.whl")
    (sdist,) = directory.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        content = archive.read(name)
    head, _, body = content.partition(b"\n\n")
    return Built(wheel, sdist, message_from_bytes(head, policy=policy.default), body.decode())


def test_the_package_index_takes_both_distributions(built: Built) -> None:
    """`twine check --strict` has nothing to say."""
    assert check([str(built.wheel), str(built.sdist)], strict=True) is False


def test_the_wheel_is_small(built: Built) -> None:
    """It has the package alone, and next to the code little else: samples, the page, the table of error codes."""
    with zipfile.ZipFile(built.wheel) as archive:
        files = archive.infolist()
    assert {one.filename.partition("/")[0] for one in files} == {"wxasset", f"wxasset-{wxasset.__version__}.dist-info"}
    samples = sum(one.compress_size for one in files if "/samples/" in one.filename)
    beside = sum(one.compress_size for one in files if not one.filename.endswith((".py", ".pyi")))
    total = built.wheel.stat().st_size
    print(f"wheel: {total:,} bytes, of which samples {samples:,} and other data {beside - samples:,}")  # noqa: T201
    assert samples < 50_000
    assert beside < 150_000


def test_the_description_has_no_relative_link(built: Built) -> None:
    """Rendered as the package index does, every link and picture has an address, and code is as in the README."""
    html = markdown.render(built.description)
    assert html is not None
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    places = {f"#{one}" for one in re.findall(r' id="([^"]+)"', html)}
    assert addresses
    assert [one for one in addresses if not one.startswith("https://") and one not in places] == []
    readme = (ROOT / "README.md").read_text("utf-8")
    assert FENCED.findall(built.description) == FENCED.findall(readme)


def test_each_file_that_the_readme_links_to_has_its_address(built: Built) -> None:
    """Pages lead to the site, all else to the version that is published; the source distribution has each file."""
    with tarfile.open(built.sdist) as archive:
        there = {one.partition("/")[2] for one in archive.getnames()}
    links = re.findall(r"(!?)\[[^]]*\]\((?!https?://|#)([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    for picture, path in links:
        assert path in there
        address = f"{HOME}/blob/v{wxasset.__version__}/{path}"
        if picture:
            address = address.replace("https://github.com", "https://raw.githubusercontent.com").replace("/blob/", "/")
        elif path.startswith("docs/"):
            page = re.sub(r"index$", "", path.removeprefix("docs/").removesuffix(".md"))
            address = f"{PROJECT['urls']['Documentation']}{page}".rstrip("/") + "/"
        assert f"]({address})" in built.description


def test_the_metadata_is_true(built: Built) -> None:
    """The version is that of the package, interpreters are those that are accepted, and addresses are its own."""
    assert built.metadata["Version"] == wxasset.__version__
    assert all("wxasset" in url for url in PROJECT["urls"].values())
    minors = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert PROJECT["requires-python"] == f">={minors[0]}"


def test_the_changelog_knows_the_version() -> None:
    """The newest heading is a version with its date, or what is not released, whose text names the version."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = text.split("\n## ")[1]
    dated = re.match(r"\[(\d+\.\d+\.\d+)\]\(https://\S+\) - \d{4}-\d\d-\d\d$", newest, re.MULTILINE)
    assert dated[1] == wxasset.__version__ if dated else newest.startswith("[Unreleased](https://")
    assert wxasset.__version__ in newest
    kinds = re.findall(r"^### (.+)$", newest, re.MULTILINE)
    assert len(kinds) == len(set(kinds)), "what was added stands in one list"
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }


# Without extras

WITHOUT_EXTRAS: Final = '''
import asyncio, sys

class Absent:
    """Finds none of the packages that extras install."""
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import wxasset
print(wxasset.errors.APIError is wxasset.APIError, wxasset.events.Retrying.__name__)
from wxasset.simulator import Simulator

def told(act):
    try:
        act()
    except (ImportError, wxasset.WxAssetError, RuntimeError) as error:
        print(type(error).__name__, error)
    except SystemExit as error:
        print("exit", error.code)
    else:
        print("nothing was said")

def command():
    from wxasset.__main__ import main
    sys.stderr = sys.stdout
    main()

async def intercepted():
    async with Simulator(intercept=True):
        pass

told(lambda: wxasset.otel)
told(lambda: wxasset.starlette)
told(lambda: wxasset.RedisToken("redis://h/0", key="k"))
told(lambda: wxasset.RedisTokenStore("redis://h/0"))
told(lambda: wxasset.PostgresStore("postgresql://h/d"))
told(lambda: asyncio.run(intercepted()))
told(command)
'''


def test_what_needs_an_extra_names_it() -> None:
    """Without extras the package is imported, and each thing that needs one says so in a sentence."""
    extras = ("cyclopts", "rich", "redis", "asyncpg", "starlette", "opentelemetry", "trustme", "cryptography")
    program = f"EXTRAS = {extras!r}\n{WITHOUT_EXTRAS}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[0] == "True Retrying", "`import wxasset` is enough for its modules"
    named = [re.search(r"pip install 'wxasset\[(\w+)\]'", line) for line in said[1:]]
    assert [one and one[1] for one in named] == [
        *("otel", "starlette", "redis", "redis", "postgres", "intercept", "cli"),
        None,
    ], done.stdout
    assert said[-1] == "exit 2"


# The face


def test_the_documentation_of_a_session_explains_each_parameter() -> None:
    """What an editor shows for `WxSession` has every parameter of its constructor."""
    text = inspect.getdoc(WxSession) or ""
    assert re.findall(r"^    (\w+): ", text.partition("Args:")[2].partition("Raises:")[0], re.MULTILINE) == list(
        inspect.signature(WxSession).parameters
    )
