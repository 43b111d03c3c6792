/* cli/format.c - walks a template's tree over a document, and prints; see format.h. */
#include "cli/format.h"

#include <errno.h>
#include <strings.h>

#include "cli/command.h"
#include "cli/format_private.h"

/* {{range 1000000000}} does what it says, which a fuzzer must not wait for. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define TURNS_MAX 10000
#else
#define TURNS_MAX UINT64_MAX
#endif

struct variable {
    berth_str name;
    json_t *value;
};

struct walk {
    FILE *out;
    char last; /* that was printed */
    json_t *root;
    const struct cli_field *known;
    berth_error *err;
    struct variable *variables;
    size_t n_variables, room;
    uint64_t turns; /* of ranges */
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

/* --- values --- */

bool format_true(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return json_object_size(v) > 0;
    case JSON_ARRAY:
        return json_array_size(v) > 0;
    case JSON_STRING:
        return json_string_length(v) > 0;
    case JSON_INTEGER:
        return json_integer_value(v) != 0;
    case JSON_REAL:
        return json_real_value(v) < 0 || json_real_value(v) > 0;
    case JSON_TRUE:
        return true;
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return false;
}

const char *format_kind(const json_t *v)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return kinds[json_typeof(v)];
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of @object in order, as Go walks maps; to be freed. NULL without memory, or of an empty one. */
static const char **sorted_keys(const json_t *object)
{
    const char **names = mem_zalloc(json_object_size(object) + 1, sizeof(*names)), *key;
    size_t n = 0;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)object, key, v) if (names) names[n++] = key;
    if (names)
        qsort((void *)names, n, sizeof(*names), compare_names);
    return names;
}

static void print_object(berth_buf *out, const json_t *v)
{
    const char **names = sorted_keys(v);
    berth_buf_addf(out, "map[");
    for (size_t i = 0; names && names[i]; i++) {
        berth_buf_addf(out, "%s%s:", i ? " " : "", names[i]);
        format_value(out, json_object_get(v, names[i]));
    }
    berth_buf_putc(out, ']');
    mem_free((void *)names);
}

void format_value(berth_buf *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        print_object(out, v);
        return;
    case JSON_ARRAY:
        berth_buf_putc(out, '[');
        for (size_t i = 0; i < json_array_size(v); i++) {
            if (i)
                berth_buf_putc(out, ' ');
            format_value(out, json_array_get(v, i));
        }
        berth_buf_putc(out, ']');
        return;
    case JSON_STRING:
        berth_buf_add(out, json_string_value(v), json_string_length(v));
        return;
    case JSON_INTEGER:
        berth_buf_add_int(out, json_integer_value(v));
        return;
    case JSON_REAL:
        berth_buf_addf(out, "%g", json_real_value(v));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        berth_buf_addf(out, "%s", json_is_true(v) ? "true" : "false");
        return;
    case JSON_NULL:
        berth_buf_addf(out, "<no value>");
        return;
    }
}

static void print_text(struct walk *w, berth_str s)
{
    if (s.n)
        w->last = s.p[s.n - 1];
    fwrite(s.n ? s.p : "", 1, s.n, w->out);
}

/* --- variables --- */

static struct variable *find_variable(struct walk *w, berth_str name)
{
    for (size_t i = w->n_variables; i-- > 0;)
        if (str_eq(w->variables[i].name, name))
            return &w->variables[i];
    return NULL;
}

static int declare(struct walk *w, berth_str name, json_t *value)
{
    if (w->n_variables == w->room) {
        size_t room = w->room ? w->room * 2 : 8;
        struct variable *larger = mem_realloc(w->variables, room * sizeof(*larger));
        if (!larger)
            return berth_error_set(w->err, BERTH_E_NOMEM, "out of memory");
        w->variables = larger;
        w->room = room;
    }
    w->variables[w->n_variables++] = (struct variable){name, json_incref(value)};
    return BERTH_OK;
}

static int set_variable(struct walk *w, const struct format_pipe *pipe, size_t which, json_t *value)
{
    struct variable *there = pipe->assigns ? find_variable(w, pipe->variables[which]) : NULL;
    if (!there)
        return declare(w, pipe->variables[which], value);
    json_incref(value);
    json_decref(there->value);
    there->value = value;
    return BERTH_OK;
}

static void forget_variables(struct walk *w, size_t n)
{
    while (w->n_variables > n)
        json_decref(w->variables[--w->n_variables].value);
}

/* --- fields --- */

static json_t *get_nocase(const json_t *object, berth_str name)
{
    json_t *v = json_object_getn(object, name.p, name.n);
    const char *key;
    json_t *other;
    if (v)
        return v;
    json_object_foreach((json_t *)(uintptr_t)object, key,
                        other) if (str_eq_nocase(str_from(key), name)) /* {{.Digest}}, as docker writes it */
        return other;
    return NULL;
}

static int fail_unknown(struct walk *w, size_t at, berth_str name, const json_t *object)
{
    CLEANUP(berth_buf_done) berth_buf there = BERTH_BUF_INIT(1 * KIB);
    const char **names = sorted_keys(object);
    for (size_t i = 0; names && names[i]; i++)
        berth_buf_addf(&there, "%s%s", i ? ", " : "", names[i]);
    mem_free((void *)names);
    return format_fail(w->err, at, "there is no field '" STR_FMT "'; there are: " STR_FMT, STR_ARG(name),
                       STR_ARG(berth_buf_str(&there)));
}

void format_know(struct format *f, const struct cli_field *fields)
{
    f->known = fields;
}

bool format_asks(const struct format *f, const char *field)
{
    for (const struct format_field *have = f->fields; have; have = have->before)
        if (str_eq_nocase(have->name, str_from(field)))
            return true;
    return false;
}

/* "tags[]" and "tags[].name" are of "tags". */
static bool is_known(const struct walk *w, berth_str name)
{
    for (const struct cli_field *f = w->known; f && f->path; f++)
        if (str_eq_nocase(str_head(str_from(f->path), strcspn(f->path, ".[")), name))
            return true;
    return false;
}

/* The field of @v that @fields leads to, borrowed. What the document's top never has is a mistake;
 * farther down, where a manifest's own content may be, it is null, as in Go. */
static json_t *follow(struct walk *w, size_t at, json_t *v, const struct format_field *fields)
{
    for (const struct format_field *f = fields; f; f = f->next) {
        if (json_is_null(v))
            continue;
        if (!json_is_object(v)) {
            format_fail(w->err, at, "'" STR_FMT "' is asked of %s, which has no fields%s", STR_ARG(f->name),
                        format_kind(v), json_is_array(v) ? ": take range, or index" : "");
            return NULL;
        }
        json_t *next = get_nocase(v, f->name);
        if (!next && v == w->root && !is_known(w, f->name)) {
            fail_unknown(w, at, f->name, v);
            return NULL;
        }
        v = next ? next : json_null();
    }
    return v;
}

/* --- pipes: each returns a new reference, or NULL with the error set --- */

static json_t *eval_pipe(struct walk *w, const struct format_pipe *pipe, json_t *dot);

static json_t *eval_term(struct walk *w, const struct format_term *t, json_t *dot)
{
    json_t *base = NULL, *found;
    switch (t->kind) {
    case FORMAT_DOT:
        return json_incref(follow(w, t->at, dot, t->fields));
    case FORMAT_VARIABLE:
        found = t->name.n ? find_variable(w, t->name)->value : w->root;
        return json_incref(follow(w, t->at, found, t->fields));
    case FORMAT_CONSTANT:
        return json_incref(t->value);
    case FORMAT_BRACKET:
        base = eval_pipe(w, t->bracket, dot);
        found = base ? json_incref(follow(w, t->at, base, t->fields)) : NULL;
        json_decref(base);
        return found;
    case FORMAT_FUNCTION: /* as a value: one that takes none */
        break;
    }
    format_fail(w->err, t->at, "put brackets around a function that is a value: (%s …)", t->function->name);
    return NULL;
}

/* `and` and `or` end at the value that decides, and look at no later one. */
static json_t *eval_logic(struct walk *w, const struct format_term *first, json_t *fed, json_t *dot)
{
    bool ends_at = first->function == &format_or;
    json_t *v = NULL;
    for (const struct format_term *t = first->next; t; t = t->next) {
        json_decref(v);
        v = eval_term(w, t, dot);
        if (!v || format_true(v) == ends_at)
            return v;
    }
    if (!fed)
        return v;
    json_decref(v);
    return json_incref(fed);
}

static json_t *call(struct walk *w, const struct format_term *first, json_t *fed, json_t *dot)
{
    size_t n = 0, room = fed != NULL;
    for (const struct format_term *t = first->next; t; t = t->next)
        room++;
    json_t **values = mem_zalloc(room + 1, sizeof(json_t *)), *result = NULL;
    bool whole = values;
    if (!values)
        berth_error_set(w->err, BERTH_E_NOMEM, "out of memory");
    for (const struct format_term *t = first->next; t && whole; t = t->next)
        whole = (values[n++] = eval_term(w, t, dot));
    if (whole && fed)
        values[n++] = json_incref(fed);
    if (whole) {
        berth_error err = BERTH_ERROR_INIT;
        result = first->function->call(values, n, &err);
        if (!result)
            format_fail(w->err, first->at, "%s: %s", first->function->name,
                        *err.message ? err.message : "out of memory");
    }
    for (size_t i = 0; values && i < n; i++)
        json_decref(values[i]);
    mem_free(values);
    return result;
}

static json_t *eval_command(struct walk *w, const struct format_command *c, json_t *fed, json_t *dot)
{
    const struct format_term *first = c->terms;
    if (first->kind != FORMAT_FUNCTION)
        return eval_term(w, first, dot);
    if (first->function == &format_and || first->function == &format_or)
        return eval_logic(w, first, fed, dot);
    return call(w, first, fed, dot);
}

static json_t *eval_pipe(struct walk *w, const struct format_pipe *pipe, json_t *dot)
{
    json_t *v = NULL;
    for (const struct format_command *c = pipe->commands; c; c = c->next) {
        json_t *fed = v;
        v = eval_command(w, c, fed, dot);
        json_decref(fed);
        if (!v)
            return NULL;
    }
    return v;
}

/* --- nodes --- */

static enum flow walk_nodes(struct walk *w, const struct format_node *nodes, json_t *dot);

static enum flow print_node(struct walk *w, const struct format_node *n, json_t *dot)
{
    json_t *v = eval_pipe(w, n->pipe, dot);
    if (!v)
        return FLOW_FAILED;
    int r = BERTH_OK;
    if (n->pipe->variables[0].n) {
        r = set_variable(w, n->pipe, 0, v);
    } else {
        CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(SIZE_MAX / 2);
        format_value(&text, v);
        if (berth_buf_failed(&text))
            r = berth_error_set(w->err, BERTH_E_NOMEM, "out of memory");
        print_text(w, berth_buf_str(&text));
    }
    json_decref(v);
    return r == BERTH_OK ? FLOW_ON : FLOW_FAILED;
}

static enum flow walk_branch(struct walk *w, const struct format_node *n, json_t *dot)
{
    size_t outer = w->n_variables;
    json_t *v = eval_pipe(w, n->pipe, dot);
    if (!v)
        return FLOW_FAILED;
    enum flow flow = FLOW_FAILED;
    bool yes = format_true(v);
    if (!n->pipe->variables[0].n || set_variable(w, n->pipe, 0, v) == BERTH_OK)
        flow = walk_nodes(w, yes ? n->then : n->otherwise, yes && n->kind == FORMAT_WITH ? v : dot);
    forget_variables(w, outer);
    json_decref(v);
    return flow;
}

/* One turn of a range: @key is stolen. */
static enum flow walk_turn(struct walk *w, const struct format_node *n, json_t *key, json_t *v)
{
    size_t outer = w->n_variables;
    bool two = n->pipe->variables[1].n;
    enum flow flow = FLOW_FAILED;
    if (!key)
        berth_error_set(w->err, BERTH_E_NOMEM, "out of memory");
    else if (w->turns++ == TURNS_MAX)
        format_fail(w->err, n->at, "this turns too often");
    else if ((!two || set_variable(w, n->pipe, 0, key) == BERTH_OK) &&
             (!n->pipe->variables[0].n || set_variable(w, n->pipe, two, v) == BERTH_OK))
        flow = walk_nodes(w, n->then, v);
    forget_variables(w, outer);
    json_decref(key);
    return flow == FLOW_CONTINUE ? FLOW_ON : flow;
}

static enum flow walk_range_over(struct walk *w, const struct format_node *n, json_t *over)
{
    enum flow flow = FLOW_ON;
    if (json_is_array(over)) {
        for (size_t i = 0; i < json_array_size(over) && flow == FLOW_ON; i++)
            flow = walk_turn(w, n, json_integer((json_int_t)i), json_array_get(over, i));
    } else if (json_is_integer(over)) {
        for (json_int_t i = 0; i < json_integer_value(over) && flow == FLOW_ON; i++) {
            json_t *v = json_integer(i);
            flow = v ? walk_turn(w, n, json_incref(v), v) : FLOW_FAILED;
            json_decref(v);
        }
    } else {
        const char **names = sorted_keys(over);
        for (size_t i = 0; names && names[i] && flow == FLOW_ON; i++)
            flow = walk_turn(w, n, json_string(names[i]), json_object_get(over, names[i]));
        mem_free((void *)names);
    }
    return flow == FLOW_BREAK ? FLOW_ON : flow;
}

/* Nothing to go over: that is what the variables have, as in Go. */
static enum flow walk_otherwise(struct walk *w, const struct format_node *n, json_t *over, json_t *dot)
{
    size_t outer = w->n_variables;
    enum flow flow = FLOW_ON;
    for (size_t i = 0; i < 2 && n->pipe->variables[i].n && flow == FLOW_ON; i++)
        flow = set_variable(w, n->pipe, i, over) == BERTH_OK ? FLOW_ON : FLOW_FAILED;
    if (flow == FLOW_ON)
        flow = walk_nodes(w, n->otherwise, dot);
    forget_variables(w, outer);
    return flow;
}

static bool has_turns(const json_t *over)
{
    return json_is_integer(over) ? json_integer_value(over) > 0 : format_true(over);
}

static enum flow walk_range(struct walk *w, const struct format_node *n, json_t *dot)
{
    json_t *over = eval_pipe(w, n->pipe, dot);
    enum flow flow = FLOW_FAILED;
    if (!over)
        return FLOW_FAILED;
    if (!json_is_null(over) && !json_is_array(over) && !json_is_object(over) && !json_is_integer(over))
        format_fail(w->err, n->at, "range is over lists and objects, not %s", format_kind(over));
    else
        flow = has_turns(over) ? walk_range_over(w, n, over) : walk_otherwise(w, n, over, dot);
    json_decref(over);
    return flow;
}

static enum flow walk_nodes(struct walk *w, const struct format_node *nodes, json_t *dot)
{
    enum flow flow = FLOW_ON;
    for (const struct format_node *n = nodes; n && flow == FLOW_ON; n = n->next)
        switch (n->kind) {
        case FORMAT_TEXT:
            print_text(w, n->text);
            break;
        case FORMAT_PRINT:
            flow = print_node(w, n, dot);
            break;
        case FORMAT_IF:
        case FORMAT_WITH:
            flow = walk_branch(w, n, dot);
            break;
        case FORMAT_RANGE:
            flow = walk_range(w, n, dot);
            break;
        case FORMAT_BREAK:
            flow = FLOW_BREAK;
            break;
        case FORMAT_CONTINUE:
            flow = FLOW_CONTINUE;
            break;
        }
    return flow;
}

int format_print(const struct format *f, json_t *document, FILE *out, berth_error *err)
{
    berth_error own = BERTH_ERROR_INIT;
    struct walk w = {.out = out, .root = document, .known = f->known, .err = err ? err : &own};
    w.err->code = BERTH_OK;
    enum flow flow = walk_nodes(&w, f->root, document);
    forget_variables(&w, 0);
    mem_free(w.variables);
    if (flow != FLOW_FAILED && w.last && w.last != '\n')
        fputc('\n', out);
    if (flow != FLOW_FAILED)
        return BERTH_OK;
    return w.err->code != BERTH_OK ? w.err->code : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}
