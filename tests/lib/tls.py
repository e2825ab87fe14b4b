"""A throw-away certificate authority, with openssl's program."""
import os
import shutil
import subprocess

import pg


def openssl(folder, *args):
    return subprocess.run(['openssl', *args], cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout


class Authority:
    """ca.crt in a folder of its own, and what it signs: NAME.crt and NAME.key, which belongs to the server's user."""

    def __init__(self):
        self.dir = pg.owned_tempdir('ipam-tls.')
        openssl(self.dir, 'req', '-x509', *self._new('ca'), '-days', '2', '-out', 'ca.crt')

    def _new(self, name):
        return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', f'/CN={name}',
                '-keyout', f'{name}.key']

    def path(self, file):
        return os.path.join(self.dir, file)

    def sign(self, name, names=''):
        """names: what else it is called, as openssl writes a subjectAltName (DNS:a,IP:127.0.0.1)."""
        openssl(self.dir, 'req', *self._new(name), '-out', f'{name}.csr')
        with open(self.path('extensions'), 'w', encoding='ascii') as f:
            f.write(f'subjectAltName={names}\n' if names else 'basicConstraints=CA:FALSE\n')
        openssl(self.dir, 'x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial',
                '-days', '2', '-extfile', 'extensions', '-out', f'{name}.crt')
        owner = os.stat(self.dir)
        os.chown(self.path(f'{name}.key'), owner.st_uid, owner.st_gid)

    def close(self):
        shutil.rmtree(self.dir)
