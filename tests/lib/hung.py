"""A file system that hangs: whoever looks at a file in it waits until it is gone. Needs root and /dev/fuse."""
import contextlib
import ctypes
import os
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def hung_file_system():
    """The path of a folder whose file system (FUSE) never answers. At the end everybody who waits gets an error."""
    where = tempfile.mkdtemp(prefix='hung.', dir='/var/tmp')
    device = os.open('/dev/fuse', os.O_RDWR)
    try:
        options = f'fd={device},rootmode=40000,user_id=0,group_id=0,allow_other'
        if LIBC.mount(b'hung', where.encode(), b'fuse', 0, options.encode()) < 0:
            raise OSError(ctypes.get_errno(), 'mount', where)
        try:
            yield where
        finally:
            os.close(device)
            device = -1
            LIBC.umount2(where.encode(), 2)
    finally:
        if device >= 0:
            os.close(device)
        os.rmdir(where)
