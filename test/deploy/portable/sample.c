/*
 * The smallest program that uses what a loader and a C library set up: arguments, environment, a constructor, thread-local memory, a
 * function of a second library, and what runs at the end. Linked without any header or start file of the C library, so that it
 * can be made for a processor whose development files are not there.
 */
extern int printf(const char *, ...), open(const char *, int), on_exit(void (*)(int, void *), void *);
extern char *getenv(const char *);
extern unsigned long getauxval(unsigned long);
extern double cos(double);
enum { AT_PAGESZ = 6, AT_ENTRY = 9 };

static __thread int per_thread = 41;
__attribute__((constructor)) static void before_main(void) { per_thread++; }
static void at_end(int code, void *word) { printf("end %d %s\n", code, (char *)word); }
extern void _start(void);

__attribute__((used)) int program(int count, char **words) {
  on_exit(at_end, "reached");
  int own_entry = getauxval(AT_ENTRY) == (unsigned long)_start;
  printf("words %d %s given %s thread %d cos %.3f entry %d page %lu next fd %d\n", count, words[count - 1], getenv("GIVEN"),
         per_thread, cos(count - 2.0), own_entry, getauxval(AT_PAGESZ), open("/dev/null", 0));
  return 3;
}

/* What crt1.o does: main, argc, argv, no init, no fini, the loader's exit function, the end of the stack. */
#ifdef __x86_64__
__asm__(".globl _start\n_start:\n"
        "  xor %ebp, %ebp\n  mov %rdx, %r9\n  pop %rsi\n  mov %rsp, %rdx\n  and $-16, %rsp\n  push %rax\n  push %rsp\n"
        "  xor %r8d, %r8d\n  xor %ecx, %ecx\n  lea program(%rip), %rdi\n  call *__libc_start_main@GOTPCREL(%rip)\n  hlt\n");
#else
__asm__(".globl _start\n_start:\n"
        "  mov x29, #0\n  mov x30, #0\n  mov x5, x0\n  ldr x1, [sp]\n  add x2, sp, #8\n  mov x6, sp\n"
        "  adrp x0, program\n  add x0, x0, :lo12:program\n  mov x3, #0\n  mov x4, #0\n  bl __libc_start_main\n  brk #0\n");
#endif
