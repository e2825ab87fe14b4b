"""What Kubernetes does with these plugins, seen from kubectl and from the database: tests/kubernetes.sh runs it. The cluster
(cluster.py) starts with upstream's bridge and nothing of ours; the DaemonSet of examples/kubernetes brings the rest. Every test
has a Kubernetes namespace of its own, and when that is deleted at its end, no row may be left. Lines that begin with # are what
an administrator reads."""
import itertools
import json
import os
import time
import unittest

import cluster as machines
import kubernetes
import plugin
import tap
from cluster import MASTER, apply, get, kubectl, wait_for

ANNOTATION = 'ipam-status-cni/ips'
OURS = ('-n', 'ipam-status-cni')
NUMBERS = itertools.count(1)


def setUpModule():
    globals()['cluster'] = machines.Cluster()
    cluster.start()
    wait_for('the node says that it has no network', lambda: 'cni plugin not initialized' in condition()['message'])
    kubectl('create', 'namespace', 'ipam-status-cni')
    apply_password()
    install()
    wait_for('the node is ready', is_ready)


def tearDownModule():
    cluster.database.close()


# --- the example, with our database in it ---------------------------------------------------------------------------------

def apply_password(more=''):
    file = machines.write('pgpass', f'*:*:ipam:cni:{cluster.database.password}\n{more}')
    apply(kubectl(*OURS, 'create', 'secret', 'generic', 'ipam-status-cni', '--from-file', file, '--dry-run=client', '-o', 'yaml'))


def install(*replace):
    """Returns when the node has the network. replace: pairs of what must be in the file and what takes its place."""
    text = kubernetes.manifest()
    for old, new in [('"host": "db1.example,db2.example"', f'"host": "{MASTER}", "port": {cluster.database.port}'), *replace]:
        assert old in text, f'the example has no {old}'
        text = text.replace(old, new)
    apply(text)
    conflist = get(*OURS, 'configmap', 'network')['data'][kubernetes.CONFLIST].encode()
    wait_for('the network is on the node', lambda: on_node(f'/etc/cni/net.d/{kubernetes.CONFLIST}') == conflist, 240)


def on_node(path):
    """What is in a file of the node, None where there is none."""
    try:
        with open(cluster.node.disk + path, 'rb') as f:
            return f.read()
    except FileNotFoundError:
        return None


# --- what an administrator sees -------------------------------------------------------------------------------------------

def tell(who, words):
    print(f'# {who}: {words}', flush=True)


def condition():
    """The node's condition Ready."""
    return next(c for c in get('node', 'node1')['status']['conditions'] if c['type'] == 'Ready')


def is_ready():
    return condition()['status'] == 'True'


def why_not_ready():
    """Waits until the node is not ready, and returns what it says."""
    found = wait_for('the node is not ready', lambda: not is_ready() and condition())
    tell('node1', f'{found["reason"]} {found["message"]}')
    return found['message']


def taints():
    return [f'{t["key"]}:{t["effect"]}' for t in get('node', 'node1')['spec'].get('taints', [])]


def rows(columns='host(ip), pod_name', where='true'):
    return [tuple(row) for row in cluster.database.psql(f'SELECT {columns} FROM public.ips WHERE {where} ORDER BY ip')]


def is_up(pod):
    return 'deletionTimestamp' not in pod['metadata'] and any(
        c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))


class Scenario(unittest.TestCase):
    """One Kubernetes namespace, and pods in it that do nothing."""
    limit = 900

    def setUp(self):
        self.name = f'test-{next(NUMBERS)}'
        kubectl('create', 'namespace', self.name)
        self.addCleanup(wait_for, 'no row is left', lambda: rows() == [], 120)
        self.addCleanup(kubectl, 'delete', 'namespace', self.name, '--timeout=240s')

    def kubectl(self, *arguments):
        return kubectl('-n', self.name, *arguments)

    def start(self, kind, name, replicas=1, address=None, tolerations=(), how=()):
        """A Pod, or a Deployment or a StatefulSet of such pods; how: more for "kubectl apply"."""
        pod = {'metadata': {'annotations': {ANNOTATION: address} if address else {}, 'labels': {'app': name}},
               'spec': {'terminationGracePeriodSeconds': 1, 'tolerations': list(tolerations),
                        'containers': [{'name': 'sleep', 'image': 'localhost/sleep:1', 'imagePullPolicy': 'Never'}]}}
        whole = {'apiVersion': 'v1', **pod} if kind == 'Pod' else {'apiVersion': 'apps/v1', 'metadata': {}, 'spec': {
            'replicas': replicas, 'selector': {'matchLabels': {'app': name}}, 'template': pod}}
        whole['metadata'].update(name=name, namespace=self.name)
        apply(json.dumps({'kind': kind, **whole}), *how)

    def running(self, count):
        """Waits until the namespace has that many pods and all are ready; returns their addresses by name."""
        def look():
            pods = get('-n', self.name, 'pods')
            return pods if len(pods) == count and all(map(is_up, pods)) else None
        return {p['metadata']['name']: p['status']['podIP'] for p in wait_for(f'{count} pods are ready', look, 300)}

    def event(self, name, words):
        """Waits for an event of a pod that has these words, and returns its text."""
        def look():
            return next((e['message'] for e in get('-n', self.name, 'events', '--field-selector', f'involvedObject.name={name}')
                         if words in e['message']), None)
        said = wait_for(f'an event of {name} says "{words}"', look, 240)
        tell(name, said)
        return said


class Pods(Scenario):
    def test_a_deployments_pods_get_picked_addresses(self):
        self.start('Deployment', 'web', replicas=5)
        addresses = self.running(5)
        self.assertEqual(len(set(addresses.values())), 5)
        self.assertCountEqual(
            rows('host(ip), pod_namespace, pod_name, pod_uid, network, node'),
            [(p['status']['podIP'], self.name, p['metadata']['name'], p['metadata']['uid'], 'pods', 'node1') for p in get('-n', self.name, 'pods')])

    def test_a_statefulsets_pod_comes_back_with_its_address(self):
        """Also when it is forced, if the address was asked for by name: then the successor waits for the old pod's end."""
        self.start('StatefulSet', 'picked')
        self.start('StatefulSet', 'named', address='10.99.1.1')
        self.start('Deployment', 'others', replicas=3)
        before = self.running(5)
        for pod, how in (('picked-0', ()), ('named-0', ()), ('named-0', ('--force', '--grace-period=0'))):
            sandbox = rows('pod_id', f"pod_name = '{pod}'")
            self.kubectl('delete', 'pod', pod, '--wait=false', *how)
            wait_for(f'{pod} is another one', lambda p=pod, old=sandbox: rows('pod_id', f"pod_name = '{p}'") not in ([], old))
            self.assertEqual(self.running(5)[pod], before[pod])

    def test_a_sandbox_that_died_and_its_successor(self):
        self.start('Pod', 'one')
        address, sandbox = self.running(1)['one'], rows('pod_id')[0][0]
        cluster.node.kill_sandbox(sandbox)
        wait_for('the pod has another sandbox', lambda: rows('pod_id') not in ([], [(sandbox,)]))
        self.assertEqual(self.running(1), {'one': address})

    def test_an_address_by_annotation_and_who_waits_for_it(self):
        self.start('Pod', 'first', address='10.99.1.1')
        self.assertEqual(self.running(1), {'first': '10.99.1.1'})
        self.start('Pod', 'second', address='10.99.1.1')
        self.event('second', f'address 10.99.1.1 is held by pod {self.name}/first on node "node1"')
        self.assertEqual(rows(), [('10.99.1.1', 'first')])
        self.kubectl('delete', 'pod', 'first')
        self.assertEqual(self.running(1), {'second': '10.99.1.1'})
        self.assertEqual(rows(), [('10.99.1.1', 'second')])

    def test_who_may_ask_by_name(self):
        kubectl('apply', '-f', f'{kubernetes.FOLDER}/policy.yaml')
        self.addCleanup(kubectl, 'delete', '-f', f'{kubernetes.FOLDER}/policy.yaml')
        wait_for('the policy is at work', lambda: self.refused('named', '10.99.1.1'))
        tell('kubectl apply', self.refused('named', '10.99.1.1'))
        self.start('Pod', 'picked')
        kubectl('label', 'namespace', self.name, 'ipam-status-cni=allowed')
        wait_for('the label is seen', lambda: not self.refused('named', '10.99.1.1'))
        self.start('Pod', 'named', address='10.99.1.1')
        self.assertEqual(self.running(2)['named'], '10.99.1.1')
        kubectl('label', 'namespace', self.name, 'ipam-status-cni-')
        wait_for('that the label has gone is seen', lambda: self.refused('named', '10.99.1.2'))
        self.kubectl('label', 'pod', 'named', 'colour=blue')        # what it has may stay
        self.kubectl('annotate', 'pod', 'named', f'{ANNOTATION}-')

    def refused(self, name, address):
        """What the API server says against such a pod, None if nothing."""
        try:
            self.start('Pod', name, address=address, how=['--dry-run=server'])
        except AssertionError as e:
            if 'this namespace may not ask for addresses' in str(e):
                return str(e)
            raise
        return None


class Faults(Scenario):
    def test_without_the_database_the_node_is_not_ready_and_its_pods_go_on(self):
        self.start('Pod', 'runs')
        self.start('Pod', 'ends')
        self.running(2)
        database = cluster.database
        self.addCleanup(lambda: database.process.poll() is None or database.start())
        database.stop()
        self.assertIn('NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: database unreachable: '
                      f'connection to server at "{MASTER}", port {database.port} failed: Connection refused', why_not_ready())
        self.kubectl('delete', 'pod', 'ends', '--wait=false')
        self.event('ends', 'failed to destroy network for sandbox')
        self.start('Pod', 'waits')
        self.event('waits', 'untolerated taint {node.kubernetes.io/not-ready')
        self.assertEqual(taints(), ['node.kubernetes.io/not-ready:NoSchedule'])
        self.assertEqual(get('-n', self.name, 'pod', 'runs')['status']['phase'], 'Running')
        database.start()
        wait_for('the node is ready again', is_ready)
        self.assertEqual(sorted(self.running(2)), ['runs', 'waits'])
        self.assertEqual(sorted(name for _, name in rows()), ['runs', 'waits'])

    def test_kills_of_containerd_and_the_kubelet_lose_nothing(self):
        self.start('Deployment', 'many')
        for replicas in (4, 8, 12):
            self.kubectl('scale', 'deployment', 'many', f'--replicas={replicas}')
            wait_for('pods are being made', lambda n=replicas: len(rows()) > n - 4)
            cluster.node.kill()
            time.sleep(1)
            cluster.node.start()
        addresses = self.running(12)
        self.assertEqual(len(set(addresses.values())), 12)
        wait_for('the rows are those of the pods', lambda: sorted(rows()) == sorted((a, p) for p, a in addresses.items()))

    def test_a_reboot_brings_the_addresses_back(self):
        self.start('StatefulSet', 'db')
        self.start('Deployment', 'web', replicas=4)
        self.start('Pod', 'named', address='10.99.1.1')
        addresses, before = self.running(6), rows('host(ip), pod_name, pod_id, boot_id')
        time.sleep(3)       # a row that is younger than the new boot would be another machine's
        cluster.node.reboot()

        def look():
            after = rows('host(ip), pod_name, pod_id, boot_id')
            return after if len(after) == 6 and not {row[3] for row in after} & {row[3] for row in before} else None
        after = wait_for('every pod has a row of the new boot', look)
        self.assertEqual([row[:2] for row in after], [row[:2] for row in before])
        self.assertFalse({row[2] for row in after} & {row[2] for row in before})
        self.assertEqual(self.running(6), addresses)
        wait_for('the node says that it was rebooted', lambda: any(e['reason'] == 'Rebooted' for e in get('events', '-A')))
        wait_for('the node is ready', is_ready)


class FullPool(Scenario):
    """Five addresses, and five pods that have them."""
    FIVE = [('10.99.0.0/16', '10.98.0.0/29'), ('["10.99.0.0/24"]', '[]'), ('"pods0"', '"pods1"')]
    FULL = 'no address is left in the range set 10.98.0.0/29'

    def fill(self, *replace, **how):
        self.addCleanup(wait_for, 'the node is ready', is_ready)
        self.addCleanup(install)
        install(*self.FIVE, *replace)
        for i in range(5):
            self.start('Pod', f'pod-{i}', **how)
        self.assertEqual(sorted(self.running(5).values()), [f'10.98.0.{n}' for n in range(2, 7)])

    def test_with_statusIgnoresRanges_only_new_pods_are_refused(self):
        self.fill()
        self.start('Pod', 'pod-5')
        self.event('pod-5', self.FULL)
        time.sleep(15)      # in which STATUS is asked three times
        self.assertTrue(is_ready(), condition())
        self.kubectl('delete', 'pod', 'pod-3')
        self.assertIn('pod-5', self.running(5))

    def test_without_it_the_node_is_not_ready(self):
        """Where every node says so, nobody is moved away."""
        self.fill(('"statusIgnoresRanges": true', '"statusIgnoresRanges": false'))
        self.assertIn(self.FULL, why_not_ready())
        time.sleep(15)
        self.assertEqual(taints(), ['node.kubernetes.io/not-ready:NoSchedule'])
        self.assertEqual(len(self.running(5)), 5)
        self.kubectl('delete', 'pod', 'pod-3')
        wait_for('the node is ready again', is_ready)

    def test_without_it_pods_are_moved_away_where_another_node_is_ready(self):
        """They tolerate it for five seconds; Kubernetes' default is 300."""
        self.fill(('"statusIgnoresRanges": true', '"statusIgnoresRanges": false'), tolerations=[
            {'key': 'node.kubernetes.io/not-ready', 'operator': 'Exists', 'effect': 'NoExecute', 'tolerationSeconds': 5}])
        self.assertIn(self.FULL, why_not_ready())
        apply(json.dumps({'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': 'node2'}, 'spec': {'unschedulable': True}}))
        self.addCleanup(kubectl, 'delete', 'node', 'node2')
        kubectl('patch', 'node', 'node2', '--subresource=status', '-p', json.dumps({'status': {'conditions': [
            {'type': 'Ready', 'status': 'True', 'reason': 'KubeletReady', 'lastHeartbeatTime': time.strftime('%FT%TZ', time.gmtime())}]}}))
        for i in range(5):
            self.event(f'pod-{i}', 'Marking for deletion Pod')
        wait_for('the pods are gone', lambda: get('-n', self.name, 'pods') == [])


class Installing(Scenario):
    FILES = ('/opt/cni/bin/status-cni', '/opt/cni/bin/ipam-status-cni', '/etc/cni/ipam-status-cni/pgpass', f'/etc/cni/net.d/{kubernetes.CONFLIST}')

    def test_what_the_daemonset_keeps_on_the_node(self):
        for path in self.FILES[:2]:
            with open(f'{plugin.BINDIR}/{os.path.basename(path)}', 'rb') as f:
                self.assertEqual(on_node(path), f.read())
            self.assertEqual(os.stat(cluster.node.disk + path).st_mode & 0o777, 0o755)
        self.assertEqual(os.stat(cluster.node.disk + self.FILES[2]).st_mode & 0o777, 0o600)
        with open(cluster.node.disk + self.FILES[0], 'wb') as f:
            f.write(b'an older one')
        apply_password('# another password\n')
        wait_for('the plugin is there again', lambda: on_node(self.FILES[0]) != b'an older one')
        wait_for('the Secret is there', lambda: b'another password' in on_node(self.FILES[2]))

    def test_removal_waits_for_the_last_pod(self):
        self.start('Pod', 'last')
        self.running(1)
        self.addCleanup(wait_for, 'the node is ready', is_ready)
        self.addCleanup(install)
        kubectl(*OURS, 'patch', 'daemonset', 'ipam-status-cni', '--type', 'json', '-p',
                '[{"op": "replace", "path": "/spec/template/spec/containers/0/args/0", "value": "remove"}]')
        wait_for('the DaemonSet waits', lambda: 'waiting' in kubectl(*OURS, 'logs', '-l', 'app=ipam-status-cni'))
        time.sleep(15)
        self.assertNotIn(None, map(on_node, self.FILES))
        self.kubectl('delete', 'pod', 'last')
        self.assertEqual(rows(), [])
        wait_for('nothing of ours is on the node', lambda: not any(map(on_node, self.FILES)))
        self.assertIn('cni plugin not initialized', why_not_ready())


if __name__ == '__main__':
    tap.main()
