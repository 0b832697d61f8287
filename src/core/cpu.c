/* sched_getaffinity tells how many cores this process may use, which is what "all cores" has to mean under taskset and in
   containers; it is outside POSIX. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* NOLINT: a feature-test macro */
#endif
#include "core/cpu.h"
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#elif !defined(__aarch64__)
#include <fenv.h>
#endif

static int count_cores(void) {
#if defined(__linux__)
    cpu_set_t set; /* 1024 processors; on a larger machine the call fails and the count of the system is taken */
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
#if defined(_SC_NPROCESSORS_ONLN)
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n > 0) return n > 1024 ? 1024 : (int)n;
#endif
    return 1;
}

#if defined(__x86_64__)

/* Which register files the system saves (XCR0). */
static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void detect_features(bp__cpu *cpu) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    bool has_fma = c >> 12 & 1, has_avx = c >> 28 & 1, has_xgetbv = c >> 27 & 1;
    if (!has_avx || !has_xgetbv) return;
    uint64_t saved = saved_registers();
    bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
    if (!ymm) return;
    cpu->fma = has_fma;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    unsigned n_leaves = a;
    cpu->avx2 = b >> 5 & 1;
    /* The kernels need foundation, doubleword/quadword, byte/word and the short vector lengths. */
    cpu->avx512 = zmm && has_fma && cpu->avx2 && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    if (cpu->avx512 && n_leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) cpu->avx512_bf16 = a >> 5 & 1;
}

static void detect_name(bp__cpu *cpu) {
    char text[49] = {0};
    for (unsigned i = 0; i < 3; i++) {
        unsigned r[4];
        if (!__get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3])) break;
        memcpy(text + 16 * i, r, 16);
    }
    size_t n = 0; /* the maker pads with blanks */
    for (const char *s = text; *s; s++)
        if (*s != ' ' || (n > 0 && cpu->name[n - 1] != ' ')) cpu->name[n++] = *s;
    while (n > 0 && cpu->name[n - 1] == ' ') n--;
    cpu->name[n] = 0;
}

#else

static void detect_features(bp__cpu *cpu) {
#if defined(__aarch64__)
    cpu->neon = cpu->fma = true; /* both belong to every 64-bit ARM */
#else
    (void)cpu;
#endif
}

static void detect_name(bp__cpu *cpu) {
#if defined(__aarch64__)
    strcpy(cpu->name, "64-bit ARM processor");
#else
    (void)cpu;
#endif
}

#endif

bp__cpu bp__cpu_features(void) {
    bp__cpu cpu = {0};
    detect_features(&cpu);
    return cpu;
}

bp__cpu bp__cpu_detect(void) {
    bp__cpu cpu = bp__cpu_features();
    cpu.n_cores = count_cores();
    detect_name(&cpu);
    if (!cpu.name[0]) strcpy(cpu.name, "unknown processor");
    return cpu;
}

/* "memory" keeps the compiler from moving loads and stores of results across the switch. */
#if defined(__x86_64__)

bp__fpenv bp__fpenv_enter(void) {
    uint32_t old, now;
    __asm__ volatile("stmxcsr %0" : "=m"(old) : : "memory");
    now = (old & ~0x6000u) | 0x9fc0u; /* nearest; flush results, read subnormals as zero; no traps */
    __asm__ volatile("ldmxcsr %0" : : "m"(now) : "memory");
    return (bp__fpenv){old};
}

void bp__fpenv_leave(bp__fpenv e) {
    uint32_t old = (uint32_t)e.saved;
    __asm__ volatile("ldmxcsr %0" : : "m"(old) : "memory");
}

#elif defined(__aarch64__)

bp__fpenv bp__fpenv_enter(void) {
    uint64_t old, now;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old) : : "memory");
    now = (old & ~UINT64_C(0xc09f00)) | UINT64_C(0x1000000); /* nearest, no traps; flush to zero */
    __asm__ volatile("msr fpcr, %0" : : "r"(now) : "memory");
    return (bp__fpenv){old};
}

void bp__fpenv_leave(bp__fpenv e) { __asm__ volatile("msr fpcr, %0" : : "r"(e.saved) : "memory"); }

#else

bp__fpenv bp__fpenv_enter(void) {
    int old = fegetround();
    fesetround(FE_TONEAREST);
    return (bp__fpenv){(uint64_t)(old < 0 ? FE_TONEAREST : old)};
}

void bp__fpenv_leave(bp__fpenv e) { fesetround((int)e.saved); }

#endif
