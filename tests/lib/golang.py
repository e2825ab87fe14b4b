"""Where Go is, if it is new enough."""
import glob
import os
import re
import shutil
import subprocess

ENV = {**os.environ, 'GOTOOLCHAIN': 'local'}


def find(minor):
    """The first go of at least version 1.minor; None where there is none. Also one that is not in PATH, as the packages
    golang-1.NN-go leave it."""
    for go in (shutil.which('go'), '/usr/local/go/bin/go', *sorted(glob.glob('/usr/lib/go-*/bin/go'))):
        if not go or not os.path.exists(go):
            continue
        said = subprocess.run([go, 'env', 'GOVERSION'], env=ENV, capture_output=True, text=True, timeout=60, check=False)
        version = re.match(r'go1\.(\d+)', said.stdout)
        if version and int(version[1]) >= minor:
            return go
    return None
