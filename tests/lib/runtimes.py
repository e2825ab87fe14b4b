"""Real container runtimes in a sandbox (sandbox.py), on images that are made here: no registry is asked."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time

import plugin

DEBIAN_PLUGINS = '/usr/lib/cni'     # the package containernetworking-plugins
BUSYBOX = '/bin/busybox'            # the package busybox-static


def missing(*programs):
    """Those that are not installed."""
    return [name for name in programs if not shutil.which(name, path=f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin')]


def rootfs(folder):
    """A root file system with busybox, for containers that need no image."""
    os.makedirs(os.path.join(folder, 'bin'))
    shutil.copy(BUSYBOX, os.path.join(folder, 'bin'))
    for name in ('sh', 'ip', 'sleep', 'ping', 'cat'):
        os.symlink('busybox', os.path.join(folder, 'bin', name))
    return folder


def image(file, name, folder, *command):
    """Writes an image of one layer, the folder, as an OCI archive."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode='w') as tar:
        tar.add(folder, '.')
    blobs = {}

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {'digest': f'sha256:{digest}', 'size': len(data)}

    kind = 'application/vnd.oci.image'
    top = blob(layer.getvalue())
    config = blob(json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Entrypoint': list(command)},
                              'rootfs': {'type': 'layers', 'diff_ids': [top['digest']]}}).encode())
    manifest = blob(json.dumps({'schemaVersion': 2, 'mediaType': f'{kind}.manifest.v1+json',
                                'config': {'mediaType': f'{kind}.config.v1+json', **config},
                                'layers': [{'mediaType': f'{kind}.layer.v1.tar', **top}]}).encode())
    index = {'schemaVersion': 2, 'manifests': [{'mediaType': f'{kind}.manifest.v1+json', **manifest, 'annotations': {
        'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name}}]}
    files = {'oci-layout': json.dumps({'imageLayoutVersion': '1.0.0'}).encode(), 'index.json': json.dumps(index).encode(),
             **{f'blobs/sha256/{digest}': data for digest, data in blobs.items()}}
    with tarfile.open(file, 'w') as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return file


def running(*words):
    """Whether a process of the sandbox has one of the words in its command line."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().decode(errors='replace')
        except OSError:
            continue
        if int(pid) != os.getpid() and any(word in line for word in words):
            return True
    return False


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'waited too long until {what}')
        time.sleep(0.05)


class Podman:
    """podman with its CNI backend and everything that it keeps in one folder. Networks are conflists in net.d."""

    CONFIG = '''[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = [{plugins}]
network_config_dir = "{dir}/net.d"
'''

    def __init__(self, folder):
        self.dir = folder
        os.makedirs(os.path.join(folder, 'net.d'))
        self.rootfs = rootfs(os.path.join(folder, 'rootfs'))
        with open(os.path.join(folder, 'containers.conf'), 'w', encoding='utf-8') as f:
            f.write(self.CONFIG.format(dir=folder, plugins=', '.join(f'"{d}"' for d in (plugin.BINDIR, DEBIAN_PLUGINS))))

    def network(self, conflist):
        with open(os.path.join(self.dir, 'net.d', conflist['name'] + '.conflist'), 'w', encoding='utf-8') as f:
            json.dump(conflist, f)

    def run(self, *arguments, status=0):
        """Returns what it printed, stdout and stderr together."""
        done = subprocess.run(['podman', '--root', f'{self.dir}/root', '--runroot', f'{self.dir}/run', '--tmpdir', f'{self.dir}/tmp', *arguments],
                              env={**os.environ, 'CONTAINERS_CONF': f'{self.dir}/containers.conf'}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False, cwd='/')
        if (done.returncode == 0) != (status == 0):
            raise AssertionError(f'podman {" ".join(arguments)} ended with {done.returncode}: {done.stdout}')
        return done.stdout

    def start(self, name, network, *options, status=0):
        """A container that sleeps."""
        return self.run('run', '-d', '--name', name, '--network', network, *options, '--rootfs', self.rootfs, '/bin/sleep', '1000',
                        status=status)

    def addresses(self, name, network):
        """The addresses that podman knows of a container in a network."""
        said = json.loads(self.run('inspect', name))[0]['NetworkSettings']['Networks'][network]
        return [a for a in (said['IPAddress'], said['GlobalIPv6Address']) if a]


class Containerd:
    """containerd as it is packaged, or the one in `programs`, with everything that it keeps in one folder; pods by CRI."""

    CONFIG = '''version = 2
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{dir}/bin"
    conf_dir = "{dir}/net.d"
'''

    def __init__(self, folder, client, *conflists):
        self.dir, self.client, self.socket, self.process = folder, client, f'{folder}/c.sock', None
        for name in ('net.d', 'bin'):
            os.makedirs(os.path.join(folder, name))
        for source in (DEBIAN_PLUGINS, plugin.BINDIR):
            for name in os.listdir(source):
                os.symlink(os.path.join(source, name), os.path.join(folder, 'bin', name))
        for conflist in conflists:
            with open(os.path.join(folder, 'net.d', conflist['name'] + '.conflist'), 'w', encoding='utf-8') as f:
                json.dump(conflist, f)
        with open(os.path.join(folder, 'config.toml'), 'w', encoding='utf-8') as f:
            f.write(self.CONFIG.format(dir=folder))
        self.start()
        pause = image(f'{folder}/pause.tar', 'localhost/pause:1', rootfs(os.path.join(folder, 'rootfs')), '/bin/sleep', '100000')
        self.ctr('-n', 'k8s.io', 'images', 'import', pause)

    def start(self):
        with open(os.path.join(self.dir, 'log'), 'ab') as log:
            self.process = subprocess.Popen(['containerd', '-c', f'{self.dir}/config.toml'], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd='/')
        wait_until(lambda: os.path.exists(self.socket) and self.cri('status', check=False).returncode == 0, 30, 'containerd answers')

    def stop(self):
        self.process.kill()
        self.process.wait(10)

    def ctr(self, *arguments):
        return subprocess.run(['ctr', '-a', self.socket, *arguments], check=True, capture_output=True, text=True, timeout=60, cwd='/')

    def cri(self, *arguments, check=True):
        """A verb of the client in tests/cri."""
        done = subprocess.run([self.client, self.socket, *arguments], capture_output=True, text=True, timeout=90, cwd='/', check=False)
        if check and done.returncode:
            raise AssertionError(f'{" ".join(arguments)}: {done.stderr}')
        return done

    def run(self, name, uid='', **annotations):
        """The id of a new pod's sandbox."""
        return self.cri('run', name, uid or f'uid-{name}', *(f'{k}={v}' for k, v in annotations.items())).stdout.strip()

    def addresses(self, pod):
        return self.cri('addresses', pod).stdout.split()
