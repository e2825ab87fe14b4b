#!/usr/bin/env python3
"""How long a call lasts when the database says nothing, or stdin never ends. Needs nothing but time.
Not run with sanitizers."""
import os
import socket
import tempfile
import threading
import time
import unittest

import faults
import plugin
import plugin_case
import tap

DEFAULTS = {'STATUS': 2, 'ADD': 10, 'DEL': 10, 'CHECK': 10, 'GC': 25}
MOST = 0.5 + 2 * faults.SLACK  # what a busy machine adds


def conf(port, **ipam):
    return {'cniVersion': '1.1.0', 'name': 'net', 'type': plugin.NET,
            'prevResult': {'ips': [{'address': '10.0.0.5/24'}]},
            'ipam': {'type': plugin.IPAM, 'host': '127.0.0.1', 'port': port, **ipam}}


class Time(unittest.TestCase):
    def lasts(self, calls):
        """Runs (plugin, verb, configuration or None for a stdin that stays open, seconds) all at once."""
        def one(which, verb, stdin):
            process = plugin.start(which, verb, args='IP=10.0.0.5/24')
            began = time.monotonic()
            if stdin is not None:
                process.stdin.write(plugin_case.bytes_of(stdin))
                process.stdin.close()
            process.wait(60)
            took = time.monotonic() - began
            if stdin is None:
                process.stdin.close()
            process.stdin = None
            return took, plugin.finish(process, b'')
        for call, (took, answer) in zip(calls, faults.at_once([lambda c=c: one(*c[:3]) for c in calls])):
            with self.subTest(call=call, took=took):
                self.assertEqual(answer.code, 50 if call[1] == 'STATUS' else 11, answer.said)
                self.assertGreater(took, call[3] * 0.8)
                undo = 1 if call[:2] == (plugin.NET, 'ADD') and call[2] else 0  # the DEL behind a failed ADD
                self.assertLess(took, call[3] + undo + MOST)

    def test_every_verb_has_its_own_time_and_reading_stdin_is_part_of_it(self):
        with plugin_case.silent_server() as port:
            self.lasts([(plugin.IPAM, verb, conf(port), seconds) for verb, seconds in DEFAULTS.items()]
                       + [(plugin.NET, 'ADD', conf(port), 10), (plugin.NET, 'STATUS', conf(port), 2)]
                       + [(which, verb, None, DEFAULTS[verb]) for which in plugin_case.BOTH for verb in ('ADD', 'STATUS')])

    def test_what_no_poll_reaches_ends_too(self):
        """libpq opens the authority's file when the server takes TLS, and a FIFO that nobody writes to never opens."""
        with tempfile.TemporaryDirectory() as folder, socket.create_server(('127.0.0.1', 0)) as server:
            def take_tls():
                while True:
                    try:
                        peer, _ = server.accept()
                    except OSError:
                        return
                    peers.append(peer)
                    peer.recv(8)
                    peer.sendall(b'S')
            fifo, peers = os.path.join(folder, 'ca.crt'), []
            os.mkfifo(fifo)
            threading.Thread(target=take_tls, daemon=True).start()
            ipam = conf(server.getsockname()[1], timeout=1, sslmode='verify-ca', sslrootcert=fifo)
            calls = [(plugin.IPAM, verb) for verb in ('ADD', 'STATUS', 'GC')]
            began = time.monotonic()
            for answer in faults.at_once([lambda c=c: plugin.run(*c, ipam, args='IP=10.0.0.5/24') for c in calls]):
                self.assertIn('back', answer.said)
                self.assertIn(answer.code, (11, 50))
            self.assertLess(time.monotonic() - began, 1.7 + MOST)
            server.shutdown(socket.SHUT_RDWR)
            for peer in peers:
                peer.close()

    def test_the_configured_one_counts_instead_fractions_too(self):
        with plugin_case.silent_server() as port:
            self.lasts([(which, verb, conf(port, timeout=seconds), seconds) for which in plugin_case.BOTH
                        for verb, seconds in (('ADD', 1.5), ('DEL', 1), ('STATUS', 3), ('GC', 0.5), ('CHECK', 1))])


if __name__ == '__main__':
    tap.main()
