/* What differs on arm64: system calls, a few constants, and the two places where control passes between machine code and C. */
#define SYS_ftruncate 46
#define SYS_openat 56
#define SYS_close 57
#define SYS_lseek 62
#define SYS_write 64
#define SYS_pread64 67
#define SYS_exit_group 94
#define SYS_munmap 215
#define SYS_mmap 222
#define SYS_memfd_create 279

#define O_DIRECTORY 040000
#define MACHINE 183 /* EM_AARCH64 */
#define MULTIARCH "aarch64-linux-gnu" /* Debian\'s folder for the libraries */

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory", "cc");
  return x0;
}

/* _start: the kernel comes here; the loader is entered with the stack as the kernel left it (always 16-byte aligned).
 * _after: the loader comes here when all is loaded; x0 is its exit function, which the program's own entry expects. */
__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x0, sp\n"
        "  bl start_loader\n"
        "  mov x16, x0\n"
        "  mov x0, #0\n"
        "  mov x30, #0\n"
        "  br x16\n"
        ".globl _after\n"
        "_after:\n"
        "  mov x19, x0\n"
        "  mov x0, sp\n"
        "  bl tidy\n"
        "  mov x16, x0\n"
        "  mov x0, x19\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  br x16\n"
        ".text\n");
