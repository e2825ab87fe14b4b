"""A Kubernetes of one node, of what tests/kubernetes.sh built, in its namespaces:

    database, etcd, API server, controllers, scheduler        192.0.2.1, where the tests run
        | bridge "machines"
    containerd, kubelet, pods                                 192.0.2.10, namespaces of its own (node.sh): "node1"

So a reboot of the node is the end of its process 1, and whatever it had goes with it.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import time

import faults
import kubernetes
import pg
import runtimes

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.environ['KUBERNETES_PROGRAMS']    # folder of the executables
DIR = os.environ['KUBERNETES_DIR']              # folder of this run
TASKS = f'{DIR}/containerd/io.containerd.runtime.v2.task/k8s.io'   # a folder for each container
MASTER, NODE = '192.0.2.1', '192.0.2.10'
TOKEN = secrets.token_hex(16)
ENV = {**pg.clean_env(), 'PATH': f'{PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': DIR, 'KUBECONFIG': f'{DIR}/kubeconfig'}

CONTAINERD = f'''version = 3
root = "{DIR}/containerd"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
'''
KUBECONFIG = {
    'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'it',
    'clusters': [{'name': 'it', 'cluster': {'server': f'https://{MASTER}:6443', 'insecure-skip-tls-verify': True}}],
    'users': [{'name': 'admin', 'user': {'token': TOKEN}}],
    'contexts': [{'name': 'it', 'context': {'cluster': 'it', 'user': 'admin'}}]}
# cgroups are of version 1 or 2, as the machine has them.
KUBELET = {
    'apiVersion': 'kubelet.config.k8s.io/v1beta1', 'kind': 'KubeletConfiguration',
    'authentication': {'anonymous': {'enabled': True}, 'webhook': {'enabled': False}}, 'authorization': {'mode': 'AlwaysAllow'},
    'containerRuntimeEndpoint': 'unix:///run/containerd/containerd.sock', 'podLogsDir': f'{DIR}/pod-logs',
    'cgroupDriver': 'cgroupfs', 'cgroupsPerQOS': False, 'enforceNodeAllocatable': [], 'failCgroupV1': False,
    'failSwapOn': False, 'oomScoreAdj': 0, 'maxOpenFiles': 20000, 'localStorageCapacityIsolation': False,
    'evictionHard': {name: '0%' for name in ('memory.available', 'nodefs.available', 'nodefs.inodesFree', 'imagefs.available')},
    'imageGCHighThresholdPercent': 100, 'imageGCLowThresholdPercent': 99,
    'clusterDNS': ['10.96.0.10'], 'syncFrequency': '10s'}


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    return path


def run(*argv, timeout=300):
    """Returns what it printed; a failure raises what it said."""
    done = subprocess.run(argv, env=ENV, cwd='/', stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise AssertionError(f'{" ".join(argv)}: {done.returncode}: {done.stdout}{done.stderr}')
    return done.stdout


def daemon(name, *argv):
    """Starts what stays; its log is DIR/logs/NAME."""
    with open(f'{DIR}/logs/{name}', 'ab') as log:
        return subprocess.Popen(argv, env=ENV, cwd='/', stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def wait_for(what, condition, seconds=180):
    """Returns what condition() returned when it was not false, an error of kubectl or no answer counting as false."""
    end, said = time.monotonic() + seconds, ''
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
            said = ''
        except (AssertionError, LookupError, subprocess.TimeoutExpired) as e:
            said = f': {e}'
        time.sleep(0.5)
    raise AssertionError(f'after {seconds} s still not: {what}{said}')


class Node:
    """A machine with containerd and a kubelet. Its disk is a folder."""

    def __init__(self):
        self.disk, self.machine, self.pid, self.daemons = f'{DIR}/disk', None, None, {}
        os.makedirs(f'{self.disk}/opt/cni/bin')
        for name in ('bridge', 'loopback'):
            shutil.copy(f'{PROGRAMS}/{name}', f'{self.disk}/opt/cni/bin')

    def power_on(self, uptime_before=0):
        """uptime_before: how long the real machine had been running; this one counts from then."""
        with open(f'{DIR}/logs/node', 'ab') as log:
            self.machine = subprocess.Popen(
                ['unshare', '--net', '--mount', '--pid', '--uts', '--time', '--boottime', str(-int(uptime_before)), '--fork', '--kill-child',
                 '--mount-proc', '--propagation', 'private', f'{HERE}/node.sh', self.disk], cwd='/', stdout=subprocess.PIPE, stderr=log,
                text=True)
        if self.machine.stdout.readline() != 'ready\n':
            raise AssertionError('the node does not start')
        self.pid = faults.children(self.machine.pid)[0]
        run('ip', 'link', 'add', 'to-node1', 'type', 'veth', 'peer', 'name', 'node0', 'netns', str(self.pid))
        run('ip', 'link', 'set', 'to-node1', 'master', 'machines', 'up')
        self.run('ip', 'address', 'add', f'{NODE}/24', 'dev', 'node0')
        self.run('ip', 'link', 'set', 'node0', 'up')
        self.run('ip', 'route', 'add', 'default', 'via', MASTER)
        self.start()

    def power_off(self):
        """At once, nobody is asked."""
        os.kill(self.pid, signal.SIGKILL)
        self.machine.wait(30)
        self.machine.stdout.close()
        for process in self.daemons.values():
            process.wait(30)
        wait_for('its end of the cable is gone', lambda: not os.path.exists('/sys/class/net/to-node1') or run(
            'ip', 'link', 'delete', 'to-node1'), 30)
        remove_cgroups()

    def reboot(self):
        self.power_off()
        with open('/proc/uptime', encoding='ascii') as f:
            self.power_on(float(f.read().split()[0]))

    def inside(self, *argv):
        return ('nsenter', '--target', str(self.pid), '--net', '--mount', '--pid', '--uts', '--time', *argv)

    def run(self, *argv):
        return run(*self.inside(*argv))

    def start(self):
        """containerd and the kubelet."""
        self.daemons['containerd'] = daemon('containerd', *self.inside('containerd', '--config', f'{DIR}/containerd.toml'))
        wait_for('containerd answers', lambda: self.run('ctr', 'version'), 60)
        self.daemons['kubelet'] = daemon('kubelet', *self.inside(
            'kubelet', '--config', f'{DIR}/kubelet.json', '--kubeconfig', f'{DIR}/kubeconfig', '--root-dir', f'{DIR}/kubelet',
            '--node-ip', NODE, '--hostname-override', 'node1'))

    def kill(self):
        """kill -9 of both; containers go on, and so do plugins that are at work."""
        for nsenter in self.daemons.values():
            for pid in faults.children(nsenter.pid):
                faults.kill(pid)
            nsenter.wait(30)

    def kill_sandbox(self, sandbox):
        """Its first process, which holds its namespaces."""
        listed = self.run('ctr', '-n', 'k8s.io', 'tasks', 'list').splitlines()
        self.run('kill', '-KILL', next(line.split()[1] for line in listed if line.startswith(sandbox)))


def remove_cgroups():
    """Of containers that were killed with their machine. cadvisor would look for each for seconds."""
    for container in os.listdir(TASKS):
        run('find', '/sys/fs/cgroup', '-depth', '-type', 'd', '-name', container, '-exec', 'rmdir', '{}', '+')


class Cluster:
    """Everything but the node."""

    def __init__(self):
        os.makedirs(f'{DIR}/logs')
        run('ip', 'link', 'add', 'machines', 'type', 'bridge')
        run('ip', 'address', 'add', f'{MASTER}/24', 'dev', 'machines')
        run('ip', 'link', 'set', 'machines', 'up')
        self.database = self._database()
        write('kubeconfig', json.dumps(KUBECONFIG))
        write('tokens', f'{TOKEN},admin,admin,system:masters\n')
        write('containerd.toml', CONTAINERD)
        write('kubelet.json', json.dumps(KUBELET))
        run('openssl', 'genrsa', '-out', f'{DIR}/key', '2048')
        run('openssl', 'rsa', '-in', f'{DIR}/key', '-pubout', '-out', f'{DIR}/key.pub')
        self.node = Node()

    @staticmethod
    def _database():
        server = pg.Server(listen_addresses=f'127.0.0.1,{MASTER}')
        with open(f'{server.data}/pg_hba.conf', 'a', encoding='ascii') as hba:
            hba.write('host ipam cni 192.0.2.0/24 scram-sha-256\n')
        server.psql('SELECT pg_reload_conf()')
        return server

    def start(self):
        etcd, kubeconfig = 'http://127.0.0.1:2379', ('--kubeconfig', f'{DIR}/kubeconfig', '--leader-elect=false')
        daemon('etcd', 'etcd', '--data-dir', f'{DIR}/etcd', '--listen-client-urls', etcd, '--advertise-client-urls', etcd)
        # Without the admission of service accounts pods need no token; AlwaysAllow needs a token of ours.
        daemon('kube-apiserver', 'kube-apiserver', '--etcd-servers', etcd, '--cert-dir', f'{DIR}/certificates', '--token-auth-file', f'{DIR}/tokens',
               '--authorization-mode', 'AlwaysAllow', '--disable-admission-plugins', 'ServiceAccount', '--allow-privileged',
               '--service-account-issuer', 'https://kubernetes.default', '--service-account-key-file', f'{DIR}/key.pub',
               '--service-account-signing-key-file', f'{DIR}/key', '--service-cluster-ip-range', '10.96.0.0/16',
               '--endpoint-reconciler-type', 'none', '--advertise-address', MASTER, '--kubelet-preferred-address-types', 'InternalIP')
        wait_for('the API server answers', lambda: kubectl('get', '--raw', '/readyz') == 'ok', 180)
        daemon('kube-controller-manager', 'kube-controller-manager', *kubeconfig, '--service-account-private-key-file', f'{DIR}/key')
        daemon('kube-scheduler', 'kube-scheduler', *kubeconfig)
        self.node.power_on()
        self._images()
        wait_for('the node has registered', lambda: get('nodes'), 120)

    def _images(self):
        """What pods run. The installer's is made as examples/kubernetes/Containerfile says, under the name that the example has."""
        base, installer = runtimes.rootfs(f'{DIR}/base'), kubernetes.installer(f'{DIR}/installer')
        for name, folder, command in (('localhost/pause:1', base, ('/bin/sleep', '1000000')), ('localhost/sleep:1', base, ('/bin/sleep', '1000000')),
                                      ('registry.example/ipam-status-cni:1', installer, kubernetes.entrypoint())):
            archive = runtimes.image(f'{DIR}/image.tar', name, folder, *command)
            self.node.run('ctr', '-n', 'k8s.io', 'images', 'import', archive)


def kubectl(*arguments):
    """Returns what it printed; a failure raises what it said."""
    return run('kubectl', *arguments)


def get(*what):
    """The items of "kubectl get", or the one object."""
    found = json.loads(kubectl('get', *what, '-o', 'json'))
    return found.get('items', found)


def apply(text, *how):
    """YAML or JSON."""
    return kubectl('apply', *how, '-f', write('apply', text))
