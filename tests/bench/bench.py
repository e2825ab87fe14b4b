#!/usr/bin/env python3
"""Measures the plugins against a private server, and prints tables. Needs the built executables, and a server's and
pgbouncer's programs.

    bench.py FOLDER     with the programs drive and floor; "make bench" calls it

BENCH_RUNS (200) is how often each call is made, BENCH_ROWS (1000000) how many rows the large table has. PEER=FOLDER
names another pair of plugins of the same names, which is measured in turn: it gets a table as the Go demo's, in a
database of its own, and the keys host, port, user, password and dbname.
"""
import os
import signal
import statistics
import sys

import pooler
import report
from plugin import IPAM, NET
from scene import GC_ROWS, GC_STALE, LARGE, NODE, PEER, SMALL, Scene, attachments

BATCH = 20            # runs of one verb before it is the next one's turn
WAYS = ('tcp', 'socket', 'pooler')
AT_ONCE, RATE_RUNS, RATE_ROUNDS = 16, 240, 3
GC_ROUNDS = 5
CHECKED = '10.255.0.1'
LIST = 'cni.dev/valid-attachments'


def callers(scene, **keys):
    """Who is measured with every verb: (name, executable, configuration, base of its numbers)."""
    found = [(way, NET, scene.conf(way, **keys)) for way in (*WAYS, 'large')]
    found.append(('ipam', IPAM, scene.conf('tcp', **keys)))
    if scene.peer and not keys:
        found += [('peer', NET, scene.conf('peer')), ('peer-ipam', IPAM, scene.conf('peer'))]
    return [(*caller, (i + 1) << 20) for i, caller in enumerate(found)]


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
            for name, executable, conf, _ in callers(scene, node=NODE, **{LIST: attachments(100)})]


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
        scene.tidy()
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
        scene.tidy()
    return {name: statistics.median(rates) for name, rates in found.items()}


def gc_lists():
    """Lists that keep all but GC_STALE rows, by their length."""
    kept = attachments(GC_ROWS - GC_STALE)
    return {len(kept): kept, 100000: kept + attachments(GC_ROWS + 100000 - len(kept), GC_ROWS + 1)}


def measure_gc(scene, places, rounds):
    """{place: {list's length: [(ms, kB)]}} of the net plugin, which finds GC_STALE rows to release each time. places:
    how to call it, and the database that this leads to."""
    found = {}
    for _ in range(rounds):
        for place, dbname in places.items():
            for n, entries in gc_lists().items():
                if place == 'peer' and n > GC_ROWS:
                    continue
                scene.fill_for_gc(dbname)
                conf = scene.conf(place, node=None if place == 'peer' else NODE, **{LIST: entries})
                done = scene.drive([scene.candidate(place, NET, 'GC', conf)], 1)
                if scene.count_gc(dbname) != GC_ROWS - GC_STALE:
                    raise RuntimeError(f'GC of {place} has not released what is stale')
                found.setdefault(place, {}).setdefault(n, []).extend(done[place])
    return found


def main():
    if not pooler.available():
        sys.exit('pgbouncer is missing: ./setup_dependencies.sh tests')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with us, in order
    runs = int(os.environ.get('BENCH_RUNS') or 200)
    rows = int(os.environ.get('BENCH_ROWS') or 1000000)
    peer = os.environ.get('PEER') and os.path.abspath(os.environ['PEER'])
    with Scene(sys.argv[1], rows, peer) as scene:
        new = measure_gc(scene, {'large': LARGE}, GC_ROUNDS)
        scene.tidy()
        places = {'tcp': SMALL, 'large': LARGE, **({'peer': PEER} if peer else {})}
        gc = {**measure_gc(scene, places, GC_ROUNDS), 'no statistics': new['large']}
        scene.tidy()
        report.show(scene, runs, measure_calls(scene, runs), measure_rates(scene), gc)


main()
