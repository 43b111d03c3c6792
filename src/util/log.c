/* util/log.c - one line per event, written with one write(2); see log.h. */
#include "util/log.h"

#include <stdatomic.h>
#include <stdio.h>

#include "util/buf.h"
#include "util/clock.h"

/* A hostile header may be long; a log line need not be. */
#define LINE_MAX_BYTES   (16 * KIB)
#define LINE_USUAL_BYTES 400

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static atomic_int least_level = LOG_INFO;
static atomic_int line_format = LOG_TEXT;
static atomic_int line_fd = STDERR_FILENO;

void log_setup(enum log_level least, enum log_format format, int fd)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&line_format, (int)format);
    atomic_store(&line_fd, fd);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

bool log_level_by_name(berth_str name, enum log_level *ret)
{
    for (size_t i = 0; i < COUNT(level_names); i++)
        if (str_eq(name, str_from(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

/* JSON string rules; bytes that are not UTF-8 are written as \u00XX, so a line is always valid JSON. */
static void add_quoted(berth_buf *b, berth_str s)
{
    berth_buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            berth_buf_addf(b, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            berth_buf_addf(b, "\\u%04x", c);
        else
            berth_buf_putc(b, (char)c);
    }
    berth_buf_putc(b, '"');
}

static bool plain(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' ||
            (unsigned char)s.p[i] >= 0x7f)
            return false;
    return s.n > 0;
}

/* With three places. */
static void add_real(berth_buf *b, double v)
{
    if (!(v >= 0 && v < 1e12)) {
        berth_buf_addf(b, "%.3f", v);
        return;
    }
    int64_t thousandths = (int64_t)(v * 1000 + 0.5);
    const char places[] = {'.', (char)('0' + thousandths / 100 % 10), (char)('0' + thousandths / 10 % 10),
                           (char)('0' + thousandths % 10)};
    berth_buf_add_int(b, thousandths / 1000);
    berth_buf_add(b, places, sizeof(places));
}

static void add_value(berth_buf *b, const struct log_field *f, bool json)
{
    switch (f->kind) {
    case LOG_FIELD_INT:
        berth_buf_add_int(b, f->num);
        break;
    case LOG_FIELD_REAL:
        add_real(b, f->real);
        break;
    case LOG_FIELD_STR: {
        berth_str s = str_head(f->str, 1024);
        if (json || !plain(s))
            add_quoted(b, s);
        else
            berth_buf_add_str(b, s);
        break;
    }
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t n)
{
    bool json = atomic_load(&line_format) == LOG_JSON;
    char time[25];
    clock_format(clock_wall_ms(), time);
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(LINE_MAX_BYTES);
    /* By hand: printf took half of the instructions of a small GET. */
    berth_buf_reserve(&b, LINE_USUAL_BYTES);
    berth_buf_add_str(&b, json ? STR("{\"time\":\"") : STR(""));
    berth_buf_add_str(&b, str_from(time));
    berth_buf_add_str(&b, json ? STR("\",\"level\":\"") : STR(" "));
    berth_buf_add_str(&b, str_from(level_names[level]));
    if (json) {
        berth_buf_add_str(&b, STR("\",\"message\":"));
        add_quoted(&b, str_from(message));
    } else {
        berth_buf_add_str(&b, str_head(STR("      "), 6 - strlen(level_names[level]))); /* in columns */
        berth_buf_add_str(&b, str_from(message));
    }
    for (size_t i = 0; i < n; i++) {
        berth_buf_add_str(&b, json ? STR(",\"") : STR(" "));
        berth_buf_add_str(&b, str_from(fields[i].key));
        berth_buf_add_str(&b, json ? STR("\":") : STR("="));
        add_value(&b, &fields[i], json);
    }
    berth_buf_add_str(&b, json ? STR("}\n") : STR("\n"));
    if (berth_buf_failed(&b))
        return;
    ssize_t unused =
        write(atomic_load(&line_fd), b.p, b.n); /* a log that can't be written has nowhere to say so */
    (void)unused;
}
