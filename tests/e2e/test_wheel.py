"""What is built is what works: the wheel, installed away from this repository, makes its database and finds its channels."""

import os
import site
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from warnhub.crypto import make_key

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the installed `warnhub` in an empty folder. Its dependencies are those of the tests' own environment."""
    home = tmp_path_factory.mktemp("home")
    python = home / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = home / "venv" / "lib" / version / "site-packages"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(library)
    (library / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("WARNHUB_", "PYTHON"))}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = clean | {"WARNHUB_SECRET_KEY": make_key()}
        command = [python, *arguments]
        return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return call


def test_the_wheel_holds_what_it_must_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    tops = {name.partition("/")[0] for name in names}
    adapters = {path.name for path in (ROOT / "adapters").iterdir() if (path / "__init__.py").exists()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"warnhub", "warnhub_migrations"} | adapters
    for needed in ("warnhub/py.typed", "warnhub/plan/default.yaml", "warnhub/hazards.json", "warnhub_migrations/env.py"):
        assert needed in names
    shipped = set()
    for folder in (ROOT / "src", ROOT / "adapters"):
        meant = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        shipped |= {path.relative_to(folder).as_posix() for path in meant if ".mypy_cache" not in path.parts}
    assert shipped - set(names) == set()


def test_the_wheel_migrates_a_database_and_finds_its_channels(run: Run) -> None:
    where = run("-c", "import warnhub, warnhub_sms; print(warnhub.__file__); print(warnhub_sms.__file__)")
    assert str(ROOT) not in where.stdout
    assert where.stdout.count("site-packages") == 2
    first = run("-m", "warnhub", "db", "upgrade")
    assert first.returncode == 0, first.stderr
    assert "(none)" in first.stdout
    again = run("-m", "warnhub", "db", "status")
    assert (again.returncode, "up to date" in again.stdout) == (0, True), again.stderr
    channels = run("-m", "warnhub", "channels")
    assert {"sms.aliyun", "wechat.template", "loudspeaker.mqtt", "push.fcm"} <= set(channels.stdout.split())
    assert channels.returncode == 0


def test_the_wheel_has_its_words(run: Run) -> None:
    """Templates and tables travel with the code: a policy is printed, and a settings class is loaded from each channel."""
    shown = run("-m", "warnhub", "policy", "show")
    assert shown.returncode == 0, shown.stderr
    assert "县级默认策略" in shown.stdout
    code = (
        "from importlib.metadata import entry_points\n"
        "from warnhub.console import field\n"
        "print(len([p.load().Settings for p in entry_points(group='warnhub.channels')]))"
    )
    loaded = run("-c", code)
    assert loaded.returncode == 0, loaded.stderr
    assert int(loaded.stdout) >= 6
