"""The tables that the bench prints, as Markdown."""
import os
import statistics
import tempfile
import time

from scene import GC_ROWS, GC_STALE

VERBS = ('VERSION', 'STATUS', 'ADD', 'CHECK', 'DEL', 'GC')
CALLERS = {
    'tcp': 'net plugin, TCP',
    'ipam': 'IPAM plugin alone, TCP',
    'socket': 'net plugin, Unix socket',
    'pooler': "net plugin, pgbouncer's Unix socket",
    'large': 'net plugin, TCP, {rows:,} rows',
    'floor-tcp': 'floor, TCP',
    'floor-socket': 'floor, Unix socket',
    'floor-pooler': "floor, pgbouncer's Unix socket",
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
    release = scene.server.value('SHOW server_version').split()[0]
    print(f'Measured on {os.cpu_count()} cores ({models[0] if models else os.uname().machine}), Linux '
          f'{os.uname().release}, PostgreSQL {release} on the same machine, load at the end {os.getloadavg()[0]:.1f}. '
          f'{runs} calls each, all in turn; the small table has 1,000 rows, the large one {scene.rows:,}.')
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
        cells = [calls[verb].get(name) for verb in VERBS]
        if any(cells):
            rows.append([words.format(rows=scene.rows)]
                        + [f'{median(c):.2f} / {percentile99(c):.2f}' if c else '' for c in cells])
    table(['ms: median / 99th percentile', *VERBS], rows)


def show_rates(rates):
    table(['ADDs per second, 16 at once', ''],
          [[CALLERS[name], f'{rate:.0f}'] for name, rate in rates.items()])


def show_gc(scene, gc):
    where = {'tcp': '1,000', 'large': f'{scene.rows:,}', 'no statistics': f'{scene.rows:,}, no statistics yet',
             'peer': "peer's table, none"}
    rows = [[f'{where[name]}', f'{n:,}', f'{median(calls):.0f}', f'{memory(calls):.1f}']
            for name, lists in gc.items() for n, calls in lists.items()]
    table([f"GC of {GC_STALE:,} stale of {GC_ROWS:,}; other rows", 'list', 'ms', 'MB'], rows)


def show_memory(calls):
    rows = []
    for name in ('tcp', 'ipam', 'floor-tcp', 'peer', 'peer-ipam'):
        cells = [calls[verb].get(name) for verb in VERBS]
        if any(cells):
            rows.append([CALLERS[name]] + [f'{memory(c):.2f}' if c else '' for c in cells])
    table(['peak memory, MB (of the net plugin: the larger of it and of its IPAM plugin)', *VERBS], rows)


def ratios(calls, rates, gc):
    """What is compared: words and a ratio."""
    def of(verb, one, other):
        return median(calls[verb][one]) / median(calls[verb][other])
    if 'peer' in calls['ADD']:
        stale = GC_ROWS - GC_STALE
        yield 'VERSION, net plugin, against the peer', of('VERSION', 'tcp', 'peer')
        yield 'VERSION, IPAM plugin, against the peer', of('VERSION', 'ipam', 'peer-ipam')
        yield 'STATUS, TCP, against the peer', of('STATUS', 'tcp', 'peer')
        yield 'ADD, TCP, against the peer', of('ADD', 'tcp', 'peer')
        yield 'ADDs per second, TCP, against the peer', rates['tcp'] / rates['peer']
        yield 'GC, against the peer', median(gc['tcp'][stale]) / median(gc['peer'][stale])
        yield "peak memory of the IPAM plugin's ADD, against the peer", \
            memory(calls['ADD']['ipam']) / memory(calls['ADD']['peer-ipam'])
    for way, words in (('tcp', 'TCP'), ('socket', 'Unix socket'), ('pooler', "pgbouncer's socket")):
        floor = median(calls['ADD']['floor-' + way])
        for verb in ('ADD', 'STATUS'):
            yield f'{verb}, {words}, against the floor', median(calls[verb][way]) / floor
    yield "ADD, pgbouncer's socket against TCP", of('ADD', 'pooler', 'tcp')
    yield "ADDs per second, pgbouncer's socket against TCP", rates['pooler'] / rates['tcp']
    for verb in ('ADD', 'CHECK', 'DEL'):
        yield f'{verb}, large table against small', of(verb, 'large', 'tcp')


def show(scene, runs, calls, rates, gc):
    show_head(scene, runs)
    show_calls(scene, calls)
    show_rates(rates)
    show_gc(scene, gc)
    show_memory(calls)
    table(['compared', 'ratio'], [[words, f'{ratio:.3f}'] for words, ratio in ratios(calls, rates, gc)])
