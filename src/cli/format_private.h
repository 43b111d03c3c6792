/* cli/format_private.h - a template as a tree: what format_parse.c makes, and format.c and format_functions.c
 * walk. All of it lives in the template's arena. */
#ifndef CLI_FORMAT_PRIVATE_H
#define CLI_FORMAT_PRIVATE_H

#include "cli/format.h"
#include "util/arena.h"

#define FORMAT_DEPTH 100 /* how deep blocks and brackets may stand in each other */

struct format_pipe;

struct format_field {
    berth_str name;
    struct format_field *next;
    const struct format_field *before; /* of all that the template has */
};

/* "." with fields, "$x" with fields, a constant, "(…)" with fields, or the name of a function. */
struct format_term {
    enum { FORMAT_DOT, FORMAT_VARIABLE, FORMAT_CONSTANT, FORMAT_BRACKET, FORMAT_FUNCTION } kind;
    size_t at;      /* offset in the text */
    berth_str name; /* of the variable, "" for "$" */
    json_t *value;  /* FORMAT_CONSTANT; a reference of the template's */
    const struct format_function *function;
    const struct format_pipe *bracket;
    struct format_field *fields;
    struct format_term *next; /* the next word of the command */
};

struct format_command { /* "printf "%s" .x", a link of a pipe */
    struct format_term *terms;
    struct format_command *next;
};

struct format_pipe {
    berth_str variables[2]; /* "$i, $x := "; n is 0 for none */
    bool assigns;           /* "=" to what is there, not ":=" */
    struct format_command *commands;
};

struct format_node {
    enum {
        FORMAT_TEXT,
        FORMAT_PRINT,
        FORMAT_IF,
        FORMAT_WITH,
        FORMAT_RANGE,
        FORMAT_BREAK,
        FORMAT_CONTINUE
    } kind;
    size_t at;
    berth_str text;
    const struct format_pipe *pipe;
    const struct format_node *then, *otherwise;
    struct format_node *next;
};

struct format {
    berth_arena arena;
    json_t *constants; /* an array that owns them */
    const struct format_node *root;
    const struct format_field *fields; /* the last of all */
    const struct cli_field *known;     /* NULL: none */
};

/* Says what is wrong with the template at byte @at, counted from 0. */
int format_fail(berth_error *err, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A function of templates: @n values, which it does not keep. A new reference, or NULL with @err. */
struct format_function {
    const char *name;
    size_t least, most; /* how many values it takes; most 0: any number */
    json_t *(*call)(json_t *const *v, size_t n, berth_error *err);
};
const struct format_function *format_function_find(berth_str name);
const char *format_function_nearest(berth_str name);
extern const struct format_function format_and, format_or; /* these look at no more than they need */

bool format_true(const json_t *v); /* Go's idea: not false, 0, "", null, an empty list or object */
void format_value(berth_buf *out, const json_t *v); /* as Go prints it: "[a b]", "map[k:v]" */
const char *format_kind(const json_t *v);           /* "a list", for messages */

#endif
