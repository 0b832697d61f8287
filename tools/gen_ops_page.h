/* The part of gen_ops.c that writes docs/operations.md: contents, then every operation with its call, formula, inputs,
   attributes, gradient and an example. Included by gen_ops.c alone. */

/* ---- Gradient columns of elementwise.def as formulas -------------------------------------------------------------- */

static void add_rule(text *t, const op *o, const char *s, int tight);

/* Numbers that have a name. */
static const char *named_number(const char *s) {
    static const char *const names[][2] = {
        {"0.693147180559945309417", "ln(2)"},       {"2.30258509299404568402", "ln(10)"},
        {"3.14159265358979323846", "pi"},           {"1.12837916709551257390", "2 / sqrt(pi)"},
        {"0.70710678118654752440", "sqrt(1/2)"},    {"0.39894228040143267794", "1 / sqrt(2 pi)"},
        {"0.79788456080286535588", "sqrt(2 / pi)"}, {"-1.12837916709551257390", "-2 / sqrt(pi)"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i][0], s)) return names[i][1];
    return s;
}

/* A C expression over p and q, with the attributes' names. */
static void add_constant(text *t, const op *o, const char *s, int tight) {
    const char *shown = named_number(s);
    bool wrap = tight > 1 && strpbrk(shown, " ") != NULL;
    if (wrap) add(t, "(");
    for (const char *c = shown; *c; c++) {
        bool word =
            (c > shown && (isalnum((unsigned char)c[-1]) || c[-1] == '_' || c[-1] == '.')) || isalnum((unsigned char)c[1]);
        if ((*c == 'p' || *c == 'q') && !word && o->n_attrs > (*c == 'q'))
            add(t, "%s", o->attrs[*c == 'q'].name);
        else
            add(t, "%c", *c);
    }
    if (wrap) add(t, ")");
}

/* `tight`: 0 a whole formula, 1 beside ? and :, 2 beside a comparison, 3 beside +, 4 beside *, 5 right of - or /. */
static void add_infix(text *t, const op *o, char part[][4 * TEXT], const char *sign, int own, int left, int right, int tight) {
    if (tight > own) add(t, "(");
    add_rule(t, o, part[0], left);
    add(t, " %s ", sign);
    add_rule(t, o, part[1], right);
    if (tight > own) add(t, ")");
}

static void add_rule(text *t, const op *o, const char *s, int tight) {
    static const struct {
        const char *name, *sign;
        int own, left, right;
    } infix[] = {{"add", "+", 3, 3, 3},
                 {"sub", "-", 3, 3, 4},
                 {"mul", "*", 4, 4, 4},
                 {"div", "/", 4, 4, 5},
                 {"gt", ">", 2, 3, 3},
                 {"ge", ">=", 2, 3, 3},
                 {"lt", "<", 2, 3, 3},
                 {"le", "<=", 2, 3, 3},
                 {"eq", "==", 2, 3, 3},
                 {"ne", "!=", 2, 3, 3},
                 {"logical_and", "and", 1, 2, 2},
                 {"logical_or", "or", 1, 2, 2}};
    const char *open = strchr(s, '(');
    char name[NAME], part[4][4 * TEXT];
    if (!open || s[strlen(s) - 1] != ')' || open == s) {
        add(t, "%s", !strcmp(s, "dy") ? "d_y" : !strcmp(s, "p") && o->n_attrs ? o->attrs[0].name : s);
        return;
    }
    copy_trimmed(name, sizeof name, s, open, o->name);
    int n = split(open + 1, s + strlen(s) - 1, part, 4, o->name);
    if (!strcmp(name, "k") && n == 1) {
        add_constant(t, o, part[0], tight);
    } else if (!strcmp(name, "neg") && n == 1) {
        if (tight > 3) add(t, "(");
        add(t, "-");
        add_rule(t, o, part[0], 4);
        if (tight > 3) add(t, ")");
    } else if (!strcmp(name, "where") && n == 3) {
        if (tight > 0) add(t, "(");
        add_rule(t, o, part[0], 1);
        add(t, " ? ");
        add_rule(t, o, part[1], 1);
        add(t, " : ");
        add_rule(t, o, part[2], 0);
        if (tight > 0) add(t, ")");
    } else {
        for (size_t i = 0; i < sizeof infix / sizeof infix[0] && n == 2; i++)
            if (!strcmp(infix[i].name, name)) {
                add_infix(t, o, part, infix[i].sign, infix[i].own, infix[i].left, infix[i].right, tight);
                return;
            }
        add(t, "%s(", name);
        for (int i = 0; i < n; i++) add(t, i ? ", " : ""), add_rule(t, o, part[i], 0);
        add(t, ")");
    }
}

/* ---- One operation -------------------------------------------------------------------------------------------------- */

static void add_gradient(text *t, const op *o) {
    if (!o->differentiable) {
        add(t, "Not differentiable.\n");
        return;
    }
    if (!o->elementwise) {
        const char *way = o->has_rule ? "a rule of its own" : "those of the operations that it is made of";
        add(t, "Gradient: %s%s%s%s; it can be differentiated again.\n", way, o->file[0] ? ", in `" : "", o->file,
            o->file[0] ? "`" : "");
        return;
    }
    add(t, "Gradient, which can be differentiated again:\n\n");
    for (int i = 0; i < o->n_in; i++) {
        add(t, "    d_%s = ", o->in[i]);
        if (strcmp(o->rule[i], "ZERO") != 0)
            add_rule(t, o, o->rule[i], 0);
        else
            add(t, "0");
        add(t, "\n");
    }
}

/* What an example gives for a required attribute. */
static const char *example_value(const attr *a) {
    if (!strcmp(a->type, "dims")) return !strcmp(a->name, "axes") ? "bp_shape(2, 1, 0)" : "bp_shape(2, 3, 4)";
    if (!strcmp(a->type, "dtype")) return "BP_F64";
    if (!strcmp(a->name, "equation")) return "\"ij,jk->ik\"";
    if (!strcmp(a->type, "text")) return "\"name\"";
    if (!strcmp(a->type, "f64")) return "0.5";
    if (!strcmp(a->type, "bool")) return "1";
    return strstr(a->name, "axis") ? "-1" : !strcmp(a->name, "start") ? "0" : "2";
}

static void add_example(text *t, const op *o) {
    const attr *first = NULL;
    for (int i = 0; i < o->n_attrs && !first; i++)
        if (!o->attrs[i].required) first = &o->attrs[i];
    add(t, "```c\n");
    if (first) {
        add(t, "bp_%s_options o = bp_%s_defaults();\n", o->name, o->name);
        if (!strcmp(first->type, "dims"))
            add(t, "o.%s = bp_shape(1, 1);\n", first->name);
        else
            add(t, "o.%s = %s; /* the default */\n", first->name, value_of(first));
    }
    add(t, "bp_value y = bp_%s(", o->name);
    const char *comma = "";
    for (int i = 0; i < o->n_in; i++, comma = ", ") {
        if (o->in[i][0] == '*')
            add(t, "%s(bp_value[]){x, z}, 2", comma);
        else
            add(t, "%s%s", comma, o->in[i][0] == '?' ? "BP_NONE" : o->in[i]);
    }
    for (int i = 0; i < o->n_attrs; i++, comma = ", ")
        if (o->attrs[i].required) add(t, "%s%s", comma, example_value(&o->attrs[i]));
    add(t, "%s);\n", first ? ", &o" : "");
    for (int k = 1; k < o->n_out; k++) add(t, "bp_value %s = {y.graph, y.node, %d};\n", o->out[k], k);
    add(t, "```\n");
}

static void add_operation(text *t, const op *o) {
    add(t, "\n### %s\n\n", o->name);
    if (!o->by_hand) {
        add(t, "```c\n");
        add_signature(t, o);
        add(t, ";\n```\n\n");
    }
    if (o->formula[0]) add(t, "    "), add_formula(t, o->formula), add(t, "\n\n");
    add(t, "Inputs: ");
    for (int k = 0; k < o->n_in; k++)
        add(t, "%s`%s`%s", k ? ", " : "", plain(o->in[k]),
            o->in[k][0] == '?'   ? " (optional)"
            : o->in[k][0] == '*' ? " (any number)"
                                 : "");
    add(t, "%s. Output%s: ", o->elementwise && o->n_in > 1 ? ", which broadcast" : "", o->n_out > 1 ? "s" : "");
    for (int k = 0; k < o->n_out; k++) add(t, "%s`%s`", k ? ", " : "", o->out[k]);
    add(t, ".\n\n");
    if (o->n_attrs > 0) add(t, "| attribute | type | default |\n|---|---|---|\n");
    for (int k = 0; k < o->n_attrs; k++) {
        const attr *a = &o->attrs[k];
        add(t, "| `%s` | %s | %s |\n", a->name, a->type,
            a->required                ? "required"
            : !strcmp(a->value, "ALL") ? "all"
                                       : shown_value(a));
    }
    if (o->n_attrs > 0) add(t, "\n");
    add_gradient(t, o);
    add(t, "\n");
    if (!o->by_hand) add_example(t, o);
}

static bool first_of_family(int i) {
    for (int k = 0; k < i; k++)
        if (!ops[k].leaf && !strcmp(ops[k].family, ops[i].family)) return false;
    return !ops[i].leaf;
}

static void make_page(text *t) {
    int n = 0, differentiable = 0;
    for (int i = 0; i < n_ops; i++) n += !ops[i].leaf, differentiable += !ops[i].leaf && ops[i].differentiable;
    add(t,
        "<!-- Generated by tools/gen_ops.c; don't edit. -->\n# Operations\n\n"
        "%d operations, %d of them differentiable. Every constructor takes values and gives a value of the same graph. Options "
        "come "
        "in a struct from `bp_NAME_defaults()`; `NULL` means the defaults shown here. Optional inputs are `BP_NONE` when left "
        "out. "
        "In gradients, `d_y` is the cotangent of the output `y`; broadcasting is undone afterwards, so rules do not show it.\n\n"
        "| family | operations |\n|---|---|\n",
        n, differentiable);
    for (int i = 0; i < n_ops; i++) {
        if (!first_of_family(i)) continue;
        add(t, "| [%s](#", ops[i].family);
        for (const char *s = ops[i].family; *s; s++) add(t, "%c", *s == ' ' ? '-' : *s); /* as renderers name a heading */
        add(t, ") |");
        for (int j = i; j < n_ops; j++)
            if (!ops[j].leaf && !strcmp(ops[j].family, ops[i].family)) add(t, " [%s](#%s)", ops[j].name, ops[j].name);
        add(t, " |\n");
    }
    add(t, "\nOther names:");
    for (int i = 0; i < n_aliases; i++)
        add(t, "%s `%s` is [%s](#%s)", i ? "," : "", aliases[i].name, aliases[i].formula, aliases[i].formula);
    add(t, ". `bp_split` and `bp_chunk` build several [slice](#slice).\n");
    for (int i = 0; i < n_ops; i++) {
        if (!first_of_family(i)) continue;
        add(t, "\n## %c%s\n", toupper((unsigned char)ops[i].family[0]), ops[i].family + 1);
        for (int j = i; j < n_ops; j++)
            if (!ops[j].leaf && !strcmp(ops[j].family, ops[i].family)) add_operation(t, &ops[j]);
    }
}
