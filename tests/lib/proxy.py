"""A TCP proxy before a pg.Server that goes silent at a chosen moment, as a machine that hangs or a cable that breaks."""
import selectors
import socket
import threading

CANCEL = b'\x00\x00\x00\x10\x04\xd2\x16\x2e'


class Proxy:
    """Forwards everything. Of the first `hung` connections the server's bytes go nowhere from cut(all of them so far)
    on, and nobody is told; while that is None they pass. cancel: what happens to cancel requests, which come on connections of their own:
    True passes them on, False swallows them and keeps the connection open."""

    def __init__(self, server, cut=lambda said: None, hung=10**6, cancel=True):
        self.to, self.cut, self.hung, self.cancel = (server.host, server.port), cut, hung, cancel
        self.host, self.password = '127.0.0.1', server.password
        self.answered = []  # the bytes of each connection that came from the server
        self.cancels = 0
        self.listener = socket.create_server((self.host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.picker = selectors.DefaultSelector()
        self.picker.register(self.listener, selectors.EVENT_READ, self._accept)
        self.wake, end = socket.socketpair()
        self.picker.register(end, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.wake.send(b'.')
        self.thread.join(10)
        for key in list(self.picker.get_map().values()):
            key.fileobj.close()
        self.wake.close()
        self.picker.close()

    def _run(self):
        while True:
            for key, _ in self.picker.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _accept(self, listener):
        client, _ = listener.accept()
        self.picker.register(client, selectors.EVENT_READ, self._first)

    def _first(self, client):
        """The first bytes say whether this is a cancel request."""
        data = self._receive(client)
        if data.startswith(CANCEL):
            self.cancels += 1
            if not self.cancel:
                self.picker.modify(client, selectors.EVENT_READ, self._ignore)
                return
        if not data:
            self._end(client)
            return
        try:
            server = socket.create_connection(self.to, 5)
        except OSError:
            self._end(client)
            return
        number = -1 if data.startswith(CANCEL) else len(self.answered)
        if number >= 0:
            self.answered.append(b'')
        server.sendall(data)
        self.picker.modify(client, selectors.EVENT_READ, lambda s: self._from_client(s, server))
        self.picker.register(server, selectors.EVENT_READ, lambda s: self._from_server(s, client, number))

    @staticmethod
    def _receive(s):
        try:
            return s.recv(65536)
        except OSError:
            return b''

    def _ignore(self, s):
        if not self._receive(s):
            self._end(s)

    def _end(self, *sockets):
        for s in sockets:
            try:
                self.picker.unregister(s)
            except (KeyError, ValueError):
                pass
            s.close()

    def _from_client(self, client, server):
        data = self._receive(client)
        self._pass_on(data, client, server)

    def _from_server(self, server, client, number):
        data = self._receive(server)
        if not 0 <= number < self.hung:
            self._pass_on(data, server, client)
            return
        before = len(self.answered[number])
        self.answered[number] += data
        end = self.cut(self.answered[number])
        if not data and end is not None:
            self._end(server)  # the client is not told
        elif end is None or end > before:
            self._pass_on(data[:None if end is None else end - before], server, client)

    def _pass_on(self, data, source, target):
        try:
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        self._end(source, target)
