"""What callers were told, held against the table: the judge of tests in which everything may die at any moment.

An attachment is (network, node, pod, interface), an address its text without prefix. An attachment holds an address
from the moment in which its ADD's success was read until the moment before its DEL, its GC or its host's crash begins.
Whoever was not told what became of a call is in doubt: rows of it may be there or not, until GC.
"""
import threading

ROWS = 'SELECT network, node, pod_id, interface, host(ip) FROM public.ips'


class Ledger:
    """Thread-safe. What it finds wrong is in .wrong, as sentences."""

    def __init__(self):
        self.lock = threading.Lock()
        self.holder = {}   # (network, address) -> attachment
        self.doubt = set()  # attachments
        self.wrong = []
        self.acknowledged = 0

    def added(self, who, addresses):
        """An ADD's success was read: it names these addresses."""
        with self.lock:
            self.acknowledged += 1
            for address in addresses:
                at = self.holder.setdefault((who[0], address), who)
                if at != who:
                    self.wrong.append(f'{address} was given to {who} while {at} held it')

    def leaves(self, who):
        """From now on it may lose what it holds: its DEL, its GC or its crash begins."""
        with self.lock:
            for key in [key for key, at in self.holder.items() if at == who]:
                del self.holder[key]

    def doubts(self, who):
        """Nobody was told what became of its call."""
        with self.lock:
            self.doubt.add(who)

    def sure(self, who):
        """It holds nothing, and no call of it is under way."""
        with self.lock:
            self.doubt.discard(who)

    def held(self, network, node):
        """(pod, interface) of all that hold something there."""
        with self.lock:
            return sorted({(at[2], at[3]) for at in self.holder.values() if at[:2] == (network, node)})

    def holds(self, who):
        with self.lock:
            return sorted(address for (_, address), at in self.holder.items() if at == who)

    def judge(self, server, exact=False):
        """Compares with the table while no call is under way; exact: nobody's doubt counts. Returns what is wrong."""
        rows = [tuple(row) for row in server.psql(ROWS)]
        told = {(*at, address) for (_, address), at in self.holder.items()}
        places = [(row[0], row[4]) for row in rows]
        wrong = list(self.wrong)
        wrong += [f'{p} is there twice' for p in sorted(set(places)) if places.count(p) > 1]
        wrong += [f'acknowledged, but not in the table: {row}' for row in sorted(told - set(rows))]
        wrong += [f'in the table, but nobody was told: {row}' for row in sorted(set(rows) - told)
                  if exact or row[:4] not in self.doubt]
        return wrong
