"""Network, mount and process namespaces of one's own: fixed names, ports and folders cannot meet anybody else's.

    if __name__ == '__main__':
        sandbox.enter()
        tap.main()

Inside, /var/run/netns and /var/lib/cni are empty, the loopback interface is all the network there is, and whatever
is still running when the test ends is ended with it.
"""
import os
import subprocess
import sys

MARK = 'IPAM_TEST_SANDBOX'
FOLDERS = ('/var/run/netns', '/var/lib/cni')


def enter(*more):
    """Starts the calling program anew inside, once; more folders are empty there. Needs root."""
    if MARK not in os.environ:
        for folder in (*FOLDERS, *more):
            os.makedirs(folder, exist_ok=True)
        os.environ[MARK] = '1'
        os.execvp('unshare', ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc',
                              '--propagation', 'private', sys.executable, *sys.argv])
    for folder in (*FOLDERS, *more):
        subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', folder], check=True, timeout=10)
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True, timeout=10)
