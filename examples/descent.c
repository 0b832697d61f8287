/* The pictures of docs/gradient-descent.md, from real runs: example_descent [FOLDER]. Every run is a loss written as a formula of
   two parameters, its gradient, and an optimiser, in one program; the landscape behind it is the same loss at every point of a
   grid. Exits 1 where a run does not do what the page says about it. */
#include <backprop.h>

#include "picture.h"

#define TRY(expression)                                              \
    do {                                                             \
        bp_status tried = (expression);                              \
        if (tried != BP_OK) {                                        \
            fprintf(stderr, "descent: %s\n", bp_context_error(ctx)); \
            return 1;                                                \
        }                                                            \
    } while (0)

enum { MOST = 4096, ROWS = 64 };

typedef struct run {
    const char *title, *optimizer, *color;
    int batch;                           /* rows a step sees; 0: the loss has no rows */
    int steps;                           /* done in all */
    double low, high;                    /* where the page says that the last loss lies, above the least one */
    double a[MOST], b[MOST], loss[MOST]; /* before every step, and after the last */
} run;

typedef struct scene {
    const char *name, *words, *formula; /* of a and b, and of the rows x and t */
    double start_a, start_b;
    double goal_a, goal_b, least; /* the minimum, and the loss there */
    const double *x, *t;          /* [ROWS] or NULL */
    panel map;
    double tick_a, tick_b, ratio; /* ticks; each contour is so many times the one below it */
    double first_level;
    int n_levels;
    run *runs;
    int n;
} scene;

/* ---- Running ---- */

typedef struct machine {
    bp_graph *g;
    bp_program *program, *step;
    bp_state *state;
    bp_session *look, *descend; /* the loss of all rows; the loss of a batch and a step of the optimiser */
} machine;

static void machine_free(machine *m) {
    bp_session_free(m->look);
    bp_session_free(m->descend);
    bp_state_free(m->state);
    bp_program_free(m->program);
    bp_program_free(m->step);
    bp_graph_free(m->g);
}

static int machine_build(machine *m, bp_context *ctx, const scene *s, const char *optimizer) {
    TRY(bp_graph_new(&m->g, ctx));
    bp_graph_set_dtype(m->g, BP_F64);
    bp_value p[] = {bp_parameter(m->g, "a", bp_shape(0), bp_filled(s->start_a)),
                    bp_parameter(m->g, "b", bp_shape(0), bp_filled(s->start_b)), BP_NONE, BP_NONE};
    bp_value gradient[2];
    if (s->x) {
        p[2] = bp_input(m->g, "x", BP_F64, bp_shape(1, BP_BATCH));
        p[3] = bp_input(m->g, "t", BP_F64, bp_shape(1, BP_BATCH));
    }
    static const char *const names[] = {"a", "b", "x", "t"};
    bp_value loss = bp_parse(m->g, s->formula, names, p, s->x ? 4 : 2);
    bp_gradients(gradient, &loss, NULL, 1, p, 2);
    TRY(bp_optimizer(m->g, optimizer, BP_NONE, p, gradient, 2));
    TRY(bp_program_new(&m->program, m->g, &loss, 1, NULL));
    bp_program_options commit = {.size = sizeof commit, .commit = 1, .ok = BP_NONE};
    TRY(bp_program_new(&m->step, m->g, &loss, 1, &commit));
    TRY(bp_state_new(&m->state, m->g));
    TRY(bp_session_new(&m->look, m->program, m->state));
    TRY(bp_session_new(&m->descend, m->step, m->state));
    return 0;
}

static int set_rows(bp_context *ctx, bp_session *session, const double *x, const double *t, int n) {
    if (!x) return 0;
    TRY(bp_session_set(session, "x", x, &bp_shape(1, n)));
    TRY(bp_session_set(session, "t", t, &bp_shape(1, n)));
    return 0;
}

static int see(bp_context *ctx, const machine *m, const scene *s, double *loss) {
    const void *out;
    if (set_rows(ctx, m->look, s->x, s->t, ROWS)) return 1;
    TRY(bp_session_run(m->look));
    TRY(bp_session_output(m->look, 0, &out, NULL, NULL));
    *loss = *(const double *)out;
    return 0;
}

static unsigned draw(unsigned *state, unsigned below) { /* Knuth's linear congruential generator, upper bits */
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static int descend(bp_context *ctx, const machine *m, const scene *s, run *r) {
    double x[ROWS], t[ROWS];
    unsigned random = 1;
    for (int step = 0; step <= r->steps; step++) {
        TRY(bp_state_get(m->state, "a", &r->a[step], sizeof(double)));
        TRY(bp_state_get(m->state, "b", &r->b[step], sizeof(double)));
        if (see(ctx, m, s, &r->loss[step])) return 1;
        r->loss[step] -= s->least;
        if (step == r->steps) break;
        if (r->batch) {
            int first = step * r->batch % ROWS;
            if (first == 0) { /* an epoch begins: the rows in another order */
                memcpy(x, s->x, sizeof x);
                memcpy(t, s->t, sizeof t);
                for (unsigned i = ROWS - 1; i > 0; i--) {
                    unsigned j = draw(&random, i + 1);
                    double keep_x = x[i], keep_t = t[i];
                    x[i] = x[j], t[i] = t[j];
                    x[j] = keep_x, t[j] = keep_t;
                }
            }
            if (set_rows(ctx, m->descend, x + first, t + first, r->batch)) return 1;
        }
        TRY(bp_session_run(m->descend));
    }
    return 0;
}

static int landscape(bp_context *ctx, const machine *m, const scene *s, double *values) {
    for (int j = 0; j < GRID_Y; j++)
        for (int i = 0; i < GRID_X; i++) {
            double a = grid_x(&s->map, i), b = grid_y(&s->map, j);
            TRY(bp_state_set(m->state, "a", &a, sizeof a));
            TRY(bp_state_set(m->state, "b", &b, sizeof b));
            if (see(ctx, m, s, &values[j * GRID_X + i])) return 1;
            values[j * GRID_X + i] -= s->least;
        }
    return 0;
}

/* All runs of a scene, and the landscape. Says what came out, and whether it is what the page says. */
static int run_scene(bp_context *ctx, scene *s, double *values) {
    int wrong = 0;
    for (int k = 0; k < s->n && !wrong; k++) {
        machine m = {0};
        run *r = &s->runs[k];
        wrong = machine_build(&m, ctx, s, r->optimizer) || descend(ctx, &m, s, r) || (k == 0 && landscape(ctx, &m, s, values));
        machine_free(&m);
        double last = r->loss[r->steps];
        printf("%-18s %-24s %-32s %4d steps  loss above the least %.3g\n", s->name, r->title, r->optimizer, r->steps, last);
        if (!wrong && !(last >= r->low && last <= r->high)) {
            fprintf(stderr, "descent: %s, %s: the last loss should lie between %g and %g\n", s->name, r->title, r->low, r->high);
            wrong = 1;
        }
    }
    return wrong;
}

/* ---- Drawing ---- */

static int draw_map(FILE *f, const scene *s, const double *values, const run *runs, int n, const panel *p, const panel *first) {
    double levels[24];
    for (int k = 0; k < s->n_levels; k++) levels[k] = k ? levels[k - 1] * s->ratio : s->first_level;
    int wrong = 0;
    panel_begin(f, p);
    if (first == p) {
        fputs("<g id=\"land\">\n", f);
        wrong = draw_contours(f, p, values, levels, s->n_levels);
        fputs("</g>\n", f);
    } else { /* the same again */
        fprintf(f, "<use href=\"#land\" transform=\"translate(%.1f %.1f)\"/>\n", p->left - first->left, p->top - first->top);
    }
    for (int k = n - 1; k >= 0; k--) {
        const run *r = &runs[k];
        draw_line(f, p, r->a, r->b, r->steps + 1, r->color, r->steps > 500 ? 0.7 : 1.6);
        if (r->steps <= 200) draw_dots(f, p, r->a, r->b, r->steps + 1, r->color);
    }
    draw_goal(f, p, s->goal_a, s->goal_b);
    draw_dot(f, p, s->start_a, s->start_b, "#1f2328", 4.5);
    panel_end(f, p);
    axis_x(f, p, s->tick_a, "a");
    axis_y(f, p, s->tick_b, "b");
    return wrong;
}

static void title(FILE *f, const panel *p, const run *r) {
    char attributes[80];
    snprintf(attributes, sizeof attributes, "font-weight=\"bold\" font-size=\"14\" fill=\"%s\"", r->color);
    picture_text(f, p->left, p->top - 22, attributes, r->title);
    picture_text(f, p->left, p->top - 7, "font-size=\"11.5\" font-family=\"monospace\" fill=\"#57606a\"", r->optimizer);
}

/* The loss of every run; x counts steps, or epochs where the runs see batches. */
static void draw_losses(FILE *f, const scene *s, const panel *p, double tick) {
    static double x[MOST];
    panel_begin(f, p);
    draw_decades(f, p);
    for (int k = s->n - 1; k >= 0; k--) {
        const run *r = &s->runs[k];
        for (int i = 0; i <= r->steps; i++) x[i] = r->batch ? (double)i * r->batch / ROWS : i;
        draw_line(f, p, x, r->loss, r->steps + 1, r->color, r->steps > 500 ? 0.9 : 2);
    }
    panel_end(f, p);
    axis_x(f, p, tick, s->x ? "epochs (every row seen once)" : "step");
    axis_y(f, p, p->y1 - p->y0 > 9 ? 2 : 1, "loss above the least");
    picture_text(f, p->left, p->top - 14, "font-weight=\"bold\" font-size=\"14\"", "The loss on the way");
}

static int picture_of(bp_context *ctx, scene *s, const char *folder, int columns, int width, panel losses, double tick,
                      int together) {
    static double values[GRID_X * GRID_Y];
    if (run_scene(ctx, s, values)) return 1;
    int panels = (together ? 1 : s->n) + 1, rows = (panels + columns - 1) / columns, each = (width - 20) / columns;
    double map_height = 0.74 * (each - 72);
    int height = 20 + rows * (int)(map_height + 92);
    FILE *f = picture_open(folder, s->name, width, height, s->words);
    if (!f) return 1;
    int wrong = 0;
    panel first = s->map;
    for (int k = 0; k < panels; k++) {
        panel p = k + 1 < panels ? s->map : losses;
        p.number = k;
        p.left = 62 + k % columns * each;
        p.top = 48 + k / columns * (map_height + 92);
        p.width = each - 72;
        p.height = map_height;
        if (k == 0) first = p;
        if (k + 1 == panels) {
            draw_losses(f, s, &p, tick);
        } else if (together) {
            wrong |= draw_map(f, s, values, s->runs, s->n, &p, &p);
            for (int r = 0; r < s->n; r++) {
                char attributes[80];
                snprintf(attributes, sizeof attributes, "font-weight=\"bold\" font-size=\"14\" fill=\"%s\"", s->runs[r].color);
                picture_text(f, p.left + r * p.width / s->n, p.top - 14, attributes, s->runs[r].title);
            }
        } else {
            wrong |= draw_map(f, s, values, &s->runs[k], 1, &p, k ? &first : &p);
            title(f, &p, &s->runs[k]);
        }
    }
    return picture_close(f) || wrong;
}

/* ---- The scenes ---- */

#define BLUE "#0969da"
#define RED "#cf222e"
#define GREEN "#1a7f37"
#define PURPLE "#8250df"
#define ORANGE "#bc4c00"

static int rates(bp_context *ctx, const char *folder) {
    static run runs[] = {
        {.title = "too small", .optimizer = "sgd lr=0.01", .color = BLUE, .batch = 0, .steps = 40, .low = 5, .high = 20},
        {.title = "about right", .optimizer = "sgd lr=0.15", .color = GREEN, .batch = 0, .steps = 40, .low = 0, .high = 1e-4},
        {.title = "too large", .optimizer = "sgd lr=0.175", .color = RED, .batch = 0, .steps = 40, .low = 1e3, .high = 1e9}};
    scene s = {"descent-rates",
               "Gradient descent with a learning rate too small, right, and too large",
               "(a^2 + 12*b^2) / 2",
               -9,
               0.9,
               .map = {.x0 = -10, .x1 = 4, .y0 = -4, .y1 = 4},
               .tick_a = 2,
               .tick_b = 2,
               .ratio = 2,
               .first_level = 0.25,
               .n_levels = 11,
               .runs = runs,
               .n = 3};
    return picture_of(ctx, &s, folder, 2, 900, (panel){.x0 = 0, .x1 = 40, .y0 = -6, .y1 = 4, .log_y = 1}, 10, 0);
}

static int momentum(bp_context *ctx, const char *folder) {
    static run runs[] = {
        {.title = "no momentum", .optimizer = "sgd lr=0.02", .color = BLUE, .batch = 0, .steps = 120, .low = 0.01, .high = 1},
        {.title = "momentum 0.8",
         .optimizer = "sgd lr=0.02 momentum=0.8",
         .color = GREEN,
         .batch = 0,
         .steps = 120,
         .low = 0,
         .high = 1e-6},
        {.title = "momentum 0.98",
         .optimizer = "sgd lr=0.02 momentum=0.98",
         .color = RED,
         .batch = 0,
         .steps = 120,
         .low = 0.1,
         .high = 100}};
    scene s = {"descent-momentum",
               "Gradient descent without, with, and with too much momentum",
               "(a^2 + 30*b^2) / 2",
               -9,
               2.2,
               .map = {.x0 = -10, .x1 = 8, .y0 = -4, .y1 = 4},
               .tick_a = 2,
               .tick_b = 2,
               .ratio = 2,
               .first_level = 0.25,
               .n_levels = 12,
               .runs = runs,
               .n = 3};
    return picture_of(ctx, &s, folder, 2, 900, (panel){.x0 = 0, .x1 = 120, .y0 = -8, .y1 = 3, .log_y = 1}, 20, 0);
}

static int ravine(bp_context *ctx, const char *folder) {
    static run runs[] = {
        {.title = "Plain descent", .optimizer = "sgd lr=0.015", .color = BLUE, .batch = 0, .steps = 150, .low = 1e-2, .high = 1},
        {.title = "Momentum",
         .optimizer = "sgd lr=0.015 momentum=0.9",
         .color = ORANGE,
         .batch = 0,
         .steps = 150,
         .low = 0,
         .high = 1e-3},
        {.title = "AdaGrad", .optimizer = "adagrad lr=0.4", .color = PURPLE, .batch = 0, .steps = 150, .low = 0, .high = 1},
        {.title = "RMSProp",
         .optimizer = "rmsprop lr=0.05 alpha=0.9",
         .color = RED,
         .batch = 0,
         .steps = 150,
         .low = 0,
         .high = 1},
        {.title = "Adam", .optimizer = "adam lr=0.15", .color = GREEN, .batch = 0, .steps = 150, .low = 0, .high = 1e-2}};
    scene s = {"descent-ravine",
               "Plain descent, momentum, AdaGrad, RMSProp and Adam in one bent ravine",
               "(1 - a)^2 + 8*(b - a^2)^2",
               -1.3,
               2.6,
               1,
               1,
               0,
               .map = {.x0 = -2, .x1 = 2, .y0 = -0.9, .y1 = 3.1},
               .tick_a = 1,
               .tick_b = 1,
               .ratio = 2.5,
               .first_level = 0.15,
               .n_levels = 9,
               .runs = runs,
               .n = 5};
    return picture_of(ctx, &s, folder, 3, 1020, (panel){.x0 = 0, .x1 = 150, .y0 = -8, .y1 = 2, .log_y = 1}, 50, 0);
}

static int batches(bp_context *ctx, const char *folder) {
    static run runs[] = {
        {.title = "all 64 rows", .optimizer = "sgd lr=0.1", .color = BLUE, .batch = ROWS, .steps = 12, .low = 1e-2, .high = 1},
        {.title = "8 rows", .optimizer = "sgd lr=0.1", .color = ORANGE, .batch = 8, .steps = 96, .low = 0, .high = 1e-1},
        {.title = "1 row", .optimizer = "sgd lr=0.1", .color = GREEN, .batch = 1, .steps = 768, .low = 0, .high = 1}};
    double x[ROWS], t[ROWS], sx = 0, st = 0, sxx = 0, sxt = 0, loss = 0;
    unsigned random = 7;
    for (int i = 0; i < ROWS; i++) { /* a line with noise; the least squares line by hand */
        double noise = 0;
        for (int k = 0; k < 4; k++) noise += draw(&random, 10001) / 10000.0 - 0.5;
        x[i] = draw(&random, 10001) / 5000.0 - 0.4;
        t[i] = 1.5 * x[i] - 0.5 + 0.9 * noise;
        sx += x[i], st += t[i], sxx += x[i] * x[i], sxt += x[i] * t[i];
    }
    double a = (ROWS * sxt - sx * st) / (ROWS * sxx - sx * sx), b = (st - a * sx) / ROWS;
    for (int i = 0; i < ROWS; i++) loss += (a * x[i] + b - t[i]) * (a * x[i] + b - t[i]) / ROWS;
    scene s = {"descent-batches",
               "Full-batch, mini-batch and single-sample descent on the same data",
               "mean((a*x + b - t)^2)",
               -0.6,
               1.2,
               a,
               b,
               loss,
               x,
               t,
               .map = {.x0 = -1, .x1 = 2.6, .y0 = -1.4, .y1 = 1.6},
               .tick_a = 1,
               .tick_b = 1,
               .ratio = 1.9,
               .first_level = 0.02,
               .n_levels = 10,
               .runs = runs,
               .n = 3};
    return picture_of(ctx, &s, folder, 2, 900, (panel){.x0 = 0, .x1 = 12, .y0 = -5, .y1 = 1, .log_y = 1}, 2, 1);
}

/* ---- Gradients on their way back through many layers ---- */

enum { LAYERS = 20, WIDTH = 64 };

static int through_layers(bp_context *ctx, bp_value (*activation)(bp_value), bp_init init, double *size) {
    bp_graph *g;
    bp_program *program;
    bp_state *state;
    bp_session *session;
    TRY(bp_graph_new(&g, ctx));
    bp_graph_set_dtype(g, BP_F64);
    bp_value h[LAYERS + 1], gradient[LAYERS + 1], back = bp_input(g, "back", BP_F64, bp_shape(2, BP_BATCH, WIDTH));
    h[0] = bp_input(g, "x", BP_F64, bp_shape(2, BP_BATCH, WIDTH));
    for (int k = 0; k < LAYERS; k++) {
        char name[24];
        snprintf(name, sizeof name, "%d.weight", k);
        h[k + 1] = activation(bp_linear(h[k], bp_parameter(g, name, bp_shape(2, WIDTH, WIDTH), init), BP_NONE));
    }
    bp_gradients(gradient, &h[LAYERS], &back, 1, h, LAYERS + 1);
    for (int k = 0; k <= LAYERS; k++) gradient[k] = bp_sqrt(bp_mean(bp_square(gradient[k]), NULL));
    TRY(bp_program_new(&program, g, gradient, LAYERS + 1, NULL));
    TRY(bp_state_new(&state, g));
    TRY(bp_session_new(&session, program, state));
    static double x[ROWS * WIDTH], d[ROWS * WIDTH];
    unsigned random = 3;
    for (int i = 0; i < ROWS * WIDTH; i++) { /* both of deviation 1 */
        x[i] = (draw(&random, 10001) / 5000.0 - 1) * 1.7320508;
        d[i] = (draw(&random, 10001) / 5000.0 - 1) * 1.7320508;
    }
    TRY(bp_session_set(session, "back", d, &bp_shape(2, ROWS, WIDTH)));
    TRY(bp_session_set(session, "x", x, &bp_shape(2, ROWS, WIDTH)));
    TRY(bp_session_run(session));
    for (int k = 0; k <= LAYERS; k++) {
        const void *out;
        TRY(bp_session_output(session, k, &out, NULL, NULL));
        size[k] = *(const double *)out;
    }
    bp_session_free(session);
    bp_state_free(state);
    bp_program_free(program);
    bp_graph_free(g);
    return 0;
}

static int vanishing(bp_context *ctx, const char *folder) {
    const struct {
        const char *words, *color;
        bp_value (*activation)(bp_value);
        bp_init init;
        double low, high; /* where the gradient at the input should lie */
    } nets[] = {
        {"relu, weights twice He's", RED, bp_relu, bp_kaiming_init(2 * 1.41421356, BP_FAN_IN, BP_SPREAD_NORMAL), 1e4, 1e8},
        {"relu, He", GREEN, bp_relu, bp_kaiming_init(1.41421356, BP_FAN_IN, BP_SPREAD_NORMAL), 1e-2, 1e2},
        {"tanh, Xavier", BLUE, bp_tanh, bp_xavier_init(1, BP_SPREAD_NORMAL), 1e-2, 1e2},
        {"sigmoid, Xavier", PURPLE, bp_sigmoid, bp_xavier_init(1, BP_SPREAD_NORMAL), 0, 1e-8}};
    panel p = {
        .left = 70, .top = 36, .width = 560, .height = 290, .x0 = -0.5, .x1 = LAYERS + 0.5, .y0 = -14, .y1 = 8, .log_y = 1};
    FILE *f = picture_open(folder, "descent-vanishing", 860, 390, "The size of the gradient behind each of 20 layers");
    if (!f) return 1;
    axis_y(f, &p, 2, "root mean square of the gradient");
    panel_begin(f, &p);
    draw_decades(f, &p);
    int wrong = 0;
    double size[4][LAYERS + 1], layer[LAYERS + 1];
    for (int k = 0; k < 4 && !wrong; k++) {
        wrong = through_layers(ctx, nets[k].activation, nets[k].init, size[k]);
        for (int i = 0; i <= LAYERS; i++) layer[i] = i;
        draw_line(f, &p, layer, size[k], LAYERS + 1, nets[k].color, 2);
        draw_dots(f, &p, layer, size[k], LAYERS + 1, nets[k].color);
        printf("descent-vanishing  %-28s at the input %.3g, at the output %.3g\n", nets[k].words, size[k][0], size[k][LAYERS]);
        if (!(size[k][0] >= nets[k].low && size[k][0] <= nets[k].high)) {
            fprintf(stderr, "descent: %s: the gradient should end between %g and %g\n", nets[k].words, nets[k].low, nets[k].high);
            wrong = 1;
        }
    }
    panel_end(f, &p);
    axis_x(f, &p, 2, "behind layer (0: the input; 20: the output, where the way back begins)");
    picture_text(f, p.left, p.top - 13, "font-weight=\"bold\" font-size=\"14\"",
                 "The gradient on its way back through 20 layers");
    for (int k = 0; k < 4; k++) {
        char attributes[120];
        snprintf(attributes, sizeof attributes, "font-weight=\"bold\" fill=\"%s\"", nets[k].color);
        picture_text(f, p.left + p.width + 14, p.top + 20 + 22 * k, attributes, nets[k].words);
    }
    return picture_close(f) || wrong;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    bp_context *ctx;
    bp_context_options options = {.size = sizeof options, .threads = 1, .has_seed = 1, .seed = 1};
    if (bp_context_new(&ctx, &options) != BP_OK) return 1;
    int wrong = rates(ctx, folder) | momentum(ctx, folder) | ravine(ctx, folder) | batches(ctx, folder) | vanishing(ctx, folder);
    bp_context_free(ctx);
    return wrong;
}
