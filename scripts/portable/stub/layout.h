/* What the stub reads: the table that carry.ts fills in, the headers of ELF files, and the constants of the kernel. */
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

#ifdef __x86_64__
#include "x64.h"
#else
#include "arm64.h"
#endif

/* ---- the table that carry.ts fills in: keep both in step ---- */

#define STUB_AT 0x1000 /* where the table stands in the file */
#define MAX_FILES 8
#define NAME_BYTES 40

struct file {
  u64 at;              /* address of its first byte */
  u64 length;          /* in bytes, a multiple of 8 (padded) */
  u64 sum;             /* of its 8-byte words, see checksum() */
  char name[NAME_BYTES]; /* as in DT_NEEDED, e.g. "libc.so.6" */
};

struct table {
  u64 magic;        /* "CARRIED1" */
  u64 entry;        /* where the program itself begins */
  u64 headers;      /* address of the program's own program headers */
  u64 header_count;
  u64 carried;      /* address and length of everything that is carried */
  u64 carried_length;
  u64 file_size;    /* of the whole executable: a smaller one was cut short */
  u64 note;         /* address and length of the JSON about what is carried; read by inspect.ts */
  u64 note_length;
  u64 count;        /* of files; the first is the loader */
  struct file files[MAX_FILES];
};

/* ---- ELF, as in elf(5) ---- */

struct elf_header {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, phoff, shoff;
  u32 flags;
  u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct program_header {
  u32 type, flags;
  u64 offset, vaddr, paddr, filesz, memsz, align;
};
struct dynamic {
  u64 tag, value;
};
struct aux {
  u64 type, value;
};
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PT_PHDR = 6 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
enum { DT_NULL = 0, DT_NEEDED = 1, DT_STRTAB = 5, DT_SONAME = 14 };
enum { AT_PHDR = 3, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7, AT_ENTRY = 9 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32 };
enum { EMFILE = 24 };

#define MAX_HEADERS 16
#define AT_FDCWD (-100)
#define O_RDWR 2
#define O_CLOEXEC 02000000
#define O_TMPFILE (020000000 | O_DIRECTORY)
#define MFD_CLOEXEC 1
#define MFD_NOEXEC_SEAL 8
#define FAILED(value) ((u64)(value) > -4096UL)
