/* Statuses, data types and the version: what works without a context. */
#include "core/core.h"

const char *bp_version(void) { return BP_VERSION; }

const char *bp_status_text(bp_status status) {
    switch (status) {
#define BP__TEXT(name, number, text) \
    case BP_##name: return text;
        BP_STATUS_MAP(BP__TEXT)
#undef BP__TEXT
    }
    return "unknown status";
}

const char *bp_status_name(bp_status status) {
    switch (status) {
#define BP__NAME(name, number, text) \
    case BP_##name: return #name;
        BP_STATUS_MAP(BP__NAME)
#undef BP__NAME
    }
    return "UNKNOWN";
}

const char *bp_dtype_name(bp_dtype dtype) {
    switch (dtype) {
    case BP_F32: return "f32";
    case BP_F64: return "f64";
    case BP_I32: return "i32";
    case BP_I64: return "i64";
    case BP_U8: return "u8";
    }
    return "unknown";
}

size_t bp_dtype_size(bp_dtype dtype) {
    switch (dtype) {
    case BP_F32:
    case BP_I32: return 4;
    case BP_F64:
    case BP_I64: return 8;
    case BP_U8: return 1;
    }
    return 0;
}
