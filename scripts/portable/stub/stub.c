/*
 * The first code that runs in a portable executable: gets a loader (ld.so) to load the program, where the kernel started none.
 *
 * What the kernel did: it mapped this stub, the program's own segments and the carried files (carry.ts made them segments), and
 * jumped to _start. There is no PT_INTERP in the file, so it started no loader.
 *
 * Where the machine has a complete glibc, that one is used, exactly as the plain executable would: it is the one that gets
 * security updates, that the machine's name service modules and preloaded libraries fit to, and whose memory is shared.
 * Everywhere else (musl, NixOS, an empty root file system) the carried one is:
 *   1. The carried files are copied from memory into memory files (memfd), because the loader can only load what it can open.
 *   2. The loader is mapped as the kernel would map it.
 *   3. The loader gets a copy of the program's headers in which each library is also named by "/proc/self/fd/N".
 *   4. It is told (AT_ENTRY) to jump to _after, which closes the memory files and frees the copies, then enters the program.
 * So nothing of this is left when the program starts: no descriptor, no mapping but the one of step 3.
 *
 * Each failure is one sentence with its remedy on standard error and exit code 127, as a missing loader gives in a shell.
 *
 * No library, no variables (the stub is mapped read-only), no pointers in constants (it runs wherever it is mapped).
 */
#include "layout.h"

/* volatile: the compiler sees zeros here, the built file has other values. */
__attribute__((section(".table"), used)) static const volatile struct table table = {0};

/* ---- small parts ---- */

static long open_file(const char *path, int flags) {
  return system_call(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0600, 0, 0);
}
static void close_file(long fd) { system_call(SYS_close, fd, 0, 0, 0, 0, 0); }
static u64 map(u64 at, u64 length, int protection, int flags, long fd, u64 offset) {
  return system_call(SYS_mmap, at, length, protection, flags, fd, offset);
}
static u64 length_of(const char *text) {
  u64 n = 0;
  while (text[n]) n++;
  return n;
}
static int same(const char *a, const volatile char *b) {
  u64 i = 0;
  for (; a[i] && a[i] == b[i]; i++) {}
  return a[i] == b[i];
}
/* The compiler calls it to copy structures. */
__attribute__((used)) void *memcpy(void *to, const void *from, u64 n) {
  for (u64 i = 0; i < n; i++) ((volatile u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}
static u64 up(u64 value, u64 step) { return (value + step - 1) & ~(step - 1); }

__attribute__((noreturn, noinline)) static void end(const char *sentence) {
  system_call(SYS_write, 2, (long)"clawdbot: ", 10, 0, 0, 0);
  system_call(SYS_write, 2, (long)sentence, length_of(sentence), 0, 0, 0);
  system_call(SYS_write, 2, (long)"\n", 1, 0, 0, 0);
  for (;;) system_call(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void too_few_files(void) {
  end("this process may open too few files. Raise the limit (ulimit -n 256) and start again.");
}
__attribute__((noreturn)) static void too_little_memory(void) {
  end("there is not enough memory to start. Free some, or raise the limit of this process or container.");
}

/* Not cryptographic: one changed byte always shows, and 3 MB take a fraction of a millisecond. */
static u64 checksum(u64 at, u64 length) {
  u64 sum = 0;
  for (u64 i = 0; i < length; i += 8) sum = ((sum << 1) | (sum >> 63)) ^ *(const u64 *)(at + i);
  return sum;
}

static struct aux *aux_of(u64 *stack) {
  u64 *p = stack + 1 + stack[0] + 1; /* argc, argv, 0 */
  while (*p) p++;                    /* the environment */
  return (struct aux *)(p + 1);
}
static struct aux *aux_entry(struct aux *list, u64 type) {
  for (; list->type; list++)
    if (list->type == type) return list;
  return 0;
}
static void aux_set(struct aux *list, u64 type, u64 value) {
  struct aux *entry = aux_entry(list, type);
  if (entry) entry->value = value;
}

/* ---- step 1: the files that the loader opens ---- */

/* Kernels before 6.3 do not know MFD_NOEXEC_SEAL; with vm.memfd_noexec=2 only such files are allowed. It forbids execve() of the
 * file, not mapping it to run, which is all that is needed. Then unnamed files in the usual places for temporary ones. */
#define PLACES 5
static long new_file(int place, const volatile char *name) {
  if (place == 0) return system_call(SYS_memfd_create, (long)name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0, 0, 0, 0);
  if (place == 1) return system_call(SYS_memfd_create, (long)name, MFD_CLOEXEC, 0, 0, 0, 0);
  if (place == 2) return open_file("/dev/shm", O_TMPFILE | O_RDWR);
  if (place == 3) return open_file("/tmp", O_TMPFILE | O_RDWR);
  return open_file("/var/tmp", O_TMPFILE | O_RDWR);
}

/* Whole pages, because the loader uses what is left of the last one: a kernel gives it, an emulator with smaller pages does not. */
static int write_all(long fd, u64 at, u64 length, u64 page) {
  if (system_call(SYS_ftruncate, fd, up(length, page), 0, 0, 0, 0) < 0) return 0;
  while (length) {
    long done = system_call(SYS_write, fd, at, length, 0, 0, 0);
    if (done <= 0) return 0;
    at += done;
    length -= done;
  }
  return 1;
}

/* A mount with noexec, or a security module, may refuse to run what is in the file. */
static int can_run(long fd, u64 page) {
  u64 at = map(0, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (FAILED(at)) return 0;
  system_call(SYS_munmap, at, page, 0, 0, 0, 0);
  return 1;
}

/* Gives a descriptor. */
static long copy_out(const volatile struct file *file, u64 page) {
  for (int place = 0; place < PLACES; place++) {
    long fd = new_file(place, file->name);
    if (fd == -EMFILE) too_few_files();
    if (fd < 0) continue;
    if (write_all(fd, file->at, file->length, page) && can_run(fd, page)) return fd;
    close_file(fd);
  }
  end("this system lets no program run code from memory files (memfd), /dev/shm, /tmp or /var/tmp. Allow one of them, for "
      "example: mount -o remount,exec /tmp");
}

/* ---- step 2: the loader ---- */

/* Maps an ELF file as the kernel maps an interpreter. Gives its base address, or 0; its entry goes into `entry`. */
static u64 map_loader(long fd, u64 page, u64 *entry) {
  struct elf_header elf;
  struct program_header headers[MAX_HEADERS];
  if (system_call(SYS_pread64, fd, (long)&elf, sizeof elf, 0, 0, 0) != sizeof elf) return 0;
  if (*(u32 *)elf.ident != 0x464c457f || elf.machine != MACHINE || elf.phnum > MAX_HEADERS) return 0;
  long bytes = elf.phnum * sizeof(struct program_header);
  if (system_call(SYS_pread64, fd, (long)headers, bytes, elf.phoff, 0, 0) != bytes) return 0;

  u64 span = 0;
  for (int i = 0; i < elf.phnum; i++)
    if (headers[i].type == PT_LOAD && headers[i].vaddr + headers[i].memsz > span) span = headers[i].vaddr + headers[i].memsz;
  u64 base = map(0, up(span, page), 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!span || FAILED(base)) return 0;

  for (int i = 0; i < elf.phnum; i++) {
    struct program_header *h = &headers[i];
    if (h->type != PT_LOAD) continue;
    u64 lead = h->vaddr & (page - 1); /* the file's bytes before it on the same page come along */
    int protection = (h->flags & PF_R ? PROT_READ : 0) | (h->flags & PF_W ? PROT_WRITE : 0) | (h->flags & PF_X ? PROT_EXEC : 0);
    u64 at = map(base + h->vaddr - lead, up(h->filesz + lead, page), protection, MAP_PRIVATE | MAP_FIXED, fd, h->offset - lead);
    if (FAILED(at)) return 0;
    if (h->memsz <= h->filesz) continue;
    /* The loader's first allocations use the rest of this page, so it has to be zero up to its end. */
    u64 from = base + h->vaddr + h->filesz, to = up(from, page), last = base + h->vaddr + h->memsz;
    for (u64 p = from; p < to; p++) *(volatile u8 *)p = 0;
    if (last <= to) continue;
    at = map(to, up(last, page) - to, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    if (FAILED(at)) return 0;
  }
  *entry = base + elf.entry;
  return base;
}

/* ---- step 3: what the loader is told about the program ---- */

#define PATH_BYTES 32

/* Memory of our own that the loader goes on using; AT_PHDR points at `headers`, which is how tidy() finds it. */
struct frame {
  long fds[MAX_FILES];
  char paths[MAX_FILES][PATH_BYTES];
  struct program_header headers[MAX_HEADERS];
  struct dynamic dynamic[];
};

static void write_path(char *to, long fd) {
  const char *start = "/proc/self/fd/";
  while (*start) *to++ = *start++;
  char digits[20];
  int n = 0;
  do digits[n++] = '0' + fd % 10;
  while (fd /= 10);
  while (n) *to++ = digits[--n];
  *to = 0;
}

/*
 * Copies the program's headers and its dynamic section. The copy of the latter begins with one DT_NEEDED per carried library that
 * names its memory file; the original names stay behind them, because the loader's version check looks a library up by that
 * name. It then finds the library that is already loaded by its SONAME.
 */
static void describe_program(struct frame *frame) {
  const struct program_header *headers = (const struct program_header *)table.headers;
  const struct dynamic *old = 0;
  struct dynamic *new = frame->dynamic;
  for (u64 i = 0; i < table.header_count; i++) {
    frame->headers[i] = headers[i];
    /* The loader takes the difference of PT_PHDR's address and AT_PHDR for the load address, which has to stay 0. */
    if (headers[i].type == PT_PHDR) frame->headers[i].vaddr = (u64)frame->headers;
    if (headers[i].type != PT_DYNAMIC) continue;
    old = (const struct dynamic *)headers[i].vaddr;
    frame->headers[i].vaddr = (u64)new;
  }
  u64 names = 0;
  for (const struct dynamic *d = old; d->tag != DT_NULL; d++)
    if (d->tag == DT_STRTAB) names = d->value;
  for (const struct dynamic *d = old; d->tag != DT_NULL; d++)
    for (u64 i = 1; d->tag == DT_NEEDED && i < table.count; i++)
      if (same((const char *)(names + d->value), table.files[i].name)) {
        new->tag = DT_NEEDED;
        new->value = (u64)frame->paths[i] - names; /* counted from the string table, so it may wrap around */
        new++;
      }
  for (const struct dynamic *d = old;; d++) {
    *new++ = *d;
    if (d->tag == DT_NULL) return;
  }
}

/* ---- the two ways to start ---- */

static const struct program_header *header_of(u32 type) {
  const struct program_header *headers = (const struct program_header *)table.headers;
  for (u64 i = 0; i < table.header_count; i++)
    if (headers[i].type == type) return &headers[i];
  return 0;
}

/* True for a loader of glibc. What stands in its place elsewhere (gcompat on Alpine, stub-ld on NixOS) has not its SONAME. */
static int is_glibc(u64 image, u64 size, const char *soname) {
  const struct elf_header *elf = (const struct elf_header *)image;
  if (size < sizeof *elf || *(const u32 *)elf->ident != 0x464c457f || elf->machine != MACHINE) return 0;
  if (elf->phoff > size || elf->phnum * sizeof(struct program_header) > size - elf->phoff) return 0;
  const struct program_header *h = (const struct program_header *)(image + elf->phoff);
  for (int i = 0; i < elf->phnum; i++) {
    if (h[i].type != PT_DYNAMIC || h[i].offset > size || h[i].filesz > size - h[i].offset) continue;
    const struct dynamic *d = (const struct dynamic *)(image + h[i].offset), *end = d + h[i].filesz / sizeof *d;
    u64 names = 0, name = 0;
    for (; d < end && d->tag != DT_NULL; d++) {
      if (d->tag == DT_STRTAB) names = d->value;
      if (d->tag == DT_SONAME) name = d->value;
    }
    /* A loader is linked for address 0 and its names stand in its first segment, so their address is their place in the file. */
    if (!name || names > size || name > size - names || size - names - name <= length_of(soname)) return 0;
    return same((const char *)(image + names + name), soname);
  }
  return 0;
}

/* True when one of the usual folders has all libraries that are carried: small images often have a part of glibc only. */
static int has_libraries(void) {
  const char *folders = "/lib/" MULTIARCH "/\0/usr/lib/" MULTIARCH "/\0/lib64/\0/usr/lib64/\0/lib/\0/usr/lib/\0";
  for (; *folders; folders += length_of(folders) + 1) {
    u64 found = 1;
    for (u64 i = 1; i < table.count; i++) {
      char path[64 + NAME_BYTES], *to = path;
      for (const char *from = folders; *from; from++) *to++ = *from;
      for (u64 k = 0; k < NAME_BYTES; k++) *to++ = table.files[i].name[k];
      long fd = open_file(path, 0);
      if (fd < 0) break;
      close_file(fd);
      found++;
    }
    if (found == table.count) return 1;
  }
  return 0;
}

/* Gives the entry of the machine's own loader, or 0 when there is no complete glibc. */
static u64 with_machines_own(struct aux *aux, u64 page) {
  const char *path = (const char *)header_of(PT_INTERP)->vaddr, *name = path;
  for (const char *p = path; *p; p++)
    if (*p == '/') name = p + 1;
  long fd = open_file(path, 0);
  if (fd < 0) return 0;
  u64 entry = 0, base = 0, size = system_call(SYS_lseek, fd, 0, 2, 0, 0, 0);
  u64 image = map(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (!FAILED(size) && !FAILED(image)) {
    if (is_glibc(image, size, name) && has_libraries()) base = map_loader(fd, page, &entry);
    system_call(SYS_munmap, image, size, 0, 0, 0, 0);
  }
  close_file(fd);
  if (!base) return 0;
  aux_set(aux, AT_BASE, base);
  aux_set(aux, AT_PHDR, table.headers);
  aux_set(aux, AT_ENTRY, table.entry);
  system_call(SYS_munmap, table.carried, table.carried_length, 0, 0, 0, 0);
  return entry;
}

/* Gives the entry of the carried loader. */
static u64 with_carried(struct aux *aux, u64 page, u64 after) {
  u64 bytes = sizeof(struct frame) + header_of(PT_DYNAMIC)->memsz + MAX_FILES * sizeof(struct dynamic);
  struct frame *frame = (struct frame *)map(0, up(bytes, page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (FAILED(frame)) too_little_memory();
  for (u64 i = 0; i < table.count; i++) {
    const volatile struct file *file = &table.files[i];
    if (checksum(file->at, file->length) != file->sum)
      end("this executable is damaged. Download it again and compare it with its SHA256SUMS.");
    frame->fds[i] = copy_out(file, page);
    write_path(frame->paths[i], frame->fds[i]);
  }
  u64 entry, base = map_loader(frame->fds[0], page, &entry);
  if (!base) too_little_memory();
  describe_program(frame);
  aux_set(aux, AT_BASE, base);
  aux_set(aux, AT_PHDR, (u64)frame->headers);
  aux_set(aux, AT_ENTRY, after);
  return entry;
}

/* ---- the start ---- */

/* Bun itself ends without a sentence where there is no /proc, and the loader opens the memory files through it. */
static void check_proc(void) {
  long fd = open_file("/proc/self/stat", 0);
  if (fd == -EMFILE) too_few_files();
  if (fd < 0) end("/proc is not mounted here. Mount it (mount -t proc proc /proc) and start again.");
  close_file(fd);
}

/* Reading a mapped page behind the end of a file is a bus error, so this comes before anything else is touched. */
static void check_whole(void) {
  long fd = open_file("/proc/self/exe", 0);
  if (fd < 0) return; /* a file that may be run but not read */
  long size = system_call(SYS_lseek, fd, 0, 2, 0, 0, 0);
  /* Where a translator for another processor runs us, that file may be the translator. Ours has our table. */
  u64 there[7];
  long got = system_call(SYS_pread64, fd, (long)there, sizeof there, STUB_AT, 0, 0);
  close_file(fd);
  if (got != sizeof there || there[0] != table.magic || there[6] != table.file_size) return;
  if ((u64)size < table.file_size) end("this executable is cut short. Download it again.");
}

extern void _after(void) __attribute__((visibility("hidden")));

/* Called by _start. Gives the address to jump to. */
__attribute__((used)) u64 start_loader(u64 *stack) {
  struct aux *aux = aux_of(stack), *size = aux_entry(aux, AT_PAGESZ);
  u64 page = size ? size->value : 4096;
  check_proc();
  check_whole();
  aux_set(aux, AT_PHNUM, table.header_count);
  u64 entry = with_machines_own(aux, page);
  return entry ? entry : with_carried(aux, page, (u64)_after);
}

/* ---- step 4 ---- */

/* Called by _after, when the loader has mapped all libraries. Gives the program's own entry. */
__attribute__((used)) u64 tidy(u64 *stack) {
  struct aux *aux = aux_of(stack);
  struct frame *frame = (struct frame *)(aux_entry(aux, AT_PHDR)->value - __builtin_offsetof(struct frame, headers));
  for (u64 i = 0; i < table.count; i++) close_file(frame->fds[i]);
  system_call(SYS_munmap, table.carried, table.carried_length, 0, 0, 0, 0);
  u64 entry = table.entry;
  aux_set(aux, AT_ENTRY, entry);
  return entry;
}
