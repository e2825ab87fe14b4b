"""A test file's main(): runs its unittest classes and speaks TAP on stdout."""
import signal
import sys
import unittest


class _Tap(unittest.TestResult):
    """Prints one line for each test. A test has LIMIT seconds, so that a wait without an end is a failure."""

    LIMIT = 300

    def __init__(self):
        super().__init__()
        self.count = 0

    def startTest(self, test):
        super().startTest(test)
        self.failed = False
        signal.alarm(getattr(test, 'limit', self.LIMIT))

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def _line(self, word, test, note=''):
        self.count += 1
        method = getattr(test, '_testMethodName', None)
        name = f'{type(test).__name__}: {method[5:].replace("_", " ")}' if method else str(test)
        print(f'{word} {self.count} - {name}{note}', flush=True)

    def _bad(self, test, err):
        if not getattr(self, 'failed', False) or not hasattr(test, '_testMethodName'):
            self._line('not ok', test)
        self.failed = True
        for line in self._exc_info_to_string(err, test).rstrip().splitlines():
            print('# ' + line, flush=True)

    def addSuccess(self, test):
        self._line('ok', test)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f'# {subtest._subDescription()}')
            self._bad(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line('ok', test, ' # SKIP ' + ' '.join(reason.split()))


def _expired(_signo, _frame):
    raise TimeoutError('this test took too long')


def _ended(signo, _frame):
    raise KeyboardInterrupt(f'signal {signo}')  # what unittest does not take for a test's failure


def main():
    """Runs the tests of the calling file; arguments pick those whose name holds one of them. Ends the process."""
    signal.signal(signal.SIGALRM, _expired)
    signal.signal(signal.SIGTERM, _ended)
    signal.signal(signal.SIGHUP, _ended)
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [f'*{word}*' for word in sys.argv[1:]]
    result = _Tap()
    loader.loadTestsFromModule(sys.modules['__main__']).run(result)
    print(f'1..{result.count}', flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
