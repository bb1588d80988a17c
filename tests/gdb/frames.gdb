# SPDX-License-Identifier: MIT
# Frames of a program and of the kernel, with names and lines from both.
capos-program ipc-client
break main if $_streq($capos_process(), "ipc-client")
continue
backtrace
capos-where
break kernel_syscall if $_streq($capos_process(), "ipc-client")
continue
backtrace
capos-where
