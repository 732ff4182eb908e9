/*
 * Preloaded where musl is older than 1.2.4: applies the packed relocations (DT_RELR) of the libraries that Alpine builds
 * today, which that musl does not know, before their constructors run. Linked with nothing, so that a shell of glibc,
 * which inherits the preload, takes it too; there it does nothing.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <sys/mman.h>

#define TAG_RELRSZ 35
#define TAG_RELR 36

extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* They are sealed by now: what is read-only after relocation is opened again. */
static void unseal(struct dl_phdr_info *info) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const Elf64_Phdr *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_GNU_RELRO) continue;
    size_t start = (info->dlpi_addr + header->p_vaddr) & -4096UL;
    size_t end = (info->dlpi_addr + header->p_vaddr + header->p_memsz + 4095) & -4096UL;
    mprotect((void *)start, end - start, PROT_READ | PROT_WRITE);
  }
}

static int relocate(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size;
  (void)unused;
  Elf64_Addr base = info->dlpi_addr;
  const Elf64_Dyn *entry = NULL;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_DYNAMIC) entry = (const Elf64_Dyn *)(base + info->dlpi_phdr[i].p_vaddr);
  const Elf64_Xword *words = NULL;
  size_t count = 0;
  for (; entry && entry->d_tag; entry++) {
    if (entry->d_tag == TAG_RELR) words = (const Elf64_Xword *)(base + entry->d_un.d_ptr);
    if (entry->d_tag == TAG_RELRSZ) count = entry->d_un.d_val / sizeof *words;
  }
  if (!words) return 0;
  unseal(info);
  Elf64_Addr *where = NULL;
  for (size_t i = 0; i < count; i++) {
    Elf64_Xword word = words[i];
    if (!(word & 1)) {
      where = (Elf64_Addr *)(base + word);
      *where++ += base;
      continue;
    }
    /* A bitmap of the 63 words that follow. */
    for (int bit = 0; (word >>= 1) != 0; bit++)
      if (word & 1) where[bit] += base;
    where += 63;
  }
  return 0;
}

__attribute__((constructor)) static void relocate_all(void) {
  if (!gnu_get_libc_version) dl_iterate_phdr(relocate, NULL);
}
