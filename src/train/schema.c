/* The JSON Schema of a configuration: the sections are written here, what they choose from comes from the tables. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/json.h"
#include "nn/layers.h"
#include "train/train.h"

/* A choice's names, options and bounds are references into $defs. `null` leaves a key out everywhere. */
static const char *const sections[] = {
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"a configuration of backprop\",\"type\":\"object\","
    "\"additionalProperties\":false,\"properties\":{"
    "\"data\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
    "\"path\":{\"$ref\":\"#/$defs/text\"},\"target\":{\"$ref\":\"#/$defs/target\"},\"input\":{\"$ref\":\"#/$defs/text\"},"
    "\"train\":{\"$ref\":\"#/$defs/piece\"},"
    "\"validation\":{\"anyOf\":[{\"$ref\":\"#/$defs/fraction\"},{\"$ref\":\"#/$defs/piece\"}]},"
    "\"test\":{\"anyOf\":[{\"$ref\":\"#/$defs/fraction\"},{\"$ref\":\"#/$defs/piece\"}]},"
    "\"split\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
    "\"validation\":{\"$ref\":\"#/$defs/fraction\"},\"test\":{\"$ref\":\"#/$defs/fraction\"},"
    "\"seed\":{\"$ref\":\"#/$defs/count\"},\"stratify\":{\"$ref\":\"#/$defs/flag\"}}},"
    "\"columns\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"properties\":{\"type\":{\"type\":[\"string\",\"null\"]},\"ignore\":{\"$ref\":\"#/$defs/flag\"},"
    "\"normalize\":{\"$ref\":\"#/$defs/normalize\"}}}},"
    "\"normalize\":{\"$ref\":\"#/$defs/normalize\"},"
    "\"normalize_target\":{\"enum\":[\"auto\",\"none\",\"standard\",\"log\",null]},"
    "\"header\":{\"$ref\":\"#/$defs/flag\"},\"delimiter\":{\"type\":[\"string\",\"null\"],\"maxLength\":1}}},",
    "\"task\":{\"enum\":[\"auto\",\"classification\",\"regression\",null]},"
    "\"model\":{\"anyOf\":[{\"$ref\":\"#/$defs/layers\"},{\"type\":\"null\"}]},"
    "\"init\":{\"type\":[\"array\",\"null\"],\"items\":{\"$ref\":\"#/$defs/initializer\"}},"
    "\"loss\":{\"anyOf\":[{\"$ref\":\"#/$defs/loss\"},{\"type\":\"null\"}]},"
    "\"optimizer\":{\"anyOf\":[{\"$ref\":\"#/$defs/optimizer\"},{\"type\":\"null\"}]},"
    "\"schedule\":{\"anyOf\":[{\"$ref\":\"#/$defs/schedule\"},{\"type\":\"null\"}]},"
    "\"schedules\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
    "\"momentum\":{\"$ref\":\"#/$defs/schedule\"},\"weight_decay\":{\"$ref\":\"#/$defs/schedule\"},"
    "\"dropout\":{\"$ref\":\"#/$defs/schedule\"}}},"
    "\"regularize\":{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"match\"],\"properties\":{\"match\":{\"type\":\"string\"},\"l1\":{\"$ref\":\"#/$defs/amount\"},"
    "\"l2\":{\"$ref\":\"#/$defs/amount\"},\"orthogonal\":{\"$ref\":\"#/$defs/amount\"},"
    "\"max_norm\":{\"$ref\":\"#/$defs/positive\"},\"weight_noise\":{\"$ref\":\"#/$defs/amount\"}}}},"
    "\"metrics\":{\"type\":[\"array\",\"null\"],\"items\":{\"$ref\":\"#/$defs/metric\"}},"
    "\"train\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
    "\"epochs\":{\"$ref\":\"#/$defs/count\"},\"steps\":{\"$ref\":\"#/$defs/count\"},\"max_time\":{\"$ref\":\"#/$defs/time\"},"
    "\"steps_per_epoch\":{\"$ref\":\"#/$defs/positive_count\"},\"overfit\":{\"$ref\":\"#/$defs/positive_count\"},"
    "\"batch_size\":{\"anyOf\":[{\"$ref\":\"#/$defs/positive_count\"},{\"enum\":[\"full\",\"auto\"]}],\"default\":32},"
    "\"sampling\":{\"enum\":[\"none\",\"over\",\"under\",null],\"default\":\"none\"},"
    "\"shuffle\":{\"$ref\":\"#/$defs/flag\",\"default\":true},\"accumulate\":{\"$ref\":\"#/$defs/positive_count\",\"default\":1},"
    "\"clip_norm_per\":{\"enum\":[\"model\",\"layer\",\"parameter\",null]},\"clip_adaptive\":{\"$ref\":\"#/$defs/positive\"},"
    "\"average\":{\"anyOf\":[{\"enum\":[\"ema\",\"swa\",null]},{\"type\":\"object\",\"additionalProperties\":false,"
    "\"maxProperties\":1,\"properties\":{\"ema\":{\"type\":[\"number\",\"object\"]},\"swa\":{\"type\":[\"number\",\"object\"]}}}]"
    "},"
    "\"clip_norm\":{\"$ref\":\"#/$defs/positive\"},\"clip_value\":{\"$ref\":\"#/$defs/positive\"},"
    "\"early_stopping\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
    "flag\"},{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"metric\":{\"type\":[\"string\",\"null\"],\"pattern\":\"^(train|validation)[.]\",\"default\":\"validation.loss\"},"
    "\"patience\":{\"$ref\":\"#/$defs/positive_count\",\"default\":10},"
    "\"min_delta\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"default\":0},\"baseline\":{\"type\":[\"number\",\"null\"]},"
    "\"target\":{\"type\":[\"number\",\"null\"]},\"restore_best\":{\"$ref\":\"#/$defs/flag\",\"default\":true}}}]},"
    "\"checkpoint\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
    "\"every_steps\":{\"$ref\":\"#/$defs/positive_count\"},\"every\":{\"$ref\":\"#/$defs/time\",\"default\":60},"
    "\"keep\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":100,\"default\":2}}},"
    "\"on_divergence\":{\"enum\":[\"rollback\",\"stop\",\"continue\",null],\"default\":\"rollback\"},"
    "\"outlier_z\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"default\":8},\"seed\":{\"$ref\":\"#/$defs/count\"},"
    "\"threads\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":1024,\"default\":0},"
    "\"dtype\":{\"enum\":[\"float32\",\"float64\",\"bfloat16\",null],\"default\":\"float32\"},"
    "\"class_weight\":{\"anyOf\":[{\"enum\":[\"balanced\",null]},{\"type\":\"object\",\"additionalProperties\":"
    "{\"type\":\"number\",\"minimum\":0}}]},\"weight_column\":{\"$ref\":\"#/$defs/text\"}}}},",
    "\"$defs\":{\"text\":{\"type\":[\"string\",\"number\",\"null\"]},\"flag\":{\"type\":[\"boolean\",\"null\"]},"
    "\"count\":{\"type\":[\"integer\",\"null\"],\"minimum\":0},\"positive_count\":{\"type\":[\"integer\",\"null\"],\"minimum\":1}"
    ","
    "\"amount\":{\"type\":[\"number\",\"null\"],\"minimum\":0},"
    "\"positive\":{\"type\":[\"number\",\"null\"],\"exclusiveMinimum\":0},"
    "\"fraction\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"exclusiveMaximum\":1},"
    "\"time\":{\"anyOf\":[{\"type\":[\"number\",\"null\"],\"minimum\":0},{\"type\":\"string\",\"pattern\":\"^[0-9.eE+-]+[smhd]$"
    "\"}]},"
    "\"normalize\":{\"enum\":[\"auto\",\"none\",\"standard\",\"minmax\",\"robust\",null]},"
    "\"target\":{\"anyOf\":[{\"$ref\":\"#/$defs/text\"},{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/$defs/"
    "text\"}}]},"
    "\"piece\":{\"anyOf\":[{\"type\":[\"string\",\"null\"]},{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"path\":{\"$ref\":\"#/$defs/text\"},\"target\":{\"$ref\":\"#/$defs/target\"},\"input\":{\"$ref\":\"#/$defs/text\"}}}]},"
    "\"layers\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/layer\"}}"};

/* ---- Keys and kinds ---- */

static void number(bp__buffer *b, double v) {
    char text[40];
    bp__format_f64(text, v);
    bp__buffer_text(b, text);
}

static void bounds(bp__buffer *b, const bp__key *k) {
    if (k->low == k->high) return;
    if (isfinite(k->low)) {
        bp__buffer_printf(b, ",\"%s\":", k->open_low ? "exclusiveMinimum" : "minimum");
        number(b, k->low);
    }
    if (isfinite(k->high)) {
        bp__buffer_printf(b, ",\"%s\":", k->closed ? "maximum" : "exclusiveMaximum");
        number(b, k->high);
    }
}

/* Of what the owner reads: layers inside layers and schedules inside schedules are lists of their own kind. */
static void tree_type(bp__buffer *b, const bp__key *k, const char *what) {
    bool list = strcmp(k->name, "layers") == 0 || strcmp(k->name, "schedules") == 0;
    if (list)
        bp__buffer_printf(b, "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/%s\"}}", what);
    else
        bp__buffer_text(b, "{}");
}

static void key_type(bp__buffer *b, const bp__key *k, const char *what) {
    const char *or_null = k->required ? "" : ",\"null\"";
    int n = k->type == BP__KEY_TRIPLE ? 3 : 2;
    switch (k->type) {
    case BP__KEY_TREE: tree_type(b, k, what); return;
    case BP__KEY_INT:
    case BP__KEY_NUMBER:
        bp__buffer_printf(b, "{\"type\":[\"%s\"%s]", k->type == BP__KEY_INT ? "integer" : "number", or_null);
        bounds(b, k);
        if (!k->required) {
            bp__buffer_text(b, ",\"default\":");
            number(b, k->standard);
        }
        break;
    case BP__KEY_BOOL:
        bp__buffer_printf(b, "{\"type\":[\"boolean\"%s],\"default\":%s", or_null, k->standard != 0 ? "true" : "false");
        break;
    case BP__KEY_TEXT:
        if (!k->words) {
            bp__buffer_printf(b, "{\"type\":[\"string\"%s]", or_null);
            break;
        }
        bp__buffer_text(b, "{\"enum\":[");
        for (const char *s = k->words; *s; s += strcspn(s, "|"), s += *s == '|')
            bp__buffer_printf(b, "\"%.*s\",", (int)strcspn(s, "|"), s);
        bp__buffer_text(b, "null]");
        break;
    case BP__KEY_PAIR:
    case BP__KEY_TRIPLE:
        bp__buffer_printf(b, "{\"type\":[\"array\"%s],\"minItems\":%d,\"maxItems\":%d,\"items\":{\"type\":\"number\"", or_null, n,
                          n);
        bounds(b, k);
        bp__buffer_text(b, "}");
        break;
    case BP__KEY_INTS:
        bp__buffer_printf(b, "{\"type\":[\"array\"%s],\"items\":{\"type\":\"integer\"", or_null);
        bounds(b, k);
        bp__buffer_text(b, "}");
        break;
    }
    bp__buffer_text(b, "}");
}

static const bp__key *main_key(const bp__kind *kind) {
    for (int i = 0; kind->main && i < kind->n_keys; i++)
        if (strcmp(kind->keys[i].name, kind->main) == 0) return &kind->keys[i];
    return NULL;
}

/* NAME: what may stand behind it: the main key's value, a mapping of all keys, or nothing. */
static void kind_type(bp__buffer *b, const bp__kind *kind, const char *what, const char *const *aliases) {
    const bp__key *first = main_key(kind);
    bool needs = false;
    bp__buffer_printf(b, "\"%s\":{\"anyOf\":[{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", kind->name);
    for (int i = 0; i < kind->n_keys; i++) {
        bp__buffer_printf(b, "%s\"%s\":", i ? "," : "", kind->keys[i].name);
        key_type(b, &kind->keys[i], what);
        needs |= kind->keys[i].required;
        for (const char *const *a = aliases; a && *a; a += 2)
            if (strcmp(a[1], kind->keys[i].name) == 0) {
                bp__buffer_printf(b, ",\"%s\":", a[0]);
                key_type(b, &kind->keys[i], what);
            }
    }
    bp__buffer_text(b, "},\"required\":[");
    bool any = false;
    for (int i = 0; i < kind->n_keys; i++)
        if (kind->keys[i].required) {
            bp__buffer_printf(b, "%s\"%s\"", any ? "," : "", kind->keys[i].name);
            any = true;
        }
    bp__buffer_text(b, "]}");
    if (first) {
        bp__buffer_text(b, ",");
        key_type(b, first, what);
    }
    bp__buffer_printf(b, "%s]}", needs ? "" : ",{\"type\":\"null\"}");
}

/* ---- Choices ---- */

typedef const bp__kind *row_of(int index);
static const bp__kind *layer_row(int index) {
    int64_t n;
    const bp__kind *kinds = bp__layer_kinds(&n);
    if (index >= n) return NULL;
    return &kinds[index];
}

typedef struct family {
    const char *name;
    row_of *row;
    const char *const *beside, *const *aliases;
} family;

static bool seen_before(const family *f, int index) {
    for (int i = 0; i < index; i++)
        if (strcmp(f->row(i)->name, f->row(index)->name) == 0) return true;
    return false;
}

/* A name alone, or a mapping with one name, and with what may stand beside it. */
static void choice_type(bp__buffer *b, const family *f) {
    bool any = false;
    bp__buffer_printf(b, ",\"%s\":{\"anyOf\":[{\"enum\":[", f->name);
    for (int i = 0; f->row(i); i++) {
        bool needs = false;
        for (int k = 0; k < f->row(i)->n_keys; k++) needs |= f->row(i)->keys[k].required;
        if (needs || seen_before(f, i)) continue;
        bp__buffer_printf(b, "%s\"%s\"", any ? "," : "", f->row(i)->name);
        any = true;
    }
    int n = 1;
    bp__buffer_text(b, "]},{\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,\"properties\":{");
    for (int i = 0; f->row(i); i++) {
        if (seen_before(f, i)) continue;
        if (i) bp__buffer_text(b, ",");
        kind_type(b, f->row(i), f->name, f->aliases);
    }
    for (const char *const *k = f->beside; k && *k; k++, n++) bp__buffer_printf(b, ",\"%s\":{}", *k);
    bp__buffer_printf(b, "},\"maxProperties\":%d}]}", n);
}

bp_status bp_config_schema(bp_context *ctx, char **json) {
    static const char *const beside[] = {"name", "from", "freeze", NULL}, *const match[] = {"match", NULL};
    static const char *const aliases[] = {"min_val", "min", "max_val", "max", "lambd", "lambda", NULL};
    const family families[] = {{"layer", layer_row, beside, aliases},
                               {"loss", bp__loss_row, NULL, NULL},
                               {"optimizer", bp__optimizer_row, NULL, NULL},
                               {"schedule", bp__schedule_row, NULL, NULL},
                               {"initializer", bp__initializer_row, match, NULL}};
    *json = NULL;
    bp__buffer b;
    bp__buffer_init(&b, ctx);
    for (int i = 0; i < BP__COUNT(sections); i++) bp__buffer_text(&b, sections[i]);
    for (int i = 0; i < BP__COUNT(families); i++) choice_type(&b, &families[i]);
    bp__buffer_text(&b, ",\"metric\":{\"anyOf\":[{\"type\":\"object\",\"maxProperties\":1},{\"enum\":[");
    for (int i = 0; bp__metric_name(i, NULL); i++) bp__buffer_printf(&b, "%s\"%s\"", i ? "," : "", bp__metric_name(i, NULL));
    bp__buffer_text(&b, "]}]}}}");
    bp__tree *t = NULL;
    char *text = NULL;
    BP_TRY(bp__buffer_take(&b, &text));
    bp_status status = bp__json_parse(ctx, text, strlen(text), "the schema", &t); /* what is broken is not given away */
    bp__free(ctx, text);
    bp__buffer_init(&b, ctx);
    if (status == BP_OK) bp__json_add(&b, t, 2);
    bp__buffer_text(&b, "\n");
    bp__tree_free(ctx, t);
    if (status == BP_OK) return bp__buffer_take(&b, json);
    bp__buffer_free(&b);
    return status;
}
