/* client/helper.c - see helper.h. */
#include "client/helper.h"

#define PREFIX    "docker-credential-"
#define WORDS_MAX 120

int helper_start(struct child *c, berth_str name, const char *verb, berth_str input, uint32_t timeout_ms,
                 berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf program = BERTH_BUF_INIT(4 * KIB);
    *c = (struct child)CHILD_INIT;
    berth_buf_addf(&program, PREFIX STR_FMT, STR_ARG(name));
    const char *argv[] = {berth_buf_cstr(&program), verb, NULL};
    if (!argv[0])
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    int r = child_start(c, argv, input, timeout_ms, err);
    if (r == BERTH_E_NOT_FOUND) /* which means something else of a helper */
        r = berth_error_set(err, BERTH_E_IO, "the helper '%s' is not there", argv[0]);
    return r;
}

/* The first line of what a failing helper says, when it is text: helpers print their errors there, and
 * secrets only when they succeed. */
static berth_str words_of(const struct child *c)
{
    berth_str line, rest;
    str_cut(berth_buf_str(&c->said), '\n', &line, &rest);
    line = str_head(str_trim(line), WORDS_MAX);
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < ' ' || line.p[i] > '~')
            return STR("");
    return str_starts(line, STR("{")) ? STR("") : line;
}

int helper_judge(const struct child *c, berth_str name, berth_error *err)
{
    if (c->code == BERTH_E_CANCELLED)
        return berth_error_set(err, BERTH_E_CANCELLED,
                               "the helper '" PREFIX STR_FMT "' does not answer in time", STR_ARG(name));
    if (c->code != BERTH_OK)
        return berth_error_set(err, BERTH_E_IO, "the helper '" PREFIX STR_FMT "' says too much",
                               STR_ARG(name));
    if (c->status == 0)
        return BERTH_OK;
    berth_str words = words_of(c);
    if (auth_helper_has_none(words))
        return berth_error_set(err, BERTH_E_NOT_FOUND,
                               "the helper '" PREFIX STR_FMT "' has no such credentials", STR_ARG(name));
    return berth_error_set(err, BERTH_E_IO, "the helper '" PREFIX STR_FMT "' failed%s" STR_FMT, STR_ARG(name),
                           words.n ? ": " : "", STR_ARG(words));
}

int helper_run(berth_str name, const char *verb, berth_str input, uint32_t timeout_ms, berth_error *err)
{
    CLEANUP(child_done) struct child c = CHILD_INIT;
    int r = helper_start(&c, name, verb, input, timeout_ms, err);
    if (r != BERTH_OK)
        return r;
    child_wait(&c);
    return helper_judge(&c, name, err);
}
