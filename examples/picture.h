/* A picture of panels as SVG: landscapes as shaded contours, paths over them, curves with a logarithmic upright axis. */
#ifndef PICTURE_H
#define PICTURE_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct panel {
    double left, top, width, height; /* on the picture */
    double x0, x1, y0, y1;           /* of the data; y0, y1 are powers of ten where log_y */
    int log_y, number;
} panel;

static double panel_x(const panel *p, double x) { return p->left + (x - p->x0) / (p->x1 - p->x0) * p->width; }
static double panel_y(const panel *p, double y) {
    if (p->log_y) y = y > 0 ? log10(y) : -300;
    return p->top + p->height - (y - p->y0) / (p->y1 - p->y0) * p->height;
}

static FILE *picture_open(const char *folder, const char *name, int width, int height, const char *description) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        fprintf(stderr, "descent: cannot write %s\n", path);
        return NULL;
    }
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#30363d\">\n<title>%s</title>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            width, height, width, height, description);
    return f;
}

static int picture_close(FILE *f) {
    fputs("</svg>\n", f);
    return fclose(f) == 0 ? 0 : 1;
}

static void picture_text(FILE *f, double x, double y, const char *attributes, const char *words) {
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes, words);
}

/* The clip region of a panel and a group in it; ends with panel_end, which draws the frame. */
static void panel_begin(FILE *f, const panel *p) {
    fprintf(f,
            "<clipPath id=\"p%d\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></clipPath>\n<g "
            "clip-path=\"url(#p%d)\">\n",
            p->number, p->left, p->top, p->width, p->height, p->number);
}

static void panel_end(FILE *f, const panel *p) {
    fprintf(f, "</g>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" stroke=\"#8c959f\"/>\n", p->left,
            p->top, p->width, p->height);
}

/* ---- Axes ---- */

static void axis_x(FILE *f, const panel *p, double every, const char *label) {
    char words[32];
    double bottom = p->top + p->height;
    for (double v = ceil(p->x0 / every - 1e-9) * every; v <= p->x1 + 1e-9 * every; v += every) {
        double x = panel_x(p, v);
        fprintf(f, "<path d=\"M%.1f %.1fv4\" stroke=\"#8c959f\"/>\n", x, bottom);
        snprintf(words, sizeof words, "%.6g", fabs(v) < 1e-9 * every ? 0 : v);
        picture_text(f, x, bottom + 17, "text-anchor=\"middle\" font-size=\"11\"", words);
    }
    picture_text(f, p->left + p->width / 2, bottom + 33, "text-anchor=\"middle\" font-size=\"12\"", label);
}

static void axis_y(FILE *f, const panel *p, double every, const char *label) {
    char words[96];
    for (double v = ceil(p->y0 / every - 1e-9) * every; v <= p->y1 + 1e-9 * every; v += every) {
        double y = p->top + p->height - (v - p->y0) / (p->y1 - p->y0) * p->height;
        fprintf(f, "<path d=\"M%.1f %.1fh-4\" stroke=\"#8c959f\"/>\n", p->left, y);
        double shown = fabs(v) < 1e-9 * every ? 0 : v;
        if (p->log_y)
            snprintf(words, sizeof words, "10<tspan dy=\"-5\" font-size=\"9\">%.0f</tspan>", shown);
        else
            snprintf(words, sizeof words, "%.6g", shown);
        picture_text(f, p->left - 8, y + 4, "text-anchor=\"end\" font-size=\"11\"", words);
    }
    char turned[120];
    double x = p->left - 40, y = p->top + p->height / 2;
    snprintf(turned, sizeof turned, "text-anchor=\"middle\" font-size=\"12\" transform=\"rotate(-90 %.1f %.1f)\"", x, y);
    picture_text(f, x, y, turned, label);
}

/* ---- Lines ---- */

static void draw_decades(FILE *f, const panel *p) { /* faint lines at the powers of ten */
    fputs("<path stroke=\"#eaeef2\" d=\"", f);
    for (double v = ceil(p->y0); v <= p->y1; v++)
        fprintf(f, "M%.1f %.1fh%.1f", p->left, p->top + p->height - (v - p->y0) / (p->y1 - p->y0) * p->height, p->width);
    fputs("\"/>\n", f);
}

static void draw_line(FILE *f, const panel *p, const double *x, const double *y, int n, const char *color, double width) {
    fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%.2g\" stroke-opacity=\"%.2g\" stroke-linejoin=\"round\" d=\"",
            color, width, width < 1 ? 0.6 : 1);
    double last_x = -1e9, last_y = -1e9;
    for (int i = 0; i < n; i++) {
        double px = fmin(fmax(panel_x(p, x[i]), -9999), 9999), py = fmin(fmax(panel_y(p, y[i]), -9999), 9999);
        if (i > 0 && i + 1 < n && fabs(px - last_x) + fabs(py - last_y) < 0.4) continue; /* not to be seen */
        fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', px, py);
        last_x = px;
        last_y = py;
    }
    fputs("\"/>\n", f);
}

static void draw_dot(FILE *f, const panel *p, double x, double y, const char *color, double radius) {
    fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"#fff\" stroke-width=\"0.8\"/>\n", panel_x(p, x),
            panel_y(p, y), radius, color);
}

/* Dots where the line has been, some pixels apart; each with a white rim. */
static void draw_dots(FILE *f, const panel *p, const double *x, const double *y, int n, const char *color) {
    for (int rim = 1; rim >= 0; rim--) {
        double last_x = -1e9, last_y = -1e9;
        fprintf(f, "<path stroke=\"%s\" stroke-width=\"%s\" stroke-linecap=\"round\" d=\"", rim ? "#fff" : color,
                rim ? "6.4" : "5");
        for (int i = 0; i < n; i++) {
            double px = panel_x(p, x[i]), py = panel_y(p, y[i]);
            if (fabs(px - last_x) + fabs(py - last_y) < 5 || fabs(px) + fabs(py) > 5000) continue;
            fprintf(f, "M%.1f %.1fh0", px, py);
            last_x = px, last_y = py;
        }
        fputs("\"/>\n", f);
    }
}

static void draw_goal(FILE *f, const panel *p, double x, double y) { /* where the minimum lies */
    fprintf(f, "<path d=\"M%.1f %.1fm-5 -5l10 10m0 -10l-10 10\" stroke=\"#fff\" stroke-width=\"4.5\"/>\n", panel_x(p, x),
            panel_y(p, y));
    fprintf(f, "<path d=\"M%.1f %.1fm-5 -5l10 10m0 -10l-10 10\" stroke=\"#1f2328\" stroke-width=\"2\"/>\n", panel_x(p, x),
            panel_y(p, y));
}

/* ---- Contours ---- */

/* Values on GRID_X by GRID_Y points over a panel, row by row from below. A ring of high ones lies around them, outside of what is
   seen, so that every contour is closed and can be filled. */
enum { GRID_X = 109, GRID_Y = 82, RING_X = GRID_X + 2, RING_Y = GRID_Y + 2 };

typedef struct contour {
    const panel *p;
    double value[RING_Y][RING_X], level;
    int link[2 * RING_X * RING_Y][2]; /* what the line that crosses an edge crosses before and after; -1: nothing */
} contour;

static double grid_x(const panel *p, int i) { return p->x0 + (p->x1 - p->x0) * i / (GRID_X - 1); }
static double grid_y(const panel *p, int j) { return p->y0 + (p->y1 - p->y0) * j / (GRID_Y - 1); }

static void contour_link(contour *c, int a, int b) {
    c->link[a][c->link[a][0] >= 0] = b;
    c->link[b][c->link[b][0] >= 0] = a;
}

/* Marching squares: edge 2(jw + i) runs right from the point (i, j), the one behind it up. */
static void contour_cell(contour *c, int i, int j) {
    int at = j * RING_X + i, below = 2 * at, above = 2 * (at + RING_X), left = 2 * at + 1, right = 2 * (at + 1) + 1;
    double corner[4] = {c->value[j][i], c->value[j][i + 1], c->value[j + 1][i + 1], c->value[j + 1][i]}, sum = 0;
    int edge[4] = {below, right, above, left}, crossed[4], n = 0, first = 0;
    for (int k = 0; k < 4; k++) {
        sum += corner[k];
        if ((corner[k] < c->level) != (corner[(k + 1) % 4] < c->level)) crossed[n++] = edge[k];
    }
    /* A saddle: the lines go around the corners that are not on the side of the middle. */
    if (n == 4) first = (corner[0] < c->level) == (sum / 4 < c->level) ? 0 : 1;
    for (int k = 0; k < n; k += 2) contour_link(c, crossed[(first + k) % n], crossed[(first + k + 1) % n]);
}

static void contour_point(const contour *c, int edge, double *x, double *y) {
    int at = edge / 2, i = at % RING_X, j = at / RING_X, up = edge % 2;
    double a = c->value[j][i], b = c->value[j + up][i + !up], t = (c->level - a) / (b - a);
    *x = panel_x(c->p, grid_x(c->p, i - 1) + (up ? 0 : t) * (c->p->x1 - c->p->x0) / (GRID_X - 1));
    *y = panel_y(c->p, grid_y(c->p, j - 1) + (up ? t : 0) * (c->p->y1 - c->p->y0) / (GRID_Y - 1));
}

static void contour_trace(contour *c, FILE *f, int start) {
    double x, y, last_x = -1e9, last_y = -1e9;
    for (int at = start, first = 1; at >= 0; first = 0) {
        contour_point(c, at, &x, &y);
        int inside =
            x > c->p->left + 4 && x < c->p->left + c->p->width - 4 && y > c->p->top + 4 && y < c->p->top + c->p->height - 4;
        if (!inside || fabs(x - last_x) + fabs(y - last_y) > 4.6) {
            fprintf(f, "%c%.1f %.1f", first ? 'M' : 'L', x, y);
            last_x = x, last_y = y;
        }
        int next = c->link[at][0] >= 0 ? c->link[at][0] : c->link[at][1];
        c->link[at][0] = c->link[at][1] = -1;
        if (next >= 0) { /* the way back is gone */
            int back = c->link[next][0] == at ? 0 : 1;
            c->link[next][back] = -1;
        }
        at = next;
    }
    fputc('Z', f);
}

/* Fills what lies below each level, from the highest to the lowest, ever darker. values: GRID_X by GRID_Y. */
static int draw_contours(FILE *f, const panel *p, const double *values, const double *levels, int n_levels) {
    contour *c = malloc(sizeof *c);
    if (!c) return 1;
    c->p = p;
    for (int j = 0; j < RING_Y; j++)
        for (int i = 0; i < RING_X; i++)
            c->value[j][i] =
                i == 0 || j == 0 || i > GRID_X || j > GRID_Y ? 1e6 * levels[n_levels - 1] : values[(j - 1) * GRID_X + i - 1];
    for (int k = n_levels - 1; k >= 0; k--) {
        double depth = n_levels > 1 ? 1 - (double)k / (n_levels - 1) : 1; /* 0: the highest level */
        c->level = levels[k];
        memset(c->link, -1, sizeof c->link);
        for (int j = 0; j + 1 < RING_Y; j++)
            for (int i = 0; i + 1 < RING_X; i++) contour_cell(c, i, j);
        fprintf(f, "<path fill=\"#%02x%02x%02x\" stroke=\"#8fa9c4\" stroke-width=\"0.7\" fill-rule=\"evenodd\" d=\"",
                (int)(246 - 66 * depth), (int)(249 - 46 * depth), (int)(252 - 22 * depth));
        for (int e = 0; e < 2 * RING_X * RING_Y; e++)
            if (c->link[e][0] >= 0) contour_trace(c, f, e);
        fputs("\"/>\n", f);
    }
    free(c);
    return 0;
}
#endif
