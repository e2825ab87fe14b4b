"""A name server that knows a few names, for a test's resolv.conf."""
import secrets
import socket
import struct
import threading

ADDRESS = f'127.53.{secrets.randbelow(255)}.{1 + secrets.randbelow(254)}'     # each test program has its own
CONF = f'nameserver {ADDRESS}\n'


class Names:
    """names: from name to IPv4 address. Ends with its with block."""

    def __init__(self, **names):
        self.names = {name.replace('_', '.'): address for name, address in names.items()}
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.sendto(b'', (ADDRESS, 53))
        self.thread.join(10)
        self.socket.close()

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            if not query:
                return
            self.socket.sendto(self._answer(query), client)

    def _answer(self, query):
        """RFC 1035, section 4: the query's header and question, and one A record where there is one."""
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        name = '.'.join(labels).lower()
        self.asked.append(name)
        address = self.names.get(name)
        record = b''
        if address and question[-4:-2] == b'\0\1':
            record = b'\xc0\x0c' + struct.pack('!HHIH', 1, 1, 1, 4) + socket.inet_aton(address)
        return query[:2] + struct.pack('!HHHHH', 0x8180 if address else 0x8183, 1, bool(record), 0, 0) + question + record
