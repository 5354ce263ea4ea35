"""Description of the machine and the programs of a run, without data about its owner."""

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("wxasset", "aiohttp", "anyio", "attrs", "cattrs", "uvloop", "httpx", "wechatpy", "requests", "starlette")


def describe() -> dict[str, str]:
    """Describe this machine."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "nginx": _said("nginx", "-v"),
        "curl": _said("curl", "--version"),
        "TLS": "1.3, TLS_AES_256_GCM_SHA384",
        "load when the run began": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _said(program: str, option: str) -> str:
    """Return the first version in the output of a program."""
    done = subprocess.run(  # noqa: S603 - programs checked by `bench`
        [shutil.which(program) or program, option], capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "unknown"
