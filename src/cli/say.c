/* cli/say.c - what goes wrong, said on standard error; see cli.h. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/arena.h"
#include "util/mask.h"

#define SAID_MAX MIB

static char **arguments; /* of the process */

void cli_hide_arguments(char **argv)
{
    arguments = argv;
}

static void replace(berth_buf *text, berth_str hidden)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(SAID_MAX);
    berth_str left = berth_buf_str(text);
    const char *at;
    while (left.n && (at = memmem(left.p, left.n, hidden.p, hidden.n))) {
        berth_buf_add(&out, left.p, (size_t)(at - left.p));
        berth_buf_addf(&out, MASK_TEXT "@");
        left = str_from_offset(left, (size_t)(at - left.p) + hidden.n);
    }
    berth_buf_add_str(&out, left);
    berth_buf_reset(text);
    berth_buf_add_str(text, berth_buf_str(&out));
}

static void hide(berth_buf *text, char *const *texts, bool named)
{
    for (; texts && *texts; texts++) {
        berth_str one = str_from(*texts), name, value;
        if (named || str_starts(one, STR("--"))) /* NAME=VALUE */
            one = str_cut(one, '=', &name, &value) ? value : STR("");
        berth_str hidden = mask_find(one);
        if (hidden.n)
            replace(text, hidden);
    }
}

static void say(const char *command, const char *fmt, va_list ap)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(SAID_MAX);
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    const char *whole = berth_arena_vprintf(&arena, fmt, ap);
    berth_buf_addf(&text, "%s", whole ? whole : "out of memory");
    hide(&text, arguments, false);
    hide(&text, environ, true);
    fprintf(stderr, "berth%s%s: " STR_FMT "\n", *command ? " " : "", command, STR_ARG(berth_buf_str(&text)));
}

void cli_say(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(command, fmt, ap);
    va_end(ap);
}

int cli_fail(const char *command, const berth_error *err)
{
    cli_say(command, "%s", err->message);
    return cli_exit_code(err->code);
}

int cli_usage(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(command, fmt, ap);
    va_end(ap);
    fprintf(stderr, "try: berth %s --help\n", command);
    return EXIT_USAGE;
}
