/* What differs on x86-64: system calls, a few constants, and the two places where control passes between machine code and C. */
#define SYS_write 1
#define SYS_close 3
#define SYS_lseek 8
#define SYS_mmap 9
#define SYS_munmap 11
#define SYS_pread64 17
#define SYS_ftruncate 77
#define SYS_exit_group 231
#define SYS_openat 257
#define SYS_memfd_create 319

#define O_DIRECTORY 0200000
#define MACHINE 62 /* EM_X86_64 */
#define MULTIARCH "x86_64-linux-gnu" /* Debian\'s folder for the libraries */

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* _start: the kernel comes here; the loader is entered with the stack as the kernel left it.
 * _after: the loader comes here when all is loaded; rdx is its exit function, which the program's own entry expects. */
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rbx\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call start_loader\n"
        "  mov %rbx, %rsp\n"
        "  xor %edx, %edx\n"
        "  jmp *%rax\n"
        ".globl _after\n"
        "_after:\n"
        "  mov %rsp, %rbx\n"
        "  mov %rdx, %r12\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call tidy\n"
        "  mov %rbx, %rsp\n"
        "  mov %r12, %rdx\n"
        "  jmp *%rax\n"
        ".text\n");
