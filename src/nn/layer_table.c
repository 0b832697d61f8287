/* The table of layers: the lines of layers.def, then every element-wise operation with one input. */
#include "nn/layers.h"

#include <math.h>
#include <string.h>

/* Each table of keys starts with an empty row, so that it is never empty. */
#define LAYER(name_, main_, build_, help_, ...) static const bp__key keys_##name_[] = {{.name = NULL}, __VA_ARGS__};
#include "nn/layers.def"
#undef LAYER

/* One input: a layer. Two or three: none. */
#define P0 \
    { .name = NULL }
#define P1(n1, d1) {.name = NULL}, BP__K_ANY_NUMBER(n1, d1)
#define P2(n1, d1, n2, d2) {.name = NULL}, BP__K_ANY_NUMBER(n1, d1), BP__K_ANY_NUMBER(n2, d2)
#define EW_KEYS_1(name, ...) static const bp__key ew_keys_##name[] = {__VA_ARGS__};
#define EW_KEYS_2(name, ...)
#define EW_KEYS_3(name, ...)
#define EW(name, arity, params, text, value, da, db, dc, lo, hi) EW_KEYS_##arity(name, params)
#include "kernel/elementwise.def"
#undef EW

#define LAYER(name_, main_, build_, help_, ...) \
    {.name = #name_, .main = (main_), .help = (help_), .keys = keys_##name_ + 1, .n_keys = (int)BP__COUNT(keys_##name_) - 1},
#define EW_KIND_1(name_, text_) \
    {.name = #name_, .help = (text_), .keys = ew_keys_##name_ + 1, .n_keys = (int)BP__COUNT(ew_keys_##name_) - 1},
#define EW_KIND_2(name_, text_)
#define EW_KIND_3(name_, text_)
#define EW(name_, arity, params, text_, value, da, db, dc, lo, hi) EW_KIND_##arity(name_, text_)
static const bp__kind kinds[] = {
#include "nn/layers.def"
#include "kernel/elementwise.def"
};
#undef LAYER
#undef EW

#define LAYER(name, main, build, help, ...) build,
static bp__layer_build *const builders[] = {
#include "nn/layers.def"
};
#undef LAYER

const bp__kind *bp__layer_kinds(int64_t *n) {
    *n = BP__COUNT(kinds);
    return kinds;
}

bp__layer_build *bp__layer_builder(int64_t index) {
    return index >= 0 && index < BP__COUNT(builders) ? builders[index] : bp__layer_activation;
}

const char *bp__nn_kind(int index, const char **main_key, const char **help) {
    /* A line of layers.def goes before the operation of the same name: gelu. */
    for (int64_t i = BP__COUNT(builders); i < BP__COUNT(kinds) && i <= index; i++)
        for (int64_t j = 0; j < BP__COUNT(builders); j++)
            if (strcmp(kinds[i].name, kinds[j].name) == 0) index++;
    if (index < 0 || index >= BP__COUNT(kinds)) return NULL;
    if (main_key) *main_key = kinds[index].main;
    if (help) *help = kinds[index].help;
    return kinds[index].name;
}
