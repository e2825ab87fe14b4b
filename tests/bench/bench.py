#!/usr/bin/env python3
"""Measures the plugins against a private server, and prints tables. Needs the built executables, and a server's and
pgbouncer's programs.

    bench.py FOLDER     with the programs drive and floor; "make bench" calls it

    variable      default      meaning
    BENCH_RUNS    200          how often each call is made
    BENCH_ROWS    1000000      how many rows a large table has
    BENCH_VERBS   all          only these calls, for instance "VERSION STATUS ADD", and neither rates nor long lists
    BEFORE        none         a folder with an earlier pair of these plugins: measured in turn, on the same tables
    PEER          none         a folder with another pair of plugins of the same names: it gets a table as the Go demo's, in
                               a database of its own, and the keys host, port, user, password and dbname
"""
import os
import signal
import statistics
import sys
from collections import namedtuple

import pooler
import report
from plugin import IPAM, NET
from scene import GC_ROWS, GC_STALE, NODE, Scene, attachments, database

BATCH = 20            # runs of one verb before it is the next one's turn
WAYS = ('tcp', 'socket', 'pooler')
AT_ONCE, RATE_RUNS, RATE_ROUNDS = 16, 240, 3
GC_ROUNDS = 5
PODS, PODS_NODES, PODS_AT_ONCE = 1000, 50, 32
CHECKED = '10.255.0.1'
LIST = 'cni.dev/valid-attachments'

# Who is measured: the name in the results, an executable, and a way to the server (scene.py). Each has a million of
# addresses of its own, from `base` on; the floors have the last ones.
Caller = namedtuple('Caller', 'name executable where base')
FLOOR_BASE = 13
FULL = (0, 10, 50, 90, 99)    # per cent of a set


def callers(scene, peer=True):
    found = [(way, NET, way) for way in (*WAYS, 'large', 'own')] + [('ipam', IPAM, 'tcp')]
    if 'before' in scene.folders:
        found += [('before', NET, 'tcp'), ('before-own', NET, 'own'), ('before-ipam', IPAM, 'tcp')]
    if 'peer' in scene.folders and peer:
        found += [('peer', NET, 'peer'), ('peer-ipam', IPAM, 'peer')]
    return [Caller(*caller, (i + 1) << 20) for i, caller in enumerate(found)]


def version_candidates(scene):
    asked = scene.file('{"cniVersion":"1.1.0"}')
    return [scene.candidate(c.name, c.executable, 'VERSION', asked) for c in callers(scene)
            if c.name not in ('socket', 'pooler', 'large', 'own', 'before-own')]


def attachment_candidates(scene, verb):
    return [scene.candidate(c.name, c.executable, verb, scene.conf(c.where), c.base) for c in callers(scene)]


def add_candidates(scene):
    floors = [scene.floor('floor-' + way, way, (i + FLOOR_BASE) << 20) for i, way in enumerate(WAYS)]
    return attachment_candidates(scene, 'ADD') + floors


def check_candidates(scene):
    """All check one attachment that is there, once in each table."""
    adds = [scene.candidate(way, IPAM, 'ADD', scene.conf(way), pod='checked', ip=CHECKED) for way in ('tcp', 'large', 'own')]
    scene.drive(adds, 1)
    prev = {'cniVersion': '1.1.0', 'ips': [{'address': CHECKED + '/8'}]}
    return [scene.candidate(c.name, c.executable, 'CHECK', scene.conf(c.where, prevResult=prev), pod='checked', ip=CHECKED)
            for c in callers(scene, peer=False)]


def gc_candidates(scene):
    """A node with 100 attachments, all of them valid."""
    mine = callers(scene, peer=False)
    for dbname in {database(c.where) for c in mine}:
        scene.fill_for_gc(dbname, 100)
    return [scene.candidate(c.name, c.executable, 'GC', scene.conf(c.where, node=NODE, **{LIST: attachments(100)})) for c in mine]


def takeover_candidates(scene):
    """ADDs of addresses that this node's earlier life has left (leave_for_takeovers)."""
    return [scene.candidate(c.name, c.executable, 'ADD', scene.conf(c.where, node=NODE), takeover_base(c), pod='bench-t%n')
            for c in callers(scene, peer=False)]


def takeover_base(caller):
    return caller.base + (1 << 19)


def leave_for_takeovers(scene, first, runs):
    for c in callers(scene, peer=False):
        base = takeover_base(c)
        scene.leave(database(c.where), base + first, base + first + runs - 1)


def fill_pools(scene):
    for full in FULL:
        scene.fill_pool(database('large'), full)
    for where, full in (('pooler', 50), ('pools', 50), ('large', 100), ('pools', 100)):
        scene.fill_pool(database(where), full)


def pool_candidates(scene, verb):
    """Nobody asks for an address: it is picked from a /16 that is so full, beside the large table's rows or alone. Where it
    is full, the call fails."""
    who = [(f'pool-{full}', 'large', full) for full in (*FULL, 100)] + [
        ('pool-pooler', 'pooler', 50), ('pool-50-alone', 'pools', 50), ('pool-100-alone', 'pools', 100)]
    return [scene.candidate(name, NET, verb, scene.pool_conf(where, full), pod=f'bench-p-{name}-%n', ip=None, exits=full // 100)
            for name, where, full in who]


# In the order in which they have to come: DEL releases what ADD has recorded.
CALLS = {
    'VERSION': version_candidates,
    'STATUS': lambda scene: attachment_candidates(scene, 'STATUS') + pool_candidates(scene, 'STATUS'),
    'ADD': lambda scene: add_candidates(scene) + pool_candidates(scene, 'ADD'),
    'CHECK': check_candidates,
    'DEL': lambda scene: attachment_candidates(scene, 'DEL'),
    'GC': gc_candidates,
    'takeover': takeover_candidates,
}


def measure_calls(scene, runs, wanted):
    """{call: {name: [(ms, kB)]}}"""
    found = {}
    calls = {call: make(scene) for call, make in CALLS.items() if call in wanted}
    for first in range(1, runs + 1, BATCH):
        batch = min(BATCH, runs + 1 - first)
        for call, who in calls.items():
            if call == 'takeover':
                leave_for_takeovers(scene, first, batch)
            for name, runs_of_it in scene.drive(who, batch, first).items():
                found.setdefault(call, {}).setdefault(name, []).extend(runs_of_it)
        scene.tidy()
    return found


def measure_rates(scene):
    """{name: ADDs per second}"""
    found = {}
    who = [c for c in callers(scene) if c.name in (*WAYS, 'before', 'peer')]
    for turn in range(RATE_ROUNDS):
        for c in who:
            candidate = scene.candidate(c.name, c.executable, 'ADD', scene.conf(c.where), c.base)
            done = scene.drive([candidate], RATE_RUNS, first=1 + turn * RATE_RUNS, at_once=AT_ONCE)
            found.setdefault(c.name, []).append(RATE_RUNS / (done['total'][0][0] / 1000))
        pool = scene.candidate('pool-50', NET, 'ADD', scene.pool_conf('large', 50), pod='bench-p-rate-%n', ip=None)
        done = scene.drive([pool], RATE_RUNS, first=1 + turn * RATE_RUNS, at_once=AT_ONCE)
        found.setdefault('pool-50', []).append(RATE_RUNS / (done['total'][0][0] / 1000))
        scene.tidy()
    return {name: statistics.median(rates) for name, rates in found.items()}


def measure_pods(scene):
    """{'named' or 'picked': [seconds]} for as many pods as addresses."""
    found = {}
    for _ in range(RATE_ROUNDS):
        for picked in (False, True):
            candidates = scene.pods(picked, PODS, PODS_NODES)
            done = scene.drive(candidates, PODS // PODS_NODES, at_once=PODS_AT_ONCE)
            found.setdefault('picked' if picked else 'named', []).append(done['total'][0][0] / 1000)
            scene.tidy()
    return found


def gc_lists():
    """Lists that keep all but GC_STALE rows, by their length."""
    kept = attachments(GC_ROWS - GC_STALE)
    return {len(kept): kept, 100000: kept + attachments(GC_ROWS + 100000 - len(kept), GC_ROWS + 1)}


def measure_gc(scene, names, rounds):
    """{name: {list's length: [(ms, kB)]}} of the net plugin, which finds GC_STALE rows to release each time."""
    found = {}
    for _ in range(rounds):
        for c in callers(scene):
            if c.name not in names:
                continue
            for n, entries in gc_lists().items():
                if c.name == 'peer' and n > GC_ROWS:
                    continue
                scene.fill_for_gc(database(c.where))
                conf = scene.conf(c.where, node=None if c.name == 'peer' else NODE, **{LIST: entries})
                done = scene.drive([scene.candidate(c.name, NET, 'GC', conf)], 1)
                if scene.count_gc(database(c.where)) != GC_ROWS - GC_STALE:
                    raise RuntimeError(f'GC of {c.name} has not released what is stale')
                found.setdefault(c.name, {}).setdefault(n, []).extend(done[c.name])
    return found


def main():
    if not pooler.available():
        sys.exit('pgbouncer is missing: ./setup_dependencies.sh tests')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with us, in order
    runs = int(os.environ.get('BENCH_RUNS') or 200)
    rows = int(os.environ.get('BENCH_ROWS') or 1000000)
    wanted = (os.environ.get('BENCH_VERBS') or '').split()
    folders = {name: os.path.abspath(os.environ[name.upper()]) for name in ('before', 'peer') if os.environ.get(name.upper())}
    with Scene(sys.argv[1], rows, folders) as scene:
        fill_pools(scene)
        gc, rates, pods = {}, {}, {}
        if not wanted:
            new = measure_gc(scene, ('large',), GC_ROUNDS)
            scene.tidy()
            gc = {**measure_gc(scene, ('tcp', 'large', 'own', 'before', 'before-own', 'peer'), GC_ROUNDS),
                  'no statistics': new['large']}
        scene.tidy()
        calls = measure_calls(scene, runs, wanted or CALLS)
        if not wanted:
            rates = measure_rates(scene)
            pods = measure_pods(scene)
        report.show(scene, runs, calls, rates, gc, pods)


main()
