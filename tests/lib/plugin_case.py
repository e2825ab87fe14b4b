"""A TestCase for the plugins' verbs: the file has a private server, each test a network of its own."""
import contextlib
import functools
import itertools
import json
import re
import socket
import time
import unittest

import pg
import plugin

VERSIONS = ('0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0')
BOTH = (plugin.IPAM, plugin.NET)


def since(version):
    """The protocol versions from this one on."""
    return VERSIONS[VERSIONS.index(version):]


@contextlib.contextmanager
def silent_server():
    """A port of 127.0.0.1 that takes connections and says nothing."""
    with socket.create_server(('127.0.0.1', 0)) as s:
        yield s.getsockname()[1]


@functools.cache
def server():
    """The file's server, started when it is needed. It ends with the process."""
    return pg.Server()


class PluginCase(unittest.TestCase):
    """Every answer that is judged here has kept the rules that all answers keep."""

    networks = itertools.count(1)

    @classmethod
    def setUpClass(cls):
        cls.server = server()

    def setUp(self):
        self.network = f'net-{next(self.networks)}'

    def conf(self, version='1.1.0', ipam=None, more=None):
        """The network configuration, with more keys for its ipam object and for itself; None removes a key."""
        conf = {**plugin.net_conf(self.server, ipam, cniVersion=version, name=self.network), **(more or {})}
        return {k: v for k, v in conf.items() if v is not None}

    def ask(self, command, ip=None, *, which=plugin.IPAM, conf=None, ipam=None, version='1.1.0', **how):
        """One invocation. ip stands for CNI_ARGS IP=; conf are more keys, or the bytes for stdin."""
        if ip is not None:
            how['args'] = f'IP={ip}'
        if not isinstance(conf, bytes):
            conf = self.conf(version, ipam, conf)
        return plugin.run(which, command, conf, **how)

    def add(self, ip=None, **how):
        """ADD that must succeed."""
        return self.allowed(self.ask('ADD', ip, **how))

    def rows(self, columns='pod_id, interface, ip'):
        """This network's rows, in the order of their addresses."""
        return [tuple(row) for row in self.server.psql(
            f"SELECT {columns} FROM ips WHERE network = '{self.network}' ORDER BY host(ip)::inet")]

    def held(self):
        """This network's recorded addresses."""
        return [row[0] for row in self.rows("host(ip) || '/' || masklen(ip)")]

    def change(self, what, where='true'):
        """UPDATEs this network's rows."""
        self.server.psql(f"UPDATE ips SET {what} WHERE network = '{self.network}' AND {where}")

    def statements(self, work):
        """What the plugin sends meanwhile, as the server's log has it."""
        self.server.psql("ALTER ROLE cni SET log_statement = 'all'")
        try:
            before = len(self.server.log())
            work()
            return re.findall(r'LOG:  (?:statement|execute [^:]*): (.*)', self.server.log()[before:])
        finally:
            self.server.psql('ALTER ROLE cni RESET log_statement')

    def allowed(self, answer, *words):
        """It succeeded, and its log says these words."""
        self.assertEqual(answer.rc, 0, answer.said + answer.stderr)
        self._keeps_the_secret(answer)
        for word in words:
            self.assertIn(word, answer.stderr)
        return answer

    def refused(self, answer, code, *words):
        """It failed with one error object of this code, which says these words."""
        self.assertEqual(answer.rc, 1, f'{answer.rc}: {answer.stdout} {answer.stderr}')
        self.assertEqual(set(answer.json), {'cniVersion', 'code', 'msg', 'details'})
        self.assertEqual(answer.code, code, answer.said)
        self.assertRegex(answer.json['msg'], r'^[^\n]+$')
        self.assertNotIn('\n', answer.json['details'])
        self.assertIn(answer.json['cniVersion'], VERSIONS)
        self._keeps_the_secret(answer)
        for word in words:
            self.assertIn(word, answer.said)
        return answer

    def _keeps_the_secret(self, answer):
        self.assertNotIn(self.server.password, answer.stdout.decode(errors='replace') + answer.stderr)


def bytes_of(conf):
    """A configuration as a runtime writes it to stdin."""
    return json.dumps(conf).encode()


BOOT_ID, MACHINE_ID = '/proc/sys/kernel/random/boot_id', '/etc/machine-id'


def elsewhere(name=None, up=None, **files):
    """For plugin.run's through: another host, or another boot of this one. name is the host's, up the seconds since its
    boot; files (boot_id, machine_id, product_uuid) are what stands there, None for nothing that could be read."""
    script = ['set -e']
    for key, path in (('boot_id', BOOT_ID), ('machine_id', MACHINE_ID)):
        if key in files:
            content = f"printf '%s\\n' '{files[key]}'" if files[key] is not None else ':'
            script.append(f'f=$(mktemp); {content} >$f; mount --bind $f {path}; rm $f')
    if 'product_uuid' in files:  # sysfs has no place for it on every machine
        script.append('mount -t tmpfs none /sys/class && mkdir -p /sys/class/dmi/id &&'
                      f" echo '{files['product_uuid']}' >/sys/class/dmi/id/product_uuid")
    if name is not None:
        script.append(f"hostname '{name}'")
    clock = []
    if up is not None:
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        clock = ['--time', '--boottime', str(int(up) - now), '--fork', '--kill-child']
    return ['unshare', '--mount', '--propagation', 'private', '--uts', *clock,
            'sh', '-c', '; '.join([*script, 'exec "$0"'])]
