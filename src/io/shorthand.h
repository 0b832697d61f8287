/* The command line's short forms, made into the trees that YAML gives:
     relu                         text
     linear 128                   {linear: 128}
     sgd lr=0.1 momentum=0.9      {sgd: {lr: 0.1, momentum: 0.9}}
     linear 128 bias=false        {linear: {"": 128, bias: false}}     the main parameter's key is "" where options follow
     linear 128 name=first        {linear: 128, name: first}           in layers: name, from and freeze stand beside
   Values are YAML scalars, quoted texts or flow collections (betas=[0.9, 0.99]). What starts with '{' or '[' is YAML. */
#ifndef BP__IO_SHORTHAND_H
#define BP__IO_SHORTHAND_H
#include "core/tree.h"

/* `flag`, e.g. "--optimizer", is named in errors. One choice: text or a mapping. */
bp_status bp__shorthand_choice(bp_context *ctx, const char *flag, const char *text, bp__tree **out);
/* Layers separated by commas: always a list. */
bp_status bp__shorthand_layers(bp_context *ctx, const char *flag, const char *text, bp__tree **out);

/* Puts `value` (owned from now on, also on failure) at "train.epochs", "model.0.linear", "data.columns.\"a.b\".type" in the
   mapping `root`. Mappings are merged, everything else replaced; missing mappings are made; list items count from 0. Where
   the path goes through a choice (the sections loss, optimizer, schedule, and every item of a list), another name replaces
   the choice, and a name alone or a short form opens: `--set model.0.linear.bias=false` makes {linear: 128} into
   {linear: {"": 128, bias: false}}. */
bp_status bp__tree_set_path(bp_context *ctx, bp__tree *root, const char *path, bp__tree *value);
/* The whole of `--set`: "KEY.PATH=VALUE" with a YAML value. */
bp_status bp__tree_set(bp_context *ctx, bp__tree *root, const char *assignment);

#endif
