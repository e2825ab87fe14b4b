#!/usr/bin/env python3
"""ADD with too little memory: an error object, and nothing that stays recorded. Needs a PostgreSQL server's programs and
root. (Each allocation of ours on its own: tests/unit/ipam/memory_test.c.)
Not run with sanitizers, which need all memory there is."""
import os
import pathlib
import tempfile

import plugin
import plugin_case
import tap

BINDIR = os.path.abspath(plugin.BINDIR)


class Memory(plugin_case.PluginCase):
    def test_whatever_is_recorded_is_released(self):
        """The IPAM plugin's ADD gets less and less memory, its DEL gets all."""
        ended = set()
        with tempfile.TemporaryDirectory() as directory:
            os.symlink(f'{BINDIR}/{plugin.NET}', f'{directory}/{plugin.NET}')
            wrapper = pathlib.Path(directory, plugin.IPAM)
            limit = 64 * 1024  # KiB
            while limit > 256:
                limit = int(limit * 0.9)
                wrapper.write_text(f'#!/bin/sh\n[ "$CNI_COMMAND" != ADD ] || ulimit -v {limit}\n'
                                   f'exec {BINDIR}/{plugin.IPAM}\n', encoding='ascii')
                wrapper.chmod(0o755)
                answer = self.ask('ADD', '10.0.0.5/24', which=plugin.NET, path=directory)
                ended.add(answer.rc)
                if answer.rc == 0:
                    self.assertEqual(self.held(), ['10.0.0.5/24'])
                    self.allowed(self.ask('DEL', which=plugin.NET, path=directory))
                else:
                    self.assertIn(answer.code, (5, 11), answer.said)
                self.assertEqual(self.held(), [])
        self.assertEqual(ended, {0, 1}, 'enough, and too little')


if __name__ == '__main__':
    tap.main()
