/* Curves drawn: in the terminal with braille dots (UTF-8) or stars, and as SVG. */
#define _XOPEN_SOURCE 700 /* open_memstream */
#define _DEFAULT_SOURCE   /* winsize */
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ROWS = 15, MOST_COLUMNS = 110, LEFT = 12, MOST_TICKS = 12 };

/* ---- Scales ---- */

typedef struct scale {
    double low, high;
    bool log;
    double tick[MOST_TICKS];
    int n;
} scale;

static double place(const scale *s, double v) { /* 0 to 1 within the scale */
    double a = s->log ? log10(s->low) : s->low, b = s->log ? log10(s->high) : s->high, x = s->log ? log10(v) : v;
    return b > a ? (x - a) / (b - a) : 0.5;
}

/* Round values 1, 2, 5 · 10^k, or powers of ten. */
static void choose_ticks(scale *s, int wanted) {
    if (s->log) {
        int first = (int)ceil(log10(s->low) - 1e-9), last = (int)floor(log10(s->high) + 1e-9);
        int every = (last - first) / wanted + 1;
        for (int k = first; k <= last && s->n < MOST_TICKS; k += every) s->tick[s->n++] = pow(10, k);
        return;
    }
    double span = s->high - s->low, step = pow(10, floor(log10(span / wanted)));
    static const double times[] = {1, 2, 5, 10};
    int k = 0;
    while (k < 3 && span / (step * times[k]) > wanted) k++;
    step *= times[k];
    for (double v = ceil(s->low / step - 1e-9) * step; v <= s->high + 1e-9 * span && s->n < MOST_TICKS; v += step)
        s->tick[s->n++] = fabs(v) < 1e-9 * step ? 0 : v;
}

static void scales_of(const plot *p, scale *x, scale *y, int x_ticks) {
    *x = (scale){.low = p->x[0], .high = p->x[p->n - 1], .log = p->log_x};
    if (!(x->high > x->low)) x->high = x->low + 1;
    *y = (scale){.low = p->low, .high = p->high};
    if (!(y->high > y->low)) { /* all the same */
        y->low = p->low > 0 ? 0 : p->low - 1;
        y->high = p->high > 0 ? 1.25 * p->high : p->high + 1;
    }
    choose_ticks(x, x_ticks);
    choose_ticks(y, 5);
}

/* ---- The terminal ---- */

typedef struct screen {
    int columns, rows, across, down; /* a cell is across x down dots */
    FILE *to;
    unsigned char dots[ROWS][MOST_COLUMNS], of[ROWS][MOST_COLUMNS]; /* of: the curves in a cell, bit by bit */
    char mark[ROWS][MOST_COLUMNS];
    bool utf8, color;
} screen;

static int columns_of_terminal(FILE *to) {
    const char *text = getenv("COLUMNS");
    struct winsize size;
    int n = text ? atoi(text) : 0;
    if (n <= 0 && ioctl(fileno(to), TIOCGWINSZ, &size) == 0) n = size.ws_col;
    if (n <= 0) n = 80;
    n -= LEFT + 2;
    return n < 20 ? 20 : n > MOST_COLUMNS ? MOST_COLUMNS : n;
}

static void dot(screen *s, int of, double column, double row) { /* in dots, row 0 at the bottom */
    static const unsigned char braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int x = (int)floor(column + 0.5), y = s->rows * s->down - 1 - (int)floor(row + 0.5);
    if (x < 0 || y < 0 || x >= s->columns * s->across || y >= s->rows * s->down) return;
    s->dots[y / s->down][x / s->across] |= s->utf8 ? braille[y % 4][x % 2] : 1;
    s->of[y / s->down][x / s->across] |= (unsigned char)(1 << of);
}

static void curve(screen *s, const plot *p, const scale *x, const scale *y, const double *values, int of) {
    double width = s->columns * s->across - 1, height = s->rows * s->down - 1, before_x = 0, before_y = NAN;
    for (int64_t i = 0; i < p->n; i++) {
        double cx = place(x, p->x[i]) * width, cy = place(y, values[i]) * height;
        bool joined = !isnan(before_y) && !isnan(cy);
        double dx = joined ? cx - before_x : 0, dy = joined ? cy - before_y : 0;
        int steps = (int)fmin(fmax(fabs(dx), fabs(dy)), 2000) + 1;
        for (int k = 1; k <= steps && !isnan(cy); k++) dot(s, of, cx - dx + dx * k / steps, cy - dy + dy * k / steps);
        before_x = cx;
        before_y = cy;
    }
}

static void paint(const screen *s, const char *color) {
    if (s->color) fputs(color, s->to);
}

static const char *const curve_color[] = {"\033[36m", "\033[35m"};
static const char curve_sign[] = {'*', 'o'};

static void cells(const screen *s, int row) {
    const char *now = "";
    int last = s->columns - 1;
    while (last >= 0 && !s->dots[row][last] && !s->mark[row][last]) last--;
    for (int c = 0; c <= last; c++) {
        bool line = s->dots[row][c];
        int of = s->of[row][c] & 1 ? 0 : 1; /* the first one lies above */
        const char *wanted = line ? curve_color[of] : s->mark[row][c] ? "\033[33m" : "";
        if (s->color && strcmp(wanted, now) != 0) fprintf(s->to, "\033[0m%s", wanted);
        now = wanted;
        if (line && s->utf8) /* U+2800 and the dots */
            fprintf(s->to, "\xE2%c%c", 0xA0 + (s->dots[row][c] >> 6), 0x80 + (s->dots[row][c] & 0x3F));
        else
            putc(line ? curve_sign[of] : s->mark[row][c] ? s->mark[row][c] : ' ', s->to);
    }
    if (*now) paint(s, "\033[0m");
}

static void x_axis(const screen *s, const plot *p, const scale *x) {
    char ticks[MOST_COLUMNS + 24], labels[MOST_COLUMNS + 24];
    memset(ticks, '-', sizeof ticks);
    memset(labels, ' ', sizeof labels);
    int end = 0;
    for (int i = 0; i < x->n; i++) {
        char text[24];
        int at = (int)floor(place(x, x->tick[i]) * (s->columns - 1) + 0.5), n = snprintf(text, sizeof text, "%.6g", x->tick[i]);
        int start = at - n / 2 < 0 ? 0 : at - n / 2;
        ticks[at] = '+';
        if (start < end + (end > 0) || start + n > s->columns + LEFT / 2) continue;
        memcpy(labels + start, text, (size_t)n);
        end = start + n;
    }
    paint(s, "\033[2m");
    fprintf(s->to, "%*s +%.*s\n%*s  %.*s\n", LEFT - 2, "", s->columns, ticks, LEFT - 2, "", end, labels);
    paint(s, "\033[0m");
    fprintf(s->to, "%*s  %s\n", LEFT - 2, "", p->x_label);
}

static void title(const screen *s, const plot *p) {
    fprintf(s->to, "%*s  %s", LEFT - 2, "", p->title);
    const char *const names[] = {p->y_name, p->other_name};
    for (int k = 0; p->other && k < 2; k++) {
        fputs("  ", s->to);
        paint(s, curve_color[k]);
        fprintf(s->to, "%s %s", s->utf8 ? "\xE2\x94\x81" : (const char[]){curve_sign[k], 0}, names[k]);
        paint(s, "\033[0m");
    }
    putc('\n', s->to);
}

void cli_plot(const cli *c, FILE *to, const plot *p) {
    scale x, y;
    screen s = {.columns = columns_of_terminal(to), .rows = ROWS, .across = 1, .down = 1, .utf8 = cli_utf8(), .to = to};
    const char *force = getenv("FORCE_COLOR");
    s.color = c->color && (isatty(fileno(to)) == 1 || (force && *force));
    if (p->other && !s.color) s.utf8 = false; /* dots alone could not be told apart */
    if (s.utf8) s.across = 2, s.down = 4;
    scales_of(p, &x, &y, s.columns / 12);
    if (p->other) curve(&s, p, &x, &y, p->other, 1);
    curve(&s, p, &x, &y, p->y, 0);
    for (int i = 0; i < p->n_marks; i++) {
        double at = place(&x, p->marks[i].x);
        if (!(at >= 0 && at <= 1)) continue;
        int column = (int)floor(at * (s.columns - 1) + 0.5);
        for (int r = 0; r < ROWS; r++) s.mark[r][column] = r == 0 ? p->marks[i].name[0] : ':';
    }
    title(&s, p);
    for (int r = 0; r < ROWS; r++) {
        char label[24] = "";
        for (int i = 0; i < y.n; i++)
            if ((int)floor((1 - place(&y, y.tick[i])) * (ROWS - 1) + 0.5) == r) snprintf(label, sizeof label, "%.4g", y.tick[i]);
        paint(&s, "\033[2m");
        fprintf(to, "%*s %c", LEFT - 2, label, *label ? '+' : '|');
        paint(&s, "\033[0m");
        cells(&s, r);
        putc('\n', to);
    }
    x_axis(&s, p, &x);
}

/* ---- SVG ---- */

enum { WIDTH = 760, HEIGHT = 420, MARGIN_LEFT = 84, MARGIN_RIGHT = 24, MARGIN_TOP = 44, MARGIN_BOTTOM = 56 };

static double svg_x(const scale *s, double v) { return MARGIN_LEFT + place(s, v) * (WIDTH - MARGIN_LEFT - MARGIN_RIGHT); }
static double svg_y(const scale *s, double v) {
    return HEIGHT - MARGIN_BOTTOM - place(s, v) * (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM);
}

/* At most two points for each half pixel: the lowest and the highest of those that fall together. */
static void path(FILE *f, const plot *p, const double *v, const scale *x, const scale *y, const char *style) {
    int64_t together = p->n / (2 * WIDTH) + 1;
    fputs("<polyline fill=\"none\" clip-path=\"url(#plot)\" points=\"", f);
    for (int64_t i = 0; i < p->n; i += together) {
        int64_t low = i, high = i, end = i + together < p->n ? i + together : p->n;
        for (int64_t k = i; k < end; k++) {
            if (v[k] < v[low]) low = k;
            if (v[k] > v[high]) high = k;
        }
        int64_t first = low < high ? low : high, last = low < high ? high : low;
        fprintf(f, "%.2f,%.2f ", svg_x(x, p->x[first]), svg_y(y, v[first]));
        if (last != first) fprintf(f, "%.2f,%.2f ", svg_x(x, p->x[last]), svg_y(y, v[last]));
    }
    fprintf(f, "\" %s/>\n", style);
}

static void text(FILE *f, double x, double y, const char *attributes, const char *words) {
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    for (; *words; words++) fputs(*words == '<' ? "&lt;" : *words == '&' ? "&amp;" : (const char[]){*words, 0}, f);
    fputs("</text>\n", f);
}

static void svg(FILE *f, const plot *p) {
    scale x, y;
    char label[32];
    double left = MARGIN_LEFT, right = WIDTH - MARGIN_RIGHT, top = MARGIN_TOP, bottom = HEIGHT - MARGIN_BOTTOM;
    scales_of(p, &x, &y, 9);
    fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
        "font-size=\"13\" fill=\"#333\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
        "<clipPath id=\"plot\"><rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/></clipPath>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT, left, top - 2, right - left, bottom - top + 4);
    text(f, left, 26, "font-size=\"16\" font-weight=\"bold\"", p->title);
    for (int i = 0; i < y.n; i++) {
        double at = svg_y(&y, y.tick[i]);
        fprintf(f, "<line x1=\"%.0f\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>\n", left, at, right, at);
        snprintf(label, sizeof label, "%.4g", y.tick[i]);
        text(f, left - 8, at + 4.5, "text-anchor=\"end\"", label);
    }
    for (int i = 0; i < x.n; i++) {
        double at = svg_x(&x, x.tick[i]);
        fprintf(f, "<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"#999\"/>\n", at, bottom, at, bottom + 5);
        snprintf(label, sizeof label, "%.6g", x.tick[i]);
        text(f, at, bottom + 20, "text-anchor=\"middle\"", label);
    }
    fprintf(f, "<path d=\"M%.0f %.0fV%.0fH%.0f\" fill=\"none\" stroke=\"#999\"/>\n", left, top, bottom, right);
    text(f, (left + right) / 2, HEIGHT - 12, "text-anchor=\"middle\"", p->x_label);
    snprintf(label, sizeof label, "rotate(-90 18 %.0f)", (top + bottom) / 2);
    char attributes[80];
    snprintf(attributes, sizeof attributes, "text-anchor=\"middle\" transform=\"%s\"", label);
    text(f, 18, (top + bottom) / 2, attributes, p->y_label);
    if (p->raw) path(f, p, p->raw, &x, &y, "stroke=\"#bcd3ea\" stroke-width=\"1\"");
    path(f, p, p->y, &x, &y, "stroke=\"#1f6fb4\" stroke-width=\"2\" stroke-linejoin=\"round\"");
    for (int i = 0; i < p->n_marks; i++) {
        double at = svg_x(&x, p->marks[i].x);
        if (!(at >= left && at <= right)) continue;
        fprintf(f, "<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"#d2691e\" stroke-dasharray=\"4 3\"/>\n", at,
                top, at, bottom);
        char words[80];
        snprintf(words, sizeof words, "%s %.3g", p->marks[i].name, p->marks[i].x);
        text(f, at + 5, top + 12 + 16 * i, "fill=\"#a04a10\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\"", words);
    }
    fputs("</svg>\n", f);
}

int cli_plot_svg(cli *c, const plot *p, const char *path_to) {
    char *bytes = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&bytes, &n);
    if (f) svg(f, p);
    int status = f && fclose(f) == 0 ? cli_write(c, path_to, bytes, n)
                                     : cli_cannot(c, "MEMORY", "out of memory while drawing `%s`", path_to);
    free(bytes);
    return status;
}

int cli_plot_check(const cli *c) {
    const char *to = cli_value(c, OPT_output);
    size_t n = to ? strlen(to) : 0;
    if (!to || strcmp(to, "-") == 0 || (n > 4 && strcmp(to + n - 4, ".svg") == 0)) return EXIT_DONE;
    return cli_usage(c, NULL, "-o writes an SVG picture, and `%s` is no .svg file: name it %s.svg", to, to);
}
