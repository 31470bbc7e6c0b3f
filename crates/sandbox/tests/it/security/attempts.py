# Runs inside the sandbox: tries each attempt in a process of its own and says how it ended.
import ctypes, errno, fcntl, mmap, os, platform, resource, signal, socket, sys

libc = ctypes.CDLL(None, use_errno=True)
PLACE = {'x86_64': 0, 'aarch64': 1}[platform.machine()]
NUMBERS = {
    'mount': (165, 40), 'umount2': (166, 39), 'pivot_root': (155, 41), 'chroot': (161, 51),
    'open_tree': (428, 428), 'move_mount': (429, 429), 'fsopen': (430, 430),
    'fsconfig': (431, 431), 'fsmount': (432, 432), 'fspick': (433, 433),
    'mount_setattr': (442, 442), 'open_tree_attr': (467, 467), 'statmount': (457, 457),
    'quotactl': (179, 60), 'quotactl_fd': (443, 443), 'swapon': (167, 224), 'swapoff': (168, 225),
    'acct': (163, 89), 'open_by_handle_at': (304, 265), 'name_to_handle_at': (303, 264),
    'fanotify_init': (300, 262), 'unshare': (272, 97), 'setns': (308, 268), 'clone': (56, 220),
    'clone3': (435, 435), 'ptrace': (101, 117), 'process_vm_readv': (310, 270),
    'process_vm_writev': (311, 271), 'pidfd_open': (434, 434), 'pidfd_getfd': (438, 438),
    'kcmp': (312, 272), 'process_madvise': (440, 440), 'move_pages': (279, 239),
    'migrate_pages': (256, 238), 'mbind': (237, 235), 'set_mempolicy': (238, 237),
    'ioprio_set': (251, 30), 'keyctl': (250, 219), 'add_key': (248, 217),
    'request_key': (249, 218), 'bpf': (321, 280), 'perf_event_open': (298, 241),
    'userfaultfd': (323, 282), 'io_uring_setup': (425, 425), 'io_uring_enter': (426, 426),
    'io_uring_register': (427, 427), 'init_module': (175, 105), 'finit_module': (313, 273),
    'delete_module': (176, 106), 'kexec_load': (246, 104), 'kexec_file_load': (320, 294),
    'reboot': (169, 142), 'settimeofday': (164, 170), 'clock_settime': (227, 112),
    'clock_adjtime': (305, 266), 'adjtimex': (159, 171), 'syslog': (103, 116),
    'sethostname': (170, 161), 'setdomainname': (171, 162), 'vhangup': (153, 58),
    'personality': (135, 92), 'lsm_set_self_attr': (460, 460), 'iopl': (172, None),
    'ioperm': (173, None), 'modify_ldt': (154, None), 'prctl': (157, 167),
}

def call(name, *arguments):
    number = NUMBERS[name][PLACE] if isinstance(name, str) else name
    if number is None:
        raise OSError(errno.EPERM, 'not on this architecture')
    plain = [ctypes.c_void_p(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *plain) == -1:
        raise OSError(ctypes.get_errno(), '')
    return 'done'

def read(path):
    return 'done' if open(path, 'rb').read(1) else 'empty'

def write(path, text):
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    return 'done'

def make(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
    return 'done'

def terminal(request):
    outer, inner = os.openpty()
    os.setsid()
    fcntl.ioctl(inner, 0x540E, 0)
    fcntl.ioctl(inner, request, b'x' * 8)
    return 'done'

def machine_code(code):
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return 'done'

def raise_limit(which):
    soft, hard = resource.getrlimit(which)
    number = ctypes.c_int(which)
    wanted = (ctypes.c_ulong * 2)(hard + 1, hard + 1)
    if libc.setrlimit(number, wanted) == -1:
        raise OSError(ctypes.get_errno(), '')
    return 'done'

def attempt(code):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = eval(code)
        except OSError as error:
            told = errno.errorcode.get(error.errno, str(error.errno))
        except BaseException as error:
            told = repr(error)
        os.write(writer, str(told).encode())
        os._exit(0)
    os.close(writer)
    told = os.read(reader, 4096).decode()
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        told = signal.Signals(os.WTERMSIG(status)).name
    return told

for line in sys.stdin.read().split('\0'):
    if line:
        print(attempt(line))
