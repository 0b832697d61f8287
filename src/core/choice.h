/* A choice in a configuration: a name, or a mapping with exactly one name: `relu`, `{linear: 128}`, `{dropout: {p: 0.2}}`.
   Layers, optimisers and schedules describe their keys in tables; one reader checks names, types and bounds, and fills in the
   defaults, so that all of them fail with the same sentences. */
#ifndef BP__CHOICE_H
#define BP__CHOICE_H
#include "core/tree.h"

enum { BP__CHOICE_KEYS = 32 }; /* at most so many keys in one choice */

typedef enum bp__key_type {
    BP__KEY_INT,    /* a whole number */
    BP__KEY_NUMBER, /* finite */
    BP__KEY_BOOL,
    BP__KEY_TEXT,
    BP__KEY_PAIR,   /* two numbers */
    BP__KEY_TRIPLE, /* three */
    BP__KEY_INTS,   /* a list of whole numbers */
    BP__KEY_TREE    /* whatever: the owner reads it */
} bp__key_type;

/* Bounds are [low, high), or [low, high] with `closed`; low == high: none. */
typedef struct bp__key {
    const char *name;
    bp__key_type type;
    bool required;
    double standard, standard2, standard3; /* the default; of a pair and a triple all */
    const char *standard_text;             /* texts: the default; also the allowed words as "a|b|c" in `words` */
    double low, high;
    bool closed, open_low; /* high allowed; low not allowed */
    const char *words;
} bp__key;

/* Rows of a table of keys. Bounds: [low, high], high may be HUGE_VAL. */
#define BP__K_INT(name_, standard_, low_, high_) \
    { .name = (name_), .type = BP__KEY_INT, .standard = (standard_), .low = (low_), .high = (high_), .closed = true }
#define BP__K_INT_NEEDED(name_, low_, high_) \
    { .name = (name_), .type = BP__KEY_INT, .required = true, .low = (low_), .high = (high_), .closed = true }
#define BP__K_INTS(name_, low_, high_) \
    { .name = (name_), .type = BP__KEY_INTS, .required = true, .low = (low_), .high = (high_), .closed = true }
#define BP__K_NUMBER(name_, standard_, low_, high_) \
    { .name = (name_), .type = BP__KEY_NUMBER, .standard = (standard_), .low = (low_), .high = (high_), .closed = true }
#define BP__K_NUMBER_NEEDED(name_, low_, high_) \
    { .name = (name_), .type = BP__KEY_NUMBER, .required = true, .low = (low_), .high = (high_), .closed = true }
#define BP__K_POSITIVE(name_, standard_) \
    { .name = (name_), .type = BP__KEY_NUMBER, .standard = (standard_), .low = 0, .high = HUGE_VAL, .open_low = true }
#define BP__K_BELOW(name_, standard_, low_, high_) \
    { .name = (name_), .type = BP__KEY_NUMBER, .standard = (standard_), .low = (low_), .high = (high_) }
#define BP__K_ANY_NUMBER(name_, standard_) \
    { .name = (name_), .type = BP__KEY_NUMBER, .standard = (standard_) }
#define BP__K_PAIR_BELOW(name_, first_, second_, low_, high_) \
    { .name = (name_), .type = BP__KEY_PAIR, .standard = (first_), .standard2 = (second_), .low = (low_), .high = (high_) }
#define BP__K_TRIPLE(name_, first_, second_, third_, low_, high_)                                                     \
    {                                                                                                                 \
        .name = (name_), .type = BP__KEY_TRIPLE, .standard = (first_), .standard2 = (second_), .standard3 = (third_), \
        .low = (low_), .high = (high_)                                                                                \
    }
#define BP__K_BOOL(name_, standard_) \
    { .name = (name_), .type = BP__KEY_BOOL, .standard = (standard_) }
#define BP__K_WORD(name_, standard_, words_) \
    { .name = (name_), .type = BP__KEY_TEXT, .standard_text = (standard_), .words = (words_) }
#define BP__K_TEXT_NEEDED(name_) \
    { .name = (name_), .type = BP__KEY_TEXT, .required = true }
#define BP__K_TREE(name_) \
    { .name = (name_), .type = BP__KEY_TREE }
#define BP__K_TREE_NEEDED(name_) \
    { .name = (name_), .type = BP__KEY_TREE, .required = true }

typedef struct bp__kind {
    const char *name, *main; /* the key that the short form gives, or NULL */
    const char *help;
    const bp__key *keys;
    int n_keys;
} bp__kind;

typedef struct bp__option {
    bool given;
    const bp__tree *tree; /* as written, or NULL */
    int64_t integer;
    double number, number2, number3;
    bool boolean;
    const char *text;
} bp__option;

typedef struct bp__choice {
    const bp__kind *kind;
    int index; /* of the kind in its table */
    int line;
    const char *file; /* or NULL */
    bp__option options[BP__CHOICE_KEYS];
} bp__choice;

/* How a table is read. */
typedef struct bp__choice_reader {
    bp_context *ctx;
    const char *file;  /* named in errors, or NULL */
    const char *what;  /* "layer", "optimizer", "schedule" */
    const char *where; /* "model.2", "optimizer": the place in the configuration */
    const bp__kind *kinds;
    int64_t n_kinds;
    const char *const *aliases; /* other spellings of keys in pairs: {"lambd", "lambda", …, NULL}; or NULL */
    const char *const *beside;  /* keys that may stand beside the name, read by the owner; NULL-terminated, or NULL */
} bp__choice_reader;

/* Reads `tree`, which must outlive *out. BP_CONFIG with the nearest name or key and the line. */
bp_status bp__choice_read(const bp__choice_reader *r, const bp__tree *tree, bp__choice *out);
/* The option of a key that the table has. */
const bp__option *bp__choice_option(const bp__choice *c, const char *key);
/* Fails with BP_CONFIG at the line of `tree` (or of the choice where that has none). */
bp_status bp__choice_fail(const bp__choice_reader *r, const bp__tree *at, const char *format, ...) BP__PRINTF(3, 4);
#endif
