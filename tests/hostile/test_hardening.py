"""The binary as it is released, the unit file, and what the server leaves on the disk, whatever the umask."""

import json
import os
import pwd
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from server import Server, berth_path

ROOT = Path(__file__).resolve().parents[2]
MOST_EXPOSED = 1.5                     # of systemd-analyze security: 0 is locked up, 10 is open


def tool(*argv):
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not here (tools/bootstrap test)")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.heavy                     # of the release build: sanitizers change what is asked for here
class TestBinary:
    def test_it_is_position_independent(self):
        assert re.search(r"Type:\s+DYN \(Position-Independent Executable", tool("readelf", "-hW", berth_path()))

    def test_its_relocations_are_resolved_at_start_and_then_read_only(self):
        assert "GNU_RELRO" in tool("readelf", "-lW", berth_path())
        assert re.search(r"FLAGS.*\bBIND_NOW\b", tool("readelf", "-dW", berth_path()))

    def test_its_stack_and_its_data_are_not_executable(self):
        segments = re.findall(r"^\s+(\w+)\s+0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ (.{3}) 0x", tool("readelf", "-lW", berth_path()),
                              re.MULTILINE)
        assert ("GNU_STACK", "RW ") in segments
        assert not [s for s in segments if "W" in s[1] and "E" in s[1]]
        assert "TEXTREL" not in tool("readelf", "-dW", berth_path())

    def test_it_names_no_folder_to_load_libraries_from(self):
        assert not re.search(r"R(UN)?PATH", tool("readelf", "-dW", berth_path()))

    def test_its_frames_and_its_buffers_are_guarded(self):
        symbols = tool("readelf", "--dyn-syms", "-W", berth_path())
        assert "__stack_chk_fail" in symbols
        assert len(set(re.findall(r"__\w+_chk\b", symbols))) >= 3, "_FORTIFY_SOURCE is off"

    def test_its_jumps_have_landing_pads(self):
        if os.uname().machine != "x86_64":
            pytest.skip("the instruction is that of x86-64")
        assert tool("objdump", "-d", berth_path()).count("endbr64") > 500

    def test_every_source_is_compiled_with_all_of_it(self):
        commands = Path(berth_path()).parent / "compile_commands.json"
        if not commands.exists():
            pytest.skip("not in a build folder")
        wanted = ["-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=3", "-fPIE"]
        if os.uname().machine == "x86_64":
            wanted.append("-fcf-protection")
        ours = [c for c in json.loads(commands.read_text()) if "/src/" in c["file"] or c["file"].startswith("../src/")]
        assert len(ours) > 50
        for each in ours:
            lacking = [w for w in wanted if w not in each["command"].split()]
            assert not lacking or "-fPIC" in each["command"] and lacking == ["-fPIE"], (each["file"], lacking)


def test_hardening__unit_file_is_sandboxed(tmp_path):
    """The figure that docs/security.md names, and the user, the folder and the umask that it runs with."""
    template = (ROOT / "packaging" / "berth.service.in").read_text()
    for line in ("DynamicUser=yes", "UMask=0077", "StateDirectoryMode=0700", "NoNewPrivileges=yes",
                 "CapabilityBoundingSet=", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes"):
        assert f"\n{line}\n" in template, line
    unit = tmp_path / "berth.service"
    unit.write_text(template.replace("@bindir@", "/usr/bin"))
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", str(unit)], capture_output=True, text=True)
    if "Overall exposure level" not in done.stdout:
        pytest.skip(f"this systemd-analyze cannot look at files: {done.stderr.strip()[:80]}")
    figure = float(re.search(r"Overall exposure level for berth.service: ([0-9.]+)", done.stdout).group(1))
    print(f"exposure {figure}")
    assert figure <= MOST_EXPOSED, done.stdout
    said = float(re.search(r"exposure ([0-9.]+)", (ROOT / "docs" / "security.md").read_text()).group(1))
    assert abs(figure - said) <= 0.3   # other versions of systemd weigh a little differently


def some_traffic(server):
    import test_load
    test_load.push(server, os.urandom(100_000))
    test_load.push(server, b"small")
    assert server.request("POST", "/v2/a/blobs/uploads/", b"")[0] == 202


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_hardening__what_is_written_is_the_owners_alone(make_server, tmp_path, mask):
    """Folders 0700, files 0600 or 0400, also where the umask would leave more."""
    server = make_server("--log-audit", tmp_path / "audit.log")
    server.stop()
    shutil.rmtree(server.data)
    (tmp_path / "audit.log").unlink(missing_ok=True)
    before = os.umask(mask)
    try:
        server.start()                 # makes the folder itself
    finally:
        os.umask(before)
    some_traffic(server)
    found = 0
    for path in [server.data, tmp_path / "audit.log", *server.data.rglob("*")]:
        mode = path.lstat().st_mode
        allowed = {0o700} if stat.S_ISDIR(mode) else {0o600, 0o400}
        assert stat.S_IMODE(mode) in allowed, (path, oct(mode))
        found += 1
    assert found > 5


def test_hardening__it_runs_as_an_unprivileged_user(berth_binary, tmp_path_factory):
    """No step needs to be root's: everything works as nobody, in a folder of nobody's own."""
    if os.getuid() != 0:
        return                         # then every other test has shown it
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv here (util-linux)")
    folder = Path("/tmp") / f"berth-nobody-{os.getpid()}"
    nobody = pwd.getpwnam("nobody")
    folder.mkdir(mode=0o700)
    binary = folder / "berth"
    shutil.copy(berth_binary, binary)
    for path in (folder, binary):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    before = os.environ.get("BERTH_WRAP")
    os.environ["BERTH_WRAP"] = " ".join([f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups",
                                         "--no-new-privs --bounding-set=-all --inh-caps=-all", before or ""])
    try:
        data = folder / "home" / "data"
        data.parent.mkdir()
        data.mkdir()
        for path in (data.parent, data):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        server = Server(binary, data)
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert re.search(rf"^Uid:\s+{nobody.pw_uid}\s+{nobody.pw_uid}\s", status, re.MULTILINE)
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        some_traffic(server)
        server.stop()
    finally:
        os.environ.pop("BERTH_WRAP")
        if before is not None:
            os.environ["BERTH_WRAP"] = before
        shutil.rmtree(folder)
