"""Starts a real PostgreSQL for tests, of a folder of its own; as another user where we are root, whom it refuses."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.real.servers import free_port, wait_until


def programs() -> Path:
    """Find PostgreSQL's programs, which Debian keeps off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if found:
        return found[-1]
    there = shutil.which("initdb")
    if there is None:
        pytest.skip("PostgreSQL is not installed: run tests/real/install.sh")
    return Path(there).parent


class PostgresServer:
    """One server process, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._bin = programs()
        self.port = free_port()
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        # pytest's folders are closed to others, and the path of a socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-")) if os.geteuid() == 0 else folder
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._user)
        self._run(
            "initdb", "-D", str(self._folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"
        )
        self.start()

    def start(self) -> None:
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._bin / "postgres", "-D", self._folder / "data", "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"),
                    *("-c", "max_connections=50"),
                ],
                stdout=log,
                stderr=log,
                user=self._user if os.geteuid() == 0 else None,
                cwd="/",
            )
        wait_until(self.is_ready, f"PostgreSQL on {self.port}")

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=1).close()
        except psycopg.Error:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self, name: str) -> str:
        """Make a database; return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def kill(self) -> None:
        """Kill it, as a power cut does: all its processes, the others end when they miss the first."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.send_signal(2)  # fast: without waiting for who is connected
        self._process.wait()
        if os.geteuid() == 0:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / name, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user if os.geteuid() == 0 else None,
            cwd="/",
        )
