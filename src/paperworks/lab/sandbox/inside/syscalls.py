"""The numbers of Linux system calls on the two machines that the sandbox knows."""

from __future__ import annotations

import os

# name, number on x86-64, number on aarch64; "-" where the machine has no such call
_TABLE = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
open 2 -, openat 257 56, close 3 57, close_range 436 436, stat 4 -, fstat 5 80, lstat 6 -, newfstatat 262 79,
statx 332 291, lseek 8 62, mmap 9 222, mprotect 10 226, munmap 11 215, brk 12 214, mremap 25 216,
madvise 28 233, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136,
rt_sigsuspend 130 133, rt_sigtimedwait 128 137, sigaltstack 131 132, access 21 -, faccessat 269 48,
faccessat2 439 439, pipe 22 -, pipe2 293 59, select 23 -, pselect6 270 72, poll 7 -, ppoll 271 73,
epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22,
eventfd2 290 19, sched_yield 24 124, sched_getaffinity 204 123, dup 32 23, dup2 33 -, dup3 292 24,
nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169,
time 201 -, alarm 37 -, setitimer 38 103, getitimer 36 102, pause 34 -, getpid 39 172, gettid 186 178,
getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158,
getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155, getsid 124 156, getcwd 79 17, chdir 80 49,
fchdir 81 50, readlink 89 -, readlinkat 267 78, getdents64 217 61, uname 63 160, sysinfo 99 179,
getrusage 98 165, times 100 153, getrlimit 97 163, futex 202 98, set_robust_list 273 99,
get_robust_list 274 100, rseq 334 293, set_tid_address 218 96, arch_prctl 158 -, exit 60 93, exit_group 231 94,
wait4 61 260, waitid 247 95, getrandom 318 278, membarrier 324 283, sendfile 40 71, copy_file_range 326 285,
statfs 137 43, fstatfs 138 44, fadvise64 221 223, umask 95 166, getcpu 309 168, restart_syscall 219 128,
recvfrom 45 207, shutdown 48 210, getsockname 51 204, getpeername 52 205, getsockopt 55 209, flock 73 32,
fsync 74 82, fdatasync 75 83, mincore 27 232, rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -,
mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, link 86 -, linkat 265 37, symlink 88 -,
symlinkat 266 36, chmod 90 -, fchmod 91 52, fchmodat 268 53, utimensat 280 88, truncate 76 45, ftruncate 77 46,
fallocate 285 47, fork 57 -, vfork 58 -, clone 56 220, kill 62 129, tgkill 234 131, ioctl 16 29, fcntl 72 25,
prlimit64 302 261, socketpair 53 199, sendto 44 206, clone3 435 435, openat2 437 437, execve 59 221,
execveat 322 281, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, pidfd_getfd 438 438,
pidfd_open 434 434, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, io_uring_setup 425 425,
io_uring_enter 426 426, io_uring_register 427 427, keyctl 250 219, add_key 248 217, request_key 249 218,
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, unshare 272 97, setns 308 268,
move_mount 429 429, open_tree 428 428, fsopen 430 430, mount_setattr 442 442, open_by_handle_at 304 265,
kexec_load 246 104, kexec_file_load 320 294, init_module 175 105,
finit_module 313 273, delete_module 176 106, reboot 169 142, swapon 167 224, swapoff 168 225, iopl 172 -,
ioperm 173 -, settimeofday 164 170, clock_settime 227 112, acct 163 89, quotactl 179 60, fanotify_init 300 262,
modify_ldt 154 -, memfd_create 319 279, socket 41 198, connect 42 203, seccomp 317 277, prctl 157 167,
setsid 112 157, setpgid 109 154, setresuid 117 147, setresgid 119 149,
sched_setaffinity 203 122, personality 135 92, landlock_create_ruleset 444 444, landlock_add_rule 445 445,
landlock_restrict_self 446 446, capset 126 91
"""

MACHINES = {"x86_64": 0, "aarch64": 1}


def numbers(machine: str | None = None) -> dict[str, int]:
    """System calls by name on ``machine`` (``x86_64`` or ``aarch64``; None: this one); KeyError for another machine."""
    column = MACHINES[machine or os.uname().machine]
    rows = (row.split() for row in _TABLE.split(","))
    return {name: int(columns[column]) for name, *columns in rows if columns[column] != "-"}
