"""tests/libcni/main.go, a program that makes one call of libcni's, built with the libcni that is asked for."""
import fcntl
import os
import subprocess
import unittest

import golang
import pg

FOLDER = os.path.join(pg.ROOT, 'tests', 'libcni')
MODULE = 'github.com/containernetworking/cni'
NEWEST = '1.3.1'    # the one of go.mod
GO = golang.find(21)


def path(version):
    return os.path.join(pg.ROOT, 'build', 'libcni', version)


def go(*args, timeout=280):
    return subprocess.run([GO, *args], cwd=FOLDER, env=golang.ENV, capture_output=True, text=True, timeout=timeout,
                          check=False)


def driver(version, *options):
    """The program, built where it is not yet; a test is skipped where the module cannot be had."""
    if not GO:
        raise unittest.SkipTest(f'no Go 1.21, so nothing is tried through libcni {version}')
    os.makedirs(os.path.dirname(path(version)), exist_ok=True)
    with open(path(f'.lock-{version}'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = go('build', '-mod=readonly', '-buildvcs=false', *options, '-o', path(version), '.')
    if built.returncode and go('mod', 'download', f'{MODULE}@v{version}').returncode:
        raise unittest.SkipTest(f'libcni {version} cannot be downloaded')
    if built.returncode:
        raise AssertionError(built.stdout + built.stderr)
    return path(version)
