// Shows a program an older x86 than the machine has, at native speed: what it computes is then what it computes there.
// Needs Linux on x86-64 and `cpuid_fault` in /proc/cpuinfo; tests/platforms/masks.py builds and uses it:
//   gcc -O2 -shared -fPIC -o older_x86.so older_x86.c
//   OLDER_X86=avx2 LD_PRELOAD=$PWD/older_x86.so python ...
// arch_prctl(ARCH_CPUID_SET) makes `cpuid` fault, and the signal handler answers in its stead, less the features that
// the older processor lacks. A program that asks before this library is loaded (the dynamic linker) has seen them all.
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_CPUID_SET 0x1012
#define BIT(n) (1u << (n))

// From newest to oldest; each lacks what those before it lack, but AVXVNNI, which is AVX2 with 8-bit dot products.
enum { AVX512VNNI, AVX512, AVXVNNI, AVX2, AVX, SSE41, COUNT };
static const char *names[COUNT] = {"avx512vnni", "avx512", "avxvnni", "avx2", "avx", "sse41"};
static int processor;

static void hide(unsigned leaf, unsigned sub, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
  if (leaf == 7 && sub == 0) {
    *d &= ~(BIT(22) | BIT(24) | BIT(25));  // AMX
    if (processor >= AVX512) *c &= ~BIT(11);  // AVX-512 VNNI
    if (processor >= AVXVNNI) {  // all of AVX-512
      *b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
      *c &= ~(BIT(1) | BIT(6) | BIT(12) | BIT(14));
      *d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(23));
    }
    if (processor >= AVX) {
      *b &= ~BIT(5);  // AVX2
      *c &= ~(BIT(9) | BIT(10));  // VAES, VPCLMULQDQ
    }
  }
  if (leaf == 7 && sub == 1) {
    if (processor != AVXVNNI) *a &= ~BIT(4);  // AVX-VNNI
    if (processor >= AVX512) *a &= ~BIT(5);  // AVX-512 BF16
    *a &= ~BIT(21);  // AMX-FP16
    *d &= ~(BIT(4) | BIT(10) | BIT(19));  // AVX-VNNI-INT8, AVX-VNNI-INT16, AVX10
  }
  if (leaf == 1) {
    if (processor >= AVX) *c &= ~(BIT(12) | BIT(29));  // FMA, F16C
    if (processor >= SSE41) *c &= ~(BIT(26) | BIT(27) | BIT(28));  // XSAVE, OSXSAVE, AVX
  }
  if (leaf == 0x19 || leaf == 0x1e || leaf == 0x24) *a = *b = *c = *d = 0;  // key locker, AMX tiles, AVX10
}

static void answer(int number, siginfo_t *info, void *context) {
  (void)number;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  const unsigned char *code = (const unsigned char *)r[REG_RIP];
  if (info->si_code != SI_KERNEL || code[0] != 0x0f || code[1] != 0xa2) {  // a fault, but not of `cpuid`
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return;
  }
  unsigned leaf = r[REG_RAX], sub = r[REG_RCX], a, b, c, d;
  syscall(SYS_arch_prctl, ARCH_CPUID_SET, 1);
  __cpuid_count(leaf, sub, a, b, c, d);
  syscall(SYS_arch_prctl, ARCH_CPUID_SET, 0);
  hide(leaf, sub, &a, &b, &c, &d);
  r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
  r[REG_RIP] += 2;
}

__attribute__((constructor(101))) static void start(void) {
  const char *wish = getenv("OLDER_X86");
  if (!wish) return;
  for (processor = 0; processor < COUNT && strcmp(wish, names[processor]); processor++) {}
  if (processor == COUNT) {
    fprintf(stderr, "older_x86: OLDER_X86=%s is no processor it knows\n", wish);
    exit(2);
  }
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, NULL);
  if (syscall(SYS_arch_prctl, ARCH_CPUID_SET, 0)) {
    perror("older_x86: cpuid faulting");
    exit(2);
  }
}
