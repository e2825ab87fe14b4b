#!/usr/bin/env python3
"""Measures the plugins against a private server, and prints tables. Needs the built executables, and a server's and
pgbouncer's programs.

    bench.py FOLDER     with the programs drive and floor; "make bench" calls it

BENCH_RUNS (200) is how often each call is made, BENCH_ROWS (1000000) how many rows the large table has. PEER=FOLDER
names another pair of plugins of the same names, which is measured in turn: it gets a table as the Go demo's, in a
database of its own, and the keys host, port, user, password and dbname.
"""
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import report
from plugin import IPAM, NET
from scene import GC_ROWS, GC_STALE, LARGE, PEER, SMALL, Scene, attachments

BATCH = 20            # runs of one verb before it is the next one's turn
WAYS = ('tcp', 'socket', 'pooler')
AT_ONCE, RATE_RUNS, RATE_ROUNDS = 16, 240, 3
GC_ROUNDS = 5
CHECKED = '10.255.0.1'
LIST = 'cni.dev/valid-attachments'


def callers(scene, **keys):
    """Who is measured with every verb: (name, executable, configuration, base)."""
    found = [(way, NET, scene.conf(way, **keys), way) for way in (*WAYS, 'large')]
    found.append(('ipam', IPAM, scene.conf('tcp', **keys), 'tcp'))
    if scene.peer and not keys:
        found += [('peer', NET, scene.conf('peer'), 'peer'), ('peer-ipam', IPAM, scene.conf('peer'), 'peer')]
    return [(name, executable, conf, (i + 1) << 20) for i, (name, executable, conf, _) in enumerate(found)]


def version_candidates(scene):
    asked = scene.file('{"cniVersion":"1.1.0"}')
    names = [('tcp', NET), ('ipam', IPAM)] + ([('peer', NET), ('peer-ipam', IPAM)] if scene.peer else [])
    return [scene.candidate(name, executable, 'VERSION', asked) for name, executable in names]


def check_candidates(scene):
    """All check one attachment that is there, once in each table."""
    adds = [scene.candidate(name, IPAM, 'ADD', scene.conf(name), pod='checked', ip=CHECKED) for name in ('tcp', 'large')]
    scene.drive(adds, 1)
    prev = {'cniVersion': '1.1.0', 'ips': [{'address': CHECKED + '/8'}]}
    return [scene.candidate(name, executable, 'CHECK', conf, pod='checked', ip=CHECKED)
            for name, executable, conf, _ in callers(scene, prevResult=prev)]


def gc_candidates(scene):
    """A node with 100 attachments, all of them valid."""
    for dbname in (SMALL, LARGE):
        scene.fill_for_gc(dbname, 100)
    return [scene.candidate(name, executable, 'GC', conf)
            for name, executable, conf, _ in callers(scene, node='bench-gc', **{LIST: attachments(100)})]


def candidates(scene):
    """Those of each verb, in the order in which they have to come."""
    everybody = callers(scene)
    attachment = {verb: [scene.candidate(name, executable, verb, conf, base)
                         for name, executable, conf, base in everybody] for verb in ('STATUS', 'ADD', 'DEL')}
    attachment['ADD'] += [scene.floor('floor-' + way, way, (i + 10) << 20) for i, way in enumerate(WAYS)]
    return {'VERSION': version_candidates(scene), 'STATUS': attachment['STATUS'], 'ADD': attachment['ADD'],
            'CHECK': check_candidates(scene), 'DEL': attachment['DEL'], 'GC': gc_candidates(scene)}


def measure_calls(scene, runs):
    """{verb: {name: [(ms, kB)]}}"""
    found = {}
    verbs = candidates(scene)
    for first in range(1, runs + 1, BATCH):
        for verb, who in verbs.items():
            for name, runs_of_it in scene.drive(who, min(BATCH, runs + 1 - first), first).items():
                found.setdefault(verb, {}).setdefault(name, []).extend(runs_of_it)
        for dbname in (SMALL, LARGE, PEER):
            scene.forget(dbname)
            scene.tidy(dbname)
    return found


def measure_rates(scene):
    """{way: ADDs per second}"""
    found = {}
    who = [c for c in callers(scene) if c[0] in (*WAYS, 'peer')]
    for turn in range(RATE_ROUNDS):
        for name, executable, conf, base in who:
            done = scene.drive([scene.candidate(name, executable, 'ADD', conf, base)], RATE_RUNS,
                               first=1 + turn * RATE_RUNS, at_once=AT_ONCE)
            found.setdefault(name, []).append(RATE_RUNS / (done['total'][0][0] / 1000))
        for dbname in (SMALL, PEER):
            scene.forget(dbname)
            scene.tidy(dbname)
    return {name: statistics.median(rates) for name, rates in found.items()}


def gc_lists(scene):
    """Configurations that keep all but GC_STALE rows, by the length of their list."""
    kept = attachments(GC_ROWS - GC_STALE)
    lists = {len(kept): kept, 100000: attachments(100000 + GC_STALE, GC_STALE + 1)[len(kept):] + kept}
    return {n: {'node': 'bench-gc', LIST: entries} for n, entries in lists.items()}


def measure_gc(scene, where, dbname, lists, rounds=GC_ROUNDS):
    """{list's length: [(ms, kB)]} of the IPAM plugin, which finds GC_STALE rows to release each time."""
    found = {}
    for _ in range(rounds):
        for n, keys in lists.items():
            scene.fill_for_gc(dbname)
            if where == 'peer':
                keys = {LIST: keys[LIST]}
            done = scene.drive([scene.candidate(where, NET, 'GC', scene.conf(where, **keys))], 1)
            if scene.count_gc(dbname) != GC_ROWS - GC_STALE:
                raise RuntimeError(f'GC of {where} has not released what is stale')
            found.setdefault(n, []).extend(done[where])
    return found


def main():
    runs = int(os.environ.get('BENCH_RUNS') or 200)
    rows = int(os.environ.get('BENCH_ROWS') or 1000000)
    peer = os.environ.get('PEER') and os.path.abspath(os.environ['PEER'])
    with Scene(sys.argv[1], rows, peer) as scene:
        lists = gc_lists(scene)
        gc = {'no statistics': measure_gc(scene, 'large', LARGE, lists)}
        for dbname in (SMALL, LARGE, PEER):
            scene.forget(dbname)
            scene.tidy(dbname)
        gc['large'] = measure_gc(scene, 'large', LARGE, lists)
        gc['small'] = measure_gc(scene, 'tcp', SMALL, lists)
        if peer:
            gc['peer'] = measure_gc(scene, 'peer', PEER, {k: v for k, v in lists.items() if k < 100000}, 3)
        report.show(scene, runs, measure_calls(scene, runs), measure_rates(scene), gc)


main()
