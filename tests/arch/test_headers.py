"""Each public header compiles alone, in C and in C++; each header of a room compiles alone in C."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = sorted((ROOT / "include").rglob("*.h"))
ROOMS = sorted(p for p in (ROOT / "src").rglob("*.h"))


def compile_alone(header, language, standard, *flags):
    compiler = {"c": "cc", "c++": "c++"}[language]
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    done = subprocess.run([compiler, "-x", language, f"-std={standard}", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                           *flags, "-"], input=f'#include "{header}"\n#include "{header}"\n', text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language, standard", [("c", "c17"), ("c++", "c++11"), ("c++", "c++17")])
@pytest.mark.parametrize("header", PUBLIC, ids=lambda p: p.name)
def test_public_header_compiles_alone(header, language, standard):
    compile_alone(header.relative_to(ROOT / "include"), language, standard, "-Wpedantic", "-I", str(ROOT / "include"))


@pytest.mark.parametrize("header", ROOMS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_room_header_compiles_alone(header):
    compile_alone(header.relative_to(ROOT / "src"), "c", "c17", "-D_GNU_SOURCE", "-I", str(ROOT / "src"),
                  "-I", str(ROOT / "include"))
