"""The tables that the bench prints, as Markdown."""
import os
import statistics
import tempfile
import time

import plugin
from scene import GC_ROWS, GC_STALE

VERBS = ('VERSION', 'STATUS', 'ADD', 'CHECK', 'DEL', 'GC', 'takeover')
CALLERS = {
    'tcp': 'net plugin, TCP',
    'ipam': 'IPAM plugin alone, TCP',
    'socket': 'net plugin, Unix socket',
    'pooler': "net plugin, pgbouncer's Unix socket",
    'large': 'net plugin, TCP, {rows:,} rows',
    'own': 'net plugin, TCP, {rows:,} rows of its network',
    **{f'pool-{full}': f'picked from a /16, {full} % full, TCP, {{rows:,}} rows' for full in (0, 10, 50, 90, 99, 100)},
    **{f'pool-{full}-alone': f'picked from a /16, {full} % full, TCP, no other rows' for full in (50, 100)},
    'pool-pooler': "picked from a /16, 50 % full, pgbouncer's Unix socket",
    'floor-tcp': 'floor, TCP',
    'floor-socket': 'floor, Unix socket',
    'floor-pooler': "floor, pgbouncer's Unix socket",
    'before': 'net plugin of before, TCP',
    'before-own': 'net plugin of before, TCP, {rows:,} rows of its network',
    'before-ipam': 'IPAM plugin of before alone, TCP',
    'peer': "peer's net plugin, TCP",
    'peer-ipam': "peer's IPAM plugin alone, TCP",
}


def median(calls):
    return statistics.median(ms for ms, _ in calls)


def percentile99(calls):
    times = sorted(ms for ms, _ in calls)
    return times[max(0, -(-len(times) * 99 // 100) - 1)]


def memory(calls):
    return statistics.median(kilobytes for _, kilobytes in calls) / 1024


def table(head, rows):
    print('\n| ' + ' | '.join(head) + ' |')
    print('| --- |' + ' ---: |' * (len(head) - 1))
    for row in rows:
        print('| ' + ' | '.join(row) + ' |')


def show_head(scene, runs):
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        models = [line.split(':', 1)[1].strip() for line in f if line.startswith('model name')]
    for word, folder in {'measured': plugin.BINDIR, **scene.folders}.items():
        sizes = ', '.join(f'{name} {os.path.getsize(os.path.join(folder, name)):,}' for name in (plugin.NET, plugin.IPAM))
        print(f'Executables {word}: {sizes} bytes.')
    release = scene.server.value('SHOW server_version').split()[0]
    print(f'Measured on {os.cpu_count()} cores ({models[0] if models else os.uname().machine}), Linux '
          f'{os.uname().release}, PostgreSQL {release} on the same machine, load at the end {os.getloadavg()[0]:.1f}. '
          f'{runs} calls each, all in turn; the small table has 1,000 rows and half a /16, the large ones {scene.rows:,}, a fifth or all of them of '
          'the network that is asked for. A takeover is an ADD of an address that an earlier boot of the node has left.')
    print('By TCP everybody logs in with SCRAM, without TLS; by a Unix socket without a password (peer; pgbouncer, in '
          'transaction mode, trusts whoever may open its socket). The server has its defaults, but autovacuum runs '
          f'between the measurements. A flush of the disk, which every commit waits for, takes {flush():.1f} ms.')


def flush():
    """Milliseconds that one takes."""
    took = []
    with tempfile.NamedTemporaryFile(prefix='ipam-bench.', dir='/var/tmp') as f:
        for _ in range(20):
            f.write(b'x' * 8192)
            f.flush()
            begun = time.monotonic()
            os.fdatasync(f.fileno())
            took.append(time.monotonic() - begun)
    return statistics.median(took) * 1000


def show_calls(scene, calls):
    rows = []
    for name, words in CALLERS.items():
        cells = [calls.get(verb, {}).get(name) for verb in VERBS]
        if any(cells):
            rows.append([words.format(rows=scene.rows)]
                        + [f'{median(c):.2f} / {percentile99(c):.2f}' if c else '' for c in cells])
    table(['ms: median / 99th percentile', *VERBS], rows)


def show_rates(rates, rows):
    table(['ADDs per second, 16 at once', ''],
          [[CALLERS[name].format(rows=rows), f'{rate:.0f}'] for name, rate in rates.items()])


def show_pods(pods):
    table(['seconds for 1,000 ADDs from 50 nodes, 32 at once', ''],
          [[{'named': 'by name', 'picked': 'picked from 1,000 addresses'}[name], ' '.join(f'{s:.1f}' for s in took)]
           for name, took in pods.items()])


def show_gc(scene, gc):
    where = {'tcp': '1,000', 'large': f'{scene.rows:,}', 'no statistics': f'{scene.rows:,}, no statistics yet',
             'own': f'{scene.rows:,} of its network', 'before': '1,000, plugins of before',
             'before-own': f'{scene.rows:,} of its network, plugins of before', 'peer': "peer's table, none"}
    rows = [[f'{where[name]}', f'{n:,}', f'{median(calls):.0f}', f'{memory(calls):.1f}']
            for name, lists in gc.items() for n, calls in lists.items()]
    table([f"GC of {GC_STALE:,} stale of {GC_ROWS:,}; other rows", 'list', 'ms', 'MB'], rows)


def show_memory(calls):
    rows = []
    for name in ('tcp', 'ipam', 'floor-tcp', 'before', 'before-ipam', 'peer', 'peer-ipam'):
        cells = [calls.get(verb, {}).get(name) for verb in VERBS]
        if any(cells):
            rows.append([CALLERS[name]] + [f'{memory(c):.2f}' if c else '' for c in cells])
    table(['peak memory, MB (of the net plugin: the larger of it and of its IPAM plugin)', *VERBS], rows)


def ratios(calls, rates, gc, pods):
    """What is compared: words and a ratio. What was not measured is left out."""
    stale = GC_ROWS - GC_STALE

    def compare(words, verb, one, other, other_verb=None, figure=median):
        mine, others = calls.get(verb, {}).get(one), calls.get(other_verb or verb, {}).get(other)
        if mine and others:
            yield words, figure(mine) / figure(others)

    def compare_rates(words, one, other):
        if one in rates and other in rates:
            yield words, rates[one] / rates[other]

    def compare_gc(words, one, other, n=stale):
        if one in gc and other in gc:
            yield words, median(gc[one][n]) / median(gc[other][n])

    for verb in VERBS:
        for one, words in (('tcp', 'net plugin'), ('ipam', 'IPAM plugin'), ('own', 'large network')):
            other = 'before' if one == 'tcp' else 'before-' + one
            yield from compare(f'{verb}, {words}, against before', verb, one, other)
    yield from compare_rates('ADDs per second, TCP, against before', 'tcp', 'before')
    yield from compare_gc('GC, long list, against before', 'tcp', 'before', 100000)
    yield from compare_gc('GC, long list, large network, against before', 'own', 'before-own', 100000)
    for verb in ('VERSION', 'STATUS', 'ADD'):
        yield from compare(f'{verb}, net plugin, against the peer', verb, 'tcp', 'peer')
    yield from compare('VERSION, IPAM plugin, against the peer', 'VERSION', 'ipam', 'peer-ipam')
    yield from compare_rates('ADDs per second, TCP, against the peer', 'tcp', 'peer')
    yield from compare_gc('GC, against the peer', 'tcp', 'peer')
    yield from compare("peak memory of the IPAM plugin's ADD, against the peer", 'ADD', 'ipam', 'peer-ipam', figure=memory)
    for way, words in (('tcp', 'TCP'), ('socket', 'Unix socket'), ('pooler', "pgbouncer's socket")):
        for verb in ('ADD', 'STATUS'):
            yield from compare(f'{verb}, {words}, against the floor', verb, way, 'floor-' + way, 'ADD')
    for full in (0, 10, 50, 90, 99):
        yield from compare(f'ADD picked, {full} % full, against ADD by name', 'ADD', f'pool-{full}', 'large')
    yield from compare("ADD picked, 50 % full, pgbouncer's socket, against ADD by name there", 'ADD', 'pool-pooler', 'pooler')
    yield from compare_rates('ADDs per second, picked, 50 % full, against by name', 'pool-50', 'tcp')
    yield from compare('ADD picked, 50 % full, beside other rows, against without', 'ADD', 'pool-50', 'pool-50-alone')
    yield from compare('ADD refused by a full set, against ADD by name', 'ADD', 'pool-100', 'large')
    if pods:
        yield 'as many pods as addresses, seconds, against by name', statistics.median(pods['picked']) / statistics.median(pods['named'])
    for full in (0, 50, 99, 100):
        yield from compare(f'STATUS with a set that is {full} % full, against STATUS without', 'STATUS', f'pool-{full}', 'large')
    yield from compare('STATUS with a full set, beside other rows, against without', 'STATUS', 'pool-100', 'pool-100-alone')
    yield from compare("ADD, pgbouncer's socket against TCP", 'ADD', 'pooler', 'tcp')
    yield from compare_rates("ADDs per second, pgbouncer's socket against TCP", 'pooler', 'tcp')
    for verb in ('ADD', 'CHECK', 'DEL', 'GC', 'takeover'):
        yield from compare(f'{verb}, large table against small', verb, 'large', 'tcp')
        yield from compare(f'{verb}, large network against small', verb, 'own', 'tcp')


def show(scene, runs, calls, rates, gc, pods):
    show_head(scene, runs)
    show_calls(scene, calls)
    if rates:
        show_rates(rates, scene.rows)
        show_pods(pods)
        show_gc(scene, gc)
    show_memory(calls)
    table(['compared', 'ratio'], [[words, f'{ratio:.3f}'] for words, ratio in ratios(calls, rates, gc, pods)])
