"""The shape of the project: its floors, what it installs, and where its packages come from."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dsl", "agents", "probes", "autointerp", "prompts")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_floor_imports_only_floors_below_it() -> None:
    result = run(Path(sys.executable).parent / "lint-imports")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_resolves_from_this_project_and_not_from_another_distribution(package: str) -> None:
    # `openai-agents` also imports as `agents`: in one environment, whichever was installed last would win.
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == ROOT / package, f"{package} comes from {spec.origin}"


@pytest.mark.parametrize("package", ["dsl", "agents", "probes"])
def test_the_lower_floors_import_without_torch_or_transformers(package: str) -> None:
    heavy = {"torch", "transformers", "sentence_transformers"}
    code = f"import sys, {package}; print(sorted(sys.modules.keys() & set({sorted(heavy)!r})))"
    result = run(sys.executable, "-c", code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_the_top_level_holds_what_the_design_says_and_nothing_else() -> None:
    result = run("git", "ls-files")
    if result.returncode != 0:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in result.stdout.splitlines()}
    expected = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt", ".ci", ".gitignore"}
    assert top == expected | {"constraints-vllm.txt", *PACKAGES, "tests", "benchmarks", "docs"}


def test_the_wheel_installs_and_runs_outside_the_checkout(tmp_path: Path) -> None:
    built = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")

    # Only our own files are installed: what they depend on is lent from this environment by path, so that the test
    # measures the wheel and does not download gigabytes.
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    site = next((home / "lib").glob("python*/site-packages"))
    installed = run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    lent = next(Path(path) for path in sys.path if Path(path).name == "site-packages")
    (site / "lent.pth").write_text(f"{lent}\n")

    command = "from autointerp.cli import main; main()"
    explanation = 'activates on the token " pizza" in the context of the word "crust"'
    checked = run(home / "bin" / "python", "-c", command, "check", explanation, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.strip() == explanation
    where = run(home / "bin" / "python", "-c", "import dsl; print(dsl.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(site)
