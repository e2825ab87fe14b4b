#!/usr/bin/env python3
"""How tests/run.sh counts what a test program said. Needs awk.
Not run with sanitizers."""
import os
import subprocess
import unittest

import pg
import tap

TALLY = os.path.join(pg.ROOT, 'tests', 'lib', 'tally.awk')


def tally(status, said):
    done = subprocess.run(['awk', '-v', f'status={status}', '-f', TALLY], input=said, capture_output=True, text=True,
                          check=True, timeout=10)
    return done.stdout.strip()


class Tally(unittest.TestCase):
    def test_results_are_counted_with_the_plan_first_or_last(self):
        self.assertEqual(tally(0, '1..2\nok 1 - a\nok 2 - b\n'), '2 0 0')
        self.assertEqual(tally(1, 'ok 1 - a\nnot ok 2 - b\n# why\n1..2\n'), '1 1 0')

    def test_several_plans_add_up(self):
        self.assertEqual(tally(0, '1..1\nok 1\n1..2\nok 1\nok 2\n'), '3 0 0')

    def test_a_skipped_test_is_neither_passed_nor_failed(self):
        self.assertEqual(tally(0, '1..2\nok 1 # SKIP no server\nnot ok 2 # skip\n'), '0 0 2')
        self.assertEqual(tally(0, '1..0 # SKIP no Go\n'), '0 0 1')

    def test_a_program_that_died_has_failed(self):
        self.assertEqual(tally(1, '1..1\nok 1\n'), '1 1 0 ended with 1')
        self.assertEqual(tally(139, '1..3\nok 1\n'), '1 3 0 ended with 139, 2 results are missing')
        self.assertEqual(tally(1, ''), '0 1 0 ended with 1')

    def test_a_program_that_ran_out_of_time_has_failed(self):
        self.assertEqual(tally(124, '1..2\nok 1\n'), '1 2 0 ran out of time, 1 results are missing')

    def test_no_plan_and_no_test_are_failures(self):
        self.assertEqual(tally(0, 'ok 1\n'), '1 1 0 printed no plan')
        self.assertEqual(tally(0, ''), '0 1 0 printed no plan')
        self.assertEqual(tally(0, '1..0\n'), '0 1 0 ran no test')

    def test_results_that_differ_from_the_plan_are_failures(self):
        self.assertEqual(tally(0, '1..3\nok 1\n'), '1 2 0 2 results are missing')
        self.assertEqual(tally(0, '1..1\nok 1\nok 2\n'), '2 1 0 printed more results than it planned')

    def test_a_failure_counts_whatever_the_exit_status_says(self):
        self.assertEqual(tally(0, '1..1\nnot ok 1\n'), '0 2 0 had failures and ended with 0')


if __name__ == '__main__':
    tap.main()
