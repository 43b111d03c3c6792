"""Each public header compiles alone, in C and in C++; each header of a room compiles alone in C."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = sorted((ROOT / "include").rglob("*.h"))
ROOMS = sorted(p for p in (ROOT / "src").rglob("*.h"))


def compiles(text, language, standard, *flags):
    compiler = {"c": "cc", "c++": "c++"}[language]
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    done = subprocess.run([compiler, "-x", language, f"-std={standard}", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                           *flags, "-"], input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def compile_alone(header, language, standard, *flags):
    compiles(f'#include "{header}"\n#include "{header}"\n', language, standard, *flags)


STANDARDS = pytest.mark.parametrize("language, standard", [("c", "c17"), ("c++", "c++11"), ("c++", "c++17")])


@STANDARDS
@pytest.mark.parametrize("header", PUBLIC, ids=lambda p: p.name)
def test_public_header_compiles_alone(header, language, standard):
    compile_alone(header.relative_to(ROOT / "include"), language, standard, "-Wpedantic", "-I", str(ROOT / "include"))


def test_every_public_header_is_installed():
    installed = re.findall(r"'(include/berth/\w+\.h)'", (ROOT / "meson.build").read_text())
    assert sorted(installed) == [str(p.relative_to(ROOT)) for p in PUBLIC]


@STANDARDS
@pytest.mark.parametrize("header", PUBLIC, ids=lambda p: p.name)
def test_initialisers_fit_their_types(header, language, standard):
    """A macro BERTH_X_INIT is for a berth_x; BERTH_SOURCE_BYTES(p, n) and its like are for a berth_source."""
    text, lines = header.read_text(), []
    for name in re.findall(r"^#define BERTH_(\w+)_INIT\b", text, re.MULTILINE):
        lines.append(f"berth_{name.lower()} {name} = BERTH_{name}_INIT; (void){name};")
    for name, parameters in re.findall(r"^#define (BERTH_SOURCE_\w+)\((.*?)\)", text, re.MULTILINE):
        lines.append(f"berth_source its_{name.lower()} = {name}({', '.join('0' for _ in parameters.split(','))}); (void)its_{name.lower()};")
    compiles(f'#include "{header.relative_to(ROOT / "include")}"\nvoid f(void);\nvoid f(void)\n{{\n' + "\n".join(lines) + "\n}\n",
             language, standard, "-Wpedantic", "-Wshadow", "-Wconversion", "-I", str(ROOT / "include"))


@pytest.mark.parametrize("header", ROOMS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_room_header_compiles_alone(header):
    compile_alone(header.relative_to(ROOT / "src"), "c", "c17", "-D_GNU_SOURCE", "-I", str(ROOT / "src"),
                  "-I", str(ROOT / "include"))
