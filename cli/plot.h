/* A curve or two, drawn in the terminal or as SVG. */
#ifndef BP_CLI_PLOT_H
#define BP_CLI_PLOT_H
#include "cli.h"

typedef struct plot {
    const char *title, *x_label, *y_label;
    const double *x, *y;             /* [n], x rising */
    const double *raw;               /* [n] a second, faint curve of the picture; or NULL */
    const double *other;             /* [n] a second curve of the terminal, or NULL; NaN where it has no value */
    const char *y_name, *other_name; /* with other */
    int64_t n;                       /* at least 1 */
    double low, high;                /* of y; what lies outside is cut off */
    bool log_x;
    struct plot_mark { /* upright lines */
        const char *name;
        double x;
    } marks[3];
    int n_marks;
} plot;

void cli_plot(const cli *c, FILE *to, const plot *p);      /* as wide as the terminal that `to` is */
int cli_plot_svg(cli *c, const plot *p, const char *path); /* the exit status */
int cli_plot_check(const cli *c);                          /* does -o name an .svg file? else EXIT_USAGE after the sentence */
#endif
