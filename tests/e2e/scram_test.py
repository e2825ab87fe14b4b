#!/usr/bin/env python3
"""Logging in with a password, against a server that is played here. Needs the built executables."""
import base64
import hashlib
import hmac
import socket
import struct
import threading
import unittest

import plugin
import tap

PASSWORD = 'correct horse battery staple'
SALT = b'0123456789abcdef'


class Server:
    """Asks every client for SCRAM with so many rounds, keeps the proof that it sends, and refuses it. SASL messages:
    PostgreSQL, "Message Formats"."""
    host, password = '127.0.0.1', PASSWORD

    def __init__(self, rounds):
        self.rounds = rounds
        self.proof = self.expected = None
        self.listener = socket.create_server((self.host, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            self.talk(self.listener.accept()[0])

    def talk(self, client):
        with client, client.makefile('rwb') as stream:
            client.settimeout(20)
            stream.read(struct.unpack('!I', stream.read(4))[0] - 4)
            self.send(stream, b'R', struct.pack('!I', 10) + b'SCRAM-SHA-256\0\0')
            first = self.receive(stream).split(b'\0', 1)[1][4:].removeprefix(b'n,,')
            nonce = first.split(b'r=')[1] + b'server'
            asked = b'r=%s,s=%s,i=%d' % (nonce, base64.b64encode(SALT), self.rounds)
            self.send(stream, b'R', struct.pack('!I', 11) + asked)
            final = self.receive(stream)
            if final:
                bare, _, self.proof = final.rpartition(b',p=')
                self.expected = proof(self.rounds, b','.join((first, asked, bare)))
                self.send(stream, b'E', b'SFATAL\0C28P01\0Mrefused by the test\0\0')

    @staticmethod
    def send(stream, kind, body):
        stream.write(kind + struct.pack('!I', len(body) + 4) + body)
        stream.flush()

    @staticmethod
    def receive(stream):
        """The next message's body; empty when the client has gone."""
        head = stream.read(5)
        return stream.read(struct.unpack('!I', head[1:])[0] - 4) if len(head) == 5 else b''


def proof(rounds, auth_message):
    """RFC 5802, section 3."""
    salted = hashlib.pbkdf2_hmac('sha256', PASSWORD.encode(), SALT, rounds)
    key = hmac.digest(salted, b'Client Key', 'sha256')
    signature = hmac.digest(hashlib.sha256(key).digest(), auth_message, 'sha256')
    return base64.b64encode(bytes(a ^ b for a, b in zip(key, signature)))


def log_in(rounds):
    """What STATUS says of a server that asks for so many rounds, and that server."""
    server = Server(rounds)
    conf = plugin.net_conf(server, {'sslmode': 'disable', 'timeout': 2})
    return plugin.run(plugin.IPAM, 'STATUS', conf), server


class Scram(unittest.TestCase):
    def test_the_proof_is_right_for_any_number_of_rounds(self):
        for rounds in (1, 2, 4096, 12345):
            with self.subTest(rounds=rounds):
                answer, server = log_in(rounds)
                self.assertIsNotNone(server.proof, answer)
                self.assertEqual(server.proof, server.expected)
                self.assertEqual(answer.code, 50)

    if plugin.is_static():
        def test_our_rounds_are_what_runs(self):
            """libpq's own would do them all, for minutes."""
            answer, server = log_in(2**31 - 1)
            self.assertIsNone(server.proof)
            self.assertEqual(answer.code, 50)
            self.assertIn('iterations', answer.said)


if __name__ == '__main__':
    tap.main()
