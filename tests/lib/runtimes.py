"""Real container runtimes in a sandbox (sandbox.py), on images that are made here: no registry is asked."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time

import pg
import plugin

DEBIAN_PLUGINS = '/usr/lib/cni'     # the package containernetworking-plugins
BUILT = os.path.join(pg.ROOT, 'plugins', 'runtimes')    # what tests/runtimes.sh builds
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


def processes(*words):
    """Those of the sandbox that have one of the words in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().decode(errors='replace')
        except OSError:
            continue
        if int(pid) != os.getpid() and any(word in line for word in words):
            found.append(int(pid))
    return found


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'waited too long until {what}')
        time.sleep(0.05)


def write(folder, name, what):
    """A file with a text, or a value as JSON."""
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
        f.write(what if isinstance(what, str) else json.dumps(what))


class Runtime:
    """What all have in common: a folder for everything that they keep, with networks in net.d and the plugins in bin; a host
    (host.py) if it is not this one."""

    def __init__(self, folder, *conflists, plugins=DEBIAN_PLUGINS, through=()):
        self.dir, self.through = folder, list(through)
        for name in ('net.d', 'bin'):
            os.makedirs(os.path.join(folder, name))
        for source in (plugins, plugin.BINDIR):
            for name in os.listdir(source):
                os.symlink(os.path.join(source, name), os.path.join(folder, 'bin', name))
        self.rootfs = rootfs(os.path.join(folder, 'rootfs'))
        for conflist in conflists:
            self.network(conflist)

    def network(self, conflist):
        write(self.dir, f'net.d/{conflist["name"]}.conflist', conflist)

    def command(self, *command, check=True, **env):
        """Runs a command on the host, where its folder is not this one: all paths are absolute."""
        done = subprocess.run([*self.through, *command], env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False, cwd='/')
        if check and done.returncode:
            raise AssertionError(f'{" ".join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}')
        return done


class Podman(Runtime):
    """podman with its CNI backend."""

    CONFIG = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = ["{dir}/bin"]
network_config_dir = "{dir}/net.d"
"""

    def __init__(self, folder, *conflists, **how):
        super().__init__(folder, *conflists, **how)
        write(folder, 'containers.conf', self.CONFIG.format(dir=folder))

    def run(self, *arguments, status=0):
        """Returns what it printed, stdout and then stderr."""
        done = self.command('podman', '--root', f'{self.dir}/root', '--runroot', f'{self.dir}/run', '--tmpdir', f'{self.dir}/tmp', *arguments,
                            check=False, CONTAINERS_CONF=f'{self.dir}/containers.conf')
        if (done.returncode == 0) != (status == 0):
            raise AssertionError(f'podman {" ".join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}')
        return done.stdout + done.stderr

    def start(self, name, network, *options, status=0):
        """A container that sleeps."""
        return self.run('run', '-d', '--name', name, '--network', network, *options, '--rootfs', self.rootfs, '/bin/sleep', '1000',
                        status=status)

    def addresses(self, name, network):
        """The addresses that podman knows of a container in a network."""
        said = json.loads(self.run('inspect', name))[0]['NetworkSettings']['Networks'][network]
        return [a for a in (said['IPAddress'], said['GlobalIPv6Address']) if a]


class Cri(Runtime):
    """A daemon that is asked by CRI, with the client in tests/cri."""

    def __init__(self, folder, client, *conflists, **how):
        super().__init__(folder, *conflists, **how)
        self.client, self.socket, self.process = client, f'{folder}/c.sock', None
        self.pause = image(f'{folder}/pause.tar', 'localhost/pause:1', self.rootfs, '/bin/sleep', '100000')

    def start_daemon(self, *command, **env):
        with open(os.path.join(self.dir, 'log'), 'ab') as log:
            self.process = subprocess.Popen([*self.through, *command], env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd='/')
        wait_until(lambda: os.path.exists(self.socket) and self.cri('status', check=False).returncode == 0, 60, f'{command[0]} answers')

    def stop(self):
        """kill -9: what it started goes on."""
        self.process.kill()
        self.process.wait(10)

    def cri(self, *arguments, check=True):
        return self.command(self.client, self.socket, *arguments, check=check)

    def run(self, name, uid='', attempt=0, **annotations):
        """The id of a new sandbox of a pod, of which this is the first, or that of a later attempt."""
        return self.cri('run', name, uid or f'uid-{name}', str(attempt), *(f'{k}={v}' for k, v in annotations.items())).stdout.strip()

    def addresses(self, pod):
        return self.cri('addresses', pod).stdout.split()


class Containerd(Cri):
    """containerd as it is packaged."""

    CONFIG = """version = 2
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
"""
    PATH = os.environ.get('PATH', '')

    def __init__(self, folder, client, *conflists, **how):
        super().__init__(folder, client, *conflists, **how)
        write(folder, 'config.toml', self.CONFIG.format(dir=folder))
        self.start()
        self.ctr('-n', 'k8s.io', 'images', 'import', self.pause)

    def start(self):
        self.start_daemon('containerd', '-c', f'{self.dir}/config.toml', PATH=self.PATH)

    def ctr(self, *arguments, **env):
        return self.command('ctr', '-a', self.socket, *arguments, PATH=self.PATH, **env)


class Containerd2(Containerd):
    """containerd 2, and nerdctl on it."""

    CONFIG = """version = 3
root = "{dir}/root"
state = "{dir}/state"
[grpc]
  address = "{dir}/c.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{dir}/bin"]
    conf_dir = "{dir}/net.d"
"""
    PATH = f'{BUILT}:{Containerd.PATH}'

    def nerdctl(self, *arguments, check=True, **env):
        return self.command('nerdctl', '--address', self.socket, '--cni-path', f'{self.dir}/bin', '--cni-netconfpath', f'{self.dir}/net.d',
                            '--data-root', f'{self.dir}/nerdctl', '--cgroup-manager', 'cgroupfs', *arguments, check=check, PATH=self.PATH, **env)


class Crio(Cri):
    """CRI-O."""

    CONFIG = """[crio]
root = "{dir}/root"
runroot = "{dir}/runroot"
log_dir = "{dir}/logs"
version_file = "{dir}/version"
version_file_persist = "{dir}/version-persist"
clean_shutdown_file = "{dir}/clean"
[crio.api]
listen = "{dir}/c.sock"
[crio.runtime]
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
pinns_path = "{built}/pinns"
namespaces_dir = "{dir}/ns"
container_exits_dir = "{dir}/exits"
container_attach_socket_dir = "{dir}/attach"
default_runtime = "runc"
default_ulimits = ["nofile=1024:1024"]
seccomp_profile = ""
hooks_dir = []
[crio.runtime.runtimes.runc]
runtime_path = "{runc}"
runtime_root = "{dir}/runc"
monitor_path = "{conmon}"
monitor_cgroup = "pod"
[crio.image]
pause_image = "localhost/pause:1"
pause_command = "/bin/sleep 100000"
[crio.network]
network_dir = "{dir}/net.d"
plugin_dirs = ["{dir}/bin"]
"""

    def __init__(self, folder, client, *conflists, **how):
        super().__init__(folder, client, *conflists, **how)
        path = f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin'
        write(folder, 'crio.conf', self.CONFIG.format(dir=folder, built=BUILT, runc=shutil.which('runc', path=path),
                                                      conmon=shutil.which('conmon', path=path)))
        self.command('podman', '--root', f'{folder}/root', '--runroot', f'{folder}/runroot', '--cgroup-manager', 'cgroupfs',
                     '--events-backend', 'file', 'load', '-qi', self.pause)
        self.start()

    def start(self):
        self.start_daemon(f'{BUILT}/crio', '--config', f'{self.dir}/crio.conf', '--config-dir', '')

    def cri(self, *arguments, check=True):
        return self.command(self.client, self.socket, *arguments, check=check, CGROUP_PARENT='/ipam-crio')
