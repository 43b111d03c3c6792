/* cli/output.c - prints a command's document, as JSON or through the template of --format. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/format.h"

void cli_check_pipe(int error)
{
    if (error != EPIPE)
        return;
    signal(SIGPIPE, SIG_DFL); /* who reads has seen enough: end as other programs do, without a word */
    raise(SIGPIPE);
}

int cli_printed(const struct cli_command *c)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    cli_check_pipe(errno);
    fprintf(stderr, "berth %s: writing to standard output failed: %s\n", c->name, strerror(errno));
    return EXIT_FAILED;
}

bool cli_wants_failures(const struct cli_base *b)
{
    return b->format ? format_asks(b->format, "error") : b->output == CLI_OUTPUT_JSON;
}

int cli_print(const struct cli_command *c, const struct cli_base *b, json_t *document)
{
    berth_error err = BERTH_ERROR_INIT;
    if (!document) {
        fprintf(stderr, "berth %s: out of memory\n", c->name);
        return EXIT_FAILED;
    }
    int r = BERTH_OK;
    if (b->format)
        r = format_print(b->format, document, stdout, &err);
    else if (json_dumpf(document, stdout, JSON_INDENT(2)) == 0)
        printf("\n");
    json_decref(document);
    if (r != BERTH_OK) {
        cli_printed(c);
        berth_error_prefix(&err, "--format");
        return cli_fail(c->name, &err);
    }
    return cli_printed(c);
}

int cli_tell(const struct cli_command *c, const struct cli_base *b, json_t *document, const char *fmt, ...)
{
    va_list ap;
    if (!cli_wants_text(b))
        return cli_print(c, b, document);
    json_decref(document);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    return cli_printed(c);
}
