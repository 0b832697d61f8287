/* Libraries of matrix products, beside which ours are measured: loaded when they are there, none is needed. All of them take
   plain row-major matrices: c[m,n] = a[m,k] b[k,n], a or b stored transposed where that is said. */
#ifndef BENCH_LIBRARIES_H
#define BENCH_LIBRARIES_H
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* C interfaces of Netlib's CBLAS (OpenBLAS, BLIS: its constants below) and of oneDNN's oneapi/dnnl/dnnl.h. */
typedef void (*library_cblas)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda,
                              const float *b, int ldb, float beta, float *c, int ldc);
typedef int (*library_dnnl)(char trans_a, char trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                            const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
enum { LIBRARY_ROW_MAJOR = 101, LIBRARY_AS_IS = 111, LIBRARY_TRANSPOSED = 112 };

typedef struct library {
    const char *name, *path[3];              /* tried in this order */
    const char *product, *threads, *version; /* their functions */
    library_cblas cblas;
    library_dnnl dnnl;
    void (*set_threads)(int64_t n); /* an int in some: it is in the same register */
    char about[80];
} library;

static inline int library_load_all(library *out) {
    static const library known[] = {
        {.name = "OpenBLAS",
         .path = {"libopenblas.so.0", "libopenblas.so"},
         .product = "cblas_sgemm",
         .threads = "openblas_set_num_threads",
         .version = "openblas_get_config"},
        {.name = "BLIS",
         .path = {"libblis.so.4", "libblis.so.3", "libblis.so"},
         .product = "cblas_sgemm",
         .threads = "bli_thread_set_num_threads",
         .version = "bli_info_get_version_str"},
        {.name = "oneDNN",
         .path = {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"},
         .product = "dnnl_sgemm",
         .threads = "omp_set_num_threads",
         .version = "dnnl_version"},
    };
    /* Between two calls idle threads spin. Half a millisecond is long beside that gap, and over before the next system's turn. */
    setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0);
    setenv("GOMP_SPINCOUNT", "30000", 0);
    int n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        library l = known[i];
        void *handle = NULL, *product = NULL, *threads = NULL, *version = NULL;
        for (int p = 0; p < 3 && !handle && l.path[p]; p++) handle = dlopen(l.path[p], RTLD_NOW | RTLD_LOCAL);
        if (handle) {
            product = dlsym(handle, l.product);
            threads = dlsym(handle, l.threads);
            version = dlsym(handle, l.version);
        }
        if (!product || !threads) {
            fprintf(stderr, "bench: no %s (%s): measuring without it\n", l.name, handle ? "it lacks a function" : l.path[0]);
            continue;
        }
        /* Functions behind pointers to objects, as POSIX has it. */
        if (l.product[0] == 'd')
            *(void **)&l.dnnl = product;
        else
            *(void **)&l.cblas = product;
        *(void **)&l.set_threads = threads;
        snprintf(l.about, sizeof l.about, "%s", l.name);
        if (version && l.dnnl) {
            typedef struct dnnl_version {
                int major, minor, patch;
            } dnnl_version;
            const dnnl_version *(*of)(void);
            *(void **)&of = version;
            snprintf(l.about, sizeof l.about, "%s %d.%d.%d", l.name, of()->major, of()->minor, of()->patch);
        } else if (version) {
            const char *(*of)(void);
            *(void **)&of = version;
            const char *text = of(), *skip = "OpenBLAS ";
            while (*skip && *text == *skip) text++, skip++;
            int length = 0;
            while (text[length] && text[length] != ' ') length++;
            snprintf(l.about, sizeof l.about, "%s %.*s", l.name, length, text);
        }
        out[n++] = l;
    }
    return n;
}

static inline void library_run(const library *l, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const float *a,
                               const float *b, float *c) {
    const int64_t lda = trans_a ? m : k, ldb = trans_b ? k : n;
    if (l->dnnl)
        l->dnnl(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else
        l->cblas(LIBRARY_ROW_MAJOR, trans_a ? LIBRARY_TRANSPOSED : LIBRARY_AS_IS, trans_b ? LIBRARY_TRANSPOSED : LIBRARY_AS_IS,
                 (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, 0, c, (int)n);
}

#endif
