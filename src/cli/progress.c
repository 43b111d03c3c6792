/* cli/progress.c - see progress.h. */
#include "cli/progress.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "cli/command.h"
#include "cli/target.h"
#include "util/clock.h"

#define DRAW_MS   100  /* between two pictures on a terminal */
#define LINE_MS   5000 /* between two lines elsewhere; what takes less is not spoken of */
#define SAMPLE_MS 500
#define SAMPLES   10 /* the rate is that of the last five seconds */
#define ROWS      8  /* bars at once; the others are in the line below them */
#define BAR       20

#define COLOUR "\033[36m"
#define PLAIN  "\033[0m"

struct progress_item {
    struct progress *progress;
    struct progress_item *next;
    char *label;
    uint64_t done, total, found;
    bool ended;
};

struct progress {
    enum progress_form form;
    FILE *out;
    unsigned width;
    bool colour;
    char *command;
    struct progress_item *items, **last;
    size_t n_items, n_ended, n_rows; /* n_rows: lines that stand on the terminal */
    uint64_t moved;                  /* by all items, of what this run brought over */
    int64_t began, drawn, sampled;   /* ms; began -1: no tick yet */
    struct {
        int64_t at;
        uint64_t moved;
    } samples[SAMPLES];
    size_t n_samples;
};

static volatile sig_atomic_t on_terminal; /* a line without its end stands there */

void progress_interrupted(void)
{
    if (on_terminal && write(STDERR_FILENO, "\n", 1) < 0)
        on_terminal = 0;
}

/* --- words --- */

void progress_bytes(berth_buf *out, uint64_t n)
{
    static const char units[] = "KMGTPE";
    size_t unit = 0;
    uint64_t tenths = n / 1024 * 10 + n % 1024 * 10 / 1024;
    if (n < 1024) {
        berth_buf_addf(out, "%u B", (unsigned)n);
        return;
    }
    for (; tenths >= 10240; tenths /= 1024)
        unit++;
    berth_buf_addf(out, "%llu.%llu %ciB", (unsigned long long)(tenths / 10),
                   (unsigned long long)(tenths % 10), units[unit]);
}

void progress_seconds(berth_buf *out, uint64_t s)
{
    unsigned long long n = s;
    if (n >= 3600)
        berth_buf_addf(out, "%lluh%02llum", n / 3600, n / 60 % 60);
    else if (n >= 60)
        berth_buf_addf(out, "%llum%02llus", n / 60, n % 60);
    else
        berth_buf_addf(out, "%llus", n);
}

/* Bytes a second of the last seconds; 0: not known yet. */
static uint64_t rate_of(const struct progress *p, int64_t now)
{
    if (!p->n_samples)
        return 0;
    size_t oldest = p->n_samples < SAMPLES ? 0 : p->n_samples % SAMPLES;
    int64_t ms = now - p->samples[oldest].at;
    return ms > 0 ? (p->moved - p->samples[oldest].moved) * 1000 / (uint64_t)ms : 0;
}

/* "1.5 MiB of 3.0 MiB" and, of what is still under way, the rate and the time that is left. */
static void add_figures(berth_buf *out, uint64_t done, uint64_t total, uint64_t rate)
{
    bool known = total != PROGRESS_UNKNOWN;
    progress_bytes(out, done);
    if (known) {
        berth_buf_addf(out, " of ");
        progress_bytes(out, total);
    }
    if (!rate)
        return;
    berth_buf_addf(out, ", ");
    progress_bytes(out, rate);
    berth_buf_addf(out, "/s");
    if (!known || total <= done)
        return;
    berth_buf_addf(out, ", ");
    progress_seconds(out, (total - done + rate - 1) / rate);
    berth_buf_addf(out, " left");
}

static void sum(const struct progress *p, uint64_t *ret_done, uint64_t *ret_total)
{
    *ret_done = *ret_total = 0;
    for (const struct progress_item *i = p->items; i; i = i->next) {
        *ret_done += i->done;
        if (*ret_total != PROGRESS_UNKNOWN)
            *ret_total = i->total == PROGRESS_UNKNOWN ? PROGRESS_UNKNOWN : *ret_total + i->total;
    }
}

static void add_sum(const struct progress *p, berth_buf *out, uint64_t rate)
{
    uint64_t done, total;
    sum(p, &done, &total);
    if (p->n_items > 1)
        berth_buf_addf(out, "%zu of %zu done, ", p->n_ended, p->n_items);
    add_figures(out, done, total, rate);
}

/* --- bars --- */

static void add_bar(const struct progress *p, berth_buf *out, const struct progress_item *i)
{
    unsigned parts = i->total ? (unsigned)((double)MIN(i->done, i->total) / (double)i->total * BAR) : BAR;
    berth_buf_addf(out, " %s[", p->colour ? COLOUR : "");
    for (unsigned k = 0; k < BAR; k++)
        berth_buf_putc(out, k < parts ? '=' : k == parts ? '>' : ' ');
    berth_buf_addf(out, "]%s %3u%%  ", p->colour ? PLAIN : "",
                   i->total ? (unsigned)((double)MIN(i->done, i->total) / (double)i->total * 100) : 100);
}

/* Cuts a line at the terminal's width, so that it stays one; what colours it takes no room. */
static void put_row(struct progress *p, const berth_buf *line)
{
    unsigned column = 0;
    bool escape = false;
    size_t n = 0;
    for (; n < line->n && (escape || column + 1 < p->width); n++) {
        char c = line->p[n];
        if (c == '\033')
            escape = true;
        column += !escape;
        if (escape && c == 'm')
            escape = false;
    }
    fprintf(p->out, "%s\033[K%.*s%s", p->n_rows ? "\n" : "\r", (int)n, n ? line->p : "",
            p->colour ? PLAIN : "");
    p->n_rows++;
}

static void clear_rows(struct progress *p)
{
    if (!p->n_rows)
        return;
    if (p->n_rows > 1)
        fprintf(p->out, "\033[%zuA", p->n_rows - 1);
    fprintf(p->out, "\r\033[J");
    p->n_rows = 0;
    on_terminal = 0;
}

static void draw(struct progress *p, int64_t now)
{
    uint64_t rate = rate_of(p, now);
    size_t rows = 0;
    clear_rows(p);
    on_terminal = 1; /* a signal may come in the middle of a row */
    for (const struct progress_item *i = p->items; i && rows < ROWS; i = i->next) {
        CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(4 * KIB);
        if (i->ended)
            continue;
        berth_buf_addf(&line, "%-20.*s", p->width < 60 ? 12 : 40, i->label);
        if (i->total != PROGRESS_UNKNOWN && p->width >= 60)
            add_bar(p, &line, i);
        else
            berth_buf_putc(&line, ' ');
        add_figures(&line, i->done, i->total, p->n_items == 1 ? rate : 0);
        put_row(p, &line);
        rows++;
    }
    if (p->n_items > 1) {
        CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(4 * KIB);
        add_sum(p, &line, rate);
        put_row(p, &line);
    }
    fflush(p->out);
    on_terminal = p->n_rows > 0;
}

static void print_line(struct progress *p, int64_t now)
{
    CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(4 * KIB);
    if (p->n_items == 1)
        berth_buf_addf(&line, "%s: ", p->items->label);
    add_sum(p, &line, rate_of(p, now));
    fprintf(p->out, "berth %s: " STR_FMT "\n", p->command, STR_ARG(berth_buf_str(&line)));
    fflush(p->out);
}

void progress_tick(struct progress *p, int64_t now)
{
    if (!p || p->form == PROGRESS_OFF)
        return;
    if (p->began < 0)
        p->began = p->drawn = now;
    if (!p->n_samples || now - p->sampled >= SAMPLE_MS) {
        size_t k = p->n_samples++ % SAMPLES;
        p->samples[k].at = p->sampled = now;
        p->samples[k].moved = p->moved;
    }
    if (now - p->drawn < (p->form == PROGRESS_BARS ? DRAW_MS : LINE_MS))
        return;
    p->drawn = now;
    if (p->form == PROGRESS_BARS)
        draw(p, now);
    else
        print_line(p, now);
}

/* --- items --- */

struct progress_item *progress_add(struct progress *p, const char *label, uint64_t total)
{
    struct progress_item *i = p ? mem_zalloc(1, sizeof(*i)) : NULL;
    if (!i || !(i->label = str_dup(str_from(label)))) {
        mem_free(i);
        return NULL;
    }
    for (char *at = i->label; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    i->progress = p;
    i->total = total;
    *p->last = i;
    p->last = &i->next;
    p->n_items++;
    progress_tick(p, clock_mono_ms());
    return i;
}

void progress_at(struct progress_item *i, uint64_t done)
{
    if (!i)
        return;
    if (done > i->done)
        i->progress->moved += done - i->done;
    i->done = done;
    progress_tick(i->progress, clock_mono_ms());
}

void progress_found(struct progress_item *i, uint64_t n)
{
    if (!i)
        return;
    i->found = n;
    i->done = MAX(i->done, n);
}

void progress_advance(struct progress_item *i, uint64_t more)
{
    if (i)
        progress_at(i, i->done + more);
}

void progress_total(struct progress_item *i, uint64_t total)
{
    if (i)
        i->total = total;
}

void progress_end(struct progress_item *i)
{
    if (!i || i->ended)
        return;
    i->ended = true;
    i->progress->n_ended++;
    progress_tick(i->progress, clock_mono_ms());
}

void progress_hide(struct progress *p)
{
    if (!p)
        return;
    clear_rows(p);
    p->drawn = 0;
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    va_list ap;
    if (!p || p->form == PROGRESS_OFF)
        return;
    progress_hide(p);
    fprintf(p->out, "berth %s: ", p->command);
    va_start(ap, fmt);
    vfprintf(p->out, fmt, ap);
    va_end(ap);
    fputc('\n', p->out);
}

/* --- the whole --- */

struct progress *progress_new_with(enum progress_form form, const char *command, FILE *out, unsigned width,
                                   bool colour)
{
    struct progress *p = mem_zalloc(1, sizeof(*p));
    if (!p || !(p->command = str_dup(str_from(command)))) {
        mem_free(p);
        return NULL;
    }
    p->form = form;
    p->out = out;
    p->width = width;
    p->colour = colour;
    p->last = &p->items;
    p->began = -1;
    return p;
}

struct progress *progress_new(const struct cli_base *b, const char *command)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct winsize size = {0};
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    enum progress_form form = b->quiet                      ? PROGRESS_OFF
                              : terminal && !b->no_progress ? PROGRESS_BARS
                                                            : PROGRESS_LINES;
    unsigned width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    if (form == PROGRESS_BARS)
        target_catch_signals();
    return progress_new_with(form, command, stderr, width, !(no_colour && *no_colour));
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    clear_rows(p);
    int64_t now = clock_mono_ms();
    if (p->form == PROGRESS_LINES && p->began >= 0 && now - p->began >= LINE_MS) { /* the last word */
        CLEANUP(berth_buf_done) berth_buf line = BERTH_BUF_INIT(4 * KIB);
        uint64_t brought = 0;
        for (const struct progress_item *i = p->items; i; i = i->next)
            brought += i->done - MIN(i->found, i->done);
        progress_bytes(&line, brought);
        berth_buf_addf(&line, " in ");
        progress_seconds(&line, (uint64_t)(now - p->began) / 1000);
        berth_buf_addf(&line, ", ");
        progress_bytes(&line, brought * 1000 / (uint64_t)(now - p->began));
        fprintf(p->out, "berth %s: " STR_FMT "/s\n", p->command, STR_ARG(berth_buf_str(&line)));
    }
    fflush(p->out);
    for (struct progress_item *i = p->items, *next; i; i = next) {
        next = i->next;
        mem_free(i->label);
        mem_free(i);
    }
    mem_free(p->command);
    mem_free(p);
}
