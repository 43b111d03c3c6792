/* cli/format_parse.c - reads a template into a tree; see format.h. */
#include <stdio.h>

#include "cli/format_private.h"

struct parser {
    berth_str text;
    size_t at;
    unsigned depth, ranges; /* blocks and brackets open; range blocks among them */
    bool trim;              /* the last action ended with " -}}" */
    struct format *format;
    berth_error *err;
    berth_str variables[64];
    size_t n_variables;
};

/* What ended a list of nodes. */
enum stop { STOP_TEXT, STOP_END, STOP_ELSE };

/* Where a pipe stands. */
enum place { IN_BRACKETS, IN_ACTION, IN_RANGE };

int format_fail(berth_error *err, size_t at, const char *fmt, ...)
{
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return berth_error_set(err, BERTH_E_INVALID, "position %zu: %s", at + 1, what);
}

static void *new_node(struct parser *p, size_t size)
{
    void *n = berth_arena_alloc(&p->format->arena, size);
    if (!n)
        berth_error_set(p->err, BERTH_E_NOMEM, "out of memory");
    return n;
}

/* --- letters --- */

static char peek(const struct parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static void skip_spaces(struct parser *p)
{
    while (is_space(peek(p)))
        p->at++;
}

static bool starts_here(const struct parser *p, berth_str with)
{
    return str_starts(str_from_offset(p->text, p->at), with);
}

static bool at_close(const struct parser *p)
{
    return starts_here(p, STR("}}")) ||
           (starts_here(p, STR("-}}")) && p->at && is_space(p->text.p[p->at - 1]));
}

static berth_str read_name(struct parser *p)
{
    size_t from = p->at;
    while (is_letter(peek(p)) || is_digit(peek(p)))
        p->at++;
    return str_head(str_from_offset(p->text, from), p->at - from);
}

static int close_action(struct parser *p)
{
    skip_spaces(p);
    if (!at_close(p))
        return p->at < p->text.n ? format_fail(p->err, p->at, "'%c' is not expected here", peek(p))
                                 : format_fail(p->err, p->at, "'}}' is missing");
    p->trim = peek(p) == '-';
    p->at += p->trim ? 3 : 2;
    return BERTH_OK;
}

/* --- constants --- */

/* Go's escapes: \n \t \r \\ \" \' \xHH \uHHHH. */
static int read_escape(struct parser *p, berth_buf *out)
{
    static const char from[] = "ntr\\\"'", to[] = "\n\t\r\\\"'";
    size_t start = p->at++;
    char c = peek(p);
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        p->at++;
        berth_buf_putc(out, to[simple - from]);
        return BERTH_OK;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
    unsigned code = 0;
    if (!digits)
        return format_fail(p->err, start, "no such escape; there are \\n \\t \\r \\\\ \\\" \\xHH \\uHHHH");
    p->at++;
    for (; digits; digits--, p->at++) {
        c = peek(p);
        if (!is_digit(c) && !((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
            return format_fail(p->err, start, "an escape lacks digits");
        code = code * 16 + (unsigned)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (code < 0x80) {
        berth_buf_putc(out, (char)code);
    } else if (code < 0x800) {
        berth_buf_putc(out, (char)(0xc0 | code >> 6));
        berth_buf_putc(out, (char)(0x80 | (code & 0x3f)));
    } else {
        berth_buf_putc(out, (char)(0xe0 | code >> 12));
        berth_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
        berth_buf_putc(out, (char)(0x80 | (code & 0x3f)));
    }
    return BERTH_OK;
}

static int read_string(struct parser *p, json_t **ret)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(p->text.n + 1);
    size_t start = p->at;
    char quote = p->text.p[p->at++];
    while (p->at < p->text.n && peek(p) != quote) {
        if (peek(p) == '\\' && quote == '"') {
            int r = read_escape(p, &out);
            if (r != BERTH_OK)
                return r;
            continue;
        }
        berth_buf_putc(&out, p->text.p[p->at++]);
    }
    if (p->at >= p->text.n)
        return format_fail(p->err, start, "the string does not end");
    p->at++;
    berth_str s = berth_buf_str(&out);
    *ret = json_stringn(s.p, s.n);
    return *ret ? BERTH_OK : format_fail(p->err, start, "the string is not UTF-8");
}

static int read_number(struct parser *p, json_t **ret)
{
    size_t start = p->at;
    char copy[64];
    while (is_digit(peek(p)) || is_letter(peek(p)) || peek(p) == '.' || peek(p) == '-' || peek(p) == '+')
        p->at++;
    berth_str word = str_head(str_from_offset(p->text, start), p->at - start);
    if (word.n >= sizeof(copy))
        return format_fail(p->err, start, "the number is too long");
    memcpy(copy, word.p, word.n);
    copy[word.n] = '\0';
    json_error_t unused;
    *ret = json_loads(copy + (copy[0] == '+'), JSON_DECODE_ANY, &unused);
    if (!json_is_number(*ret)) {
        json_decref(*ret);
        *ret = NULL;
        return format_fail(p->err, start, "'%s' is no number", copy);
    }
    return BERTH_OK;
}

static int set_constant(struct parser *p, struct format_term *t, json_t *value)
{
    t->kind = FORMAT_CONSTANT;
    t->value = value;
    if (!value || json_array_append_new(p->format->constants, value) < 0)
        return berth_error_set(p->err, BERTH_E_NOMEM, "out of memory");
    return BERTH_OK;
}

/* --- terms, commands, pipes --- */

static int read_pipe(struct parser *p, enum place place, const struct format_pipe **ret);

/* ".a.b" behind a term; "." itself has been read. */
static int read_fields(struct parser *p, struct format_term *t)
{
    struct format_field **end = &t->fields;
    while (peek(p) == '.') {
        p->at++;
        struct format_field *f = new_node(p, sizeof(*f));
        if (!f)
            return BERTH_E_NOMEM;
        f->name = read_name(p);
        if (!f->name.n)
            return format_fail(p->err, p->at,
                               "a name is missing behind '.'; a key with other letters needs index");
        *end = f;
        end = &f->next;
        f->before = p->format->fields;
        p->format->fields = f;
    }
    return BERTH_OK;
}

static bool is_known(const struct parser *p, berth_str name)
{
    for (size_t i = p->n_variables; i-- > 0;)
        if (str_eq(p->variables[i], name))
            return true;
    return name.n == 0; /* "$" is the document */
}

static int read_word(struct parser *p, struct format_term *t)
{
    berth_str name = read_name(p);
    if (str_eq(name, STR("true")) || str_eq(name, STR("false")))
        return set_constant(p, t, json_boolean(name.p[0] == 't'));
    if (str_eq(name, STR("nil")))
        return set_constant(p, t, json_null());
    t->kind = FORMAT_FUNCTION;
    t->function = format_function_find(name);
    if (t->function)
        return BERTH_OK;
    const char *nearest = format_function_nearest(name);
    return nearest ? format_fail(p->err, t->at, "no function is called '" STR_FMT "'; did you mean %s?",
                                 STR_ARG(name), nearest)
                   : format_fail(p->err, t->at, "no function is called '" STR_FMT "'; a field is ." STR_FMT,
                                 STR_ARG(name), STR_ARG(name));
}

static int read_term(struct parser *p, struct format_term *t)
{
    char c = peek(p);
    json_t *value = NULL;
    int r;
    if (c == '.') {
        t->kind = FORMAT_DOT;
        if (p->at + 1 < p->text.n && (is_letter(p->text.p[p->at + 1]) || p->text.p[p->at + 1] == '.'))
            return read_fields(p, t);
        p->at++;
        return BERTH_OK;
    }
    if (c == '$') {
        p->at++;
        t->kind = FORMAT_VARIABLE;
        t->name = read_name(p);
        if (!is_known(p, t->name))
            return format_fail(p->err, t->at, "no variable is called '$" STR_FMT "'", STR_ARG(t->name));
        return read_fields(p, t);
    }
    if (c == '"' || c == '`') {
        r = read_string(p, &value);
        return r == BERTH_OK ? set_constant(p, t, value) : r;
    }
    if (is_digit(c) || ((c == '-' || c == '+') && p->at + 1 < p->text.n && is_digit(p->text.p[p->at + 1]))) {
        r = read_number(p, &value);
        return r == BERTH_OK ? set_constant(p, t, value) : r;
    }
    if (c == '(') {
        p->at++;
        t->kind = FORMAT_BRACKET;
        r = read_pipe(p, IN_BRACKETS, &t->bracket);
        return r == BERTH_OK ? read_fields(p, t) : r;
    }
    if (is_letter(c))
        return read_word(p, t);
    return c ? format_fail(p->err, p->at, "'%c' is not expected here", c)
             : format_fail(p->err, p->at, "'}}' is missing");
}

static int check_command(struct parser *p, const struct format_command *c, bool fed)
{
    const struct format_term *first = c->terms;
    size_t n = fed;
    for (const struct format_term *t = first->next; t; t = t->next)
        n++;
    if (first->kind != FORMAT_FUNCTION)
        return n ? format_fail(p->err, first->next ? first->next->at : first->at,
                               "what stands before takes no values")
                 : BERTH_OK;
    const struct format_function *f = first->function;
    if (n < f->least)
        return format_fail(p->err, first->at, "%s needs %zu value%s", f->name, f->least,
                           f->least == 1 ? "" : "s");
    if (f->most && n > f->most)
        return format_fail(p->err, first->at, "%s takes at most %zu value%s", f->name, f->most,
                           f->most == 1 ? "" : "s");
    return BERTH_OK;
}

/* One link of a pipe, up to '|', ')' or the end of the action. */
static int read_command(struct parser *p, bool fed, struct format_command **ret)
{
    struct format_command *c = new_node(p, sizeof(*c));
    struct format_term **end = c ? &c->terms : NULL;
    if (!c)
        return BERTH_E_NOMEM;
    for (skip_spaces(p); peek(p) != '|' && peek(p) != ')' && !at_close(p); skip_spaces(p)) {
        struct format_term *t = new_node(p, sizeof(*t));
        if (!t)
            return BERTH_E_NOMEM;
        t->at = p->at;
        int r = read_term(p, t);
        if (r != BERTH_OK)
            return r;
        *end = t;
        end = &t->next;
    }
    if (!c->terms)
        return format_fail(p->err, p->at, "a value is missing");
    *ret = c;
    return check_command(p, c, fed);
}

/* "$x := " or "$x = ", in range "$i, $x := " too; without one nothing is taken. */
static int read_declaration(struct parser *p, bool in_range, struct format_pipe *pipe)
{
    size_t start = p->at, n = 0;
    bool another = true;
    berth_str names[2];
    while (n < 2 && another && peek(p) == '$') {
        p->at++;
        names[n] = read_name(p);
        if (!names[n++].n)
            break;
        skip_spaces(p);
        another = n == 1 && peek(p) == ',';
        if (another) {
            p->at++;
            skip_spaces(p);
        }
    }
    bool declares = starts_here(p, STR(":=")), assigns = peek(p) == '=';
    if (another || !names[n - 1].n || (!declares && !assigns)) {
        p->at = start;
        return BERTH_OK;
    }
    if (n > 1 && !in_range)
        return format_fail(p->err, start, "two variables are for {{range}} alone");
    p->at += declares ? 2 : 1;
    pipe->assigns = assigns;
    for (size_t i = 0; i < n; i++) {
        pipe->variables[i] = names[i];
        if (assigns && !is_known(p, names[i]))
            return format_fail(p->err, start, "no variable is called '$" STR_FMT "': := makes one",
                               STR_ARG(names[i]));
    }
    return BERTH_OK;
}

static int read_pipe(struct parser *p, enum place place, const struct format_pipe **ret)
{
    struct format_pipe *pipe = new_node(p, sizeof(*pipe));
    struct format_command **end = pipe ? &pipe->commands : NULL;
    size_t start = p->at;
    if (!pipe)
        return BERTH_E_NOMEM;
    if (++p->depth > FORMAT_DEPTH)
        return format_fail(p->err, p->at, "brackets and blocks stand too deep in each other");
    skip_spaces(p);
    int r = place == IN_BRACKETS ? BERTH_OK : read_declaration(p, place == IN_RANGE, pipe);
    for (bool fed = false; r == BERTH_OK; fed = true) {
        r = read_command(p, fed, end);
        if (r != BERTH_OK)
            break;
        end = &(*end)->next;
        if (peek(p) != '|')
            break;
        p->at++;
    }
    p->depth--;
    if (r != BERTH_OK)
        return r;
    if (place == IN_BRACKETS && peek(p) != ')')
        return format_fail(p->err, start - 1, "this bracket is not closed");
    p->at += place == IN_BRACKETS;
    for (size_t i = 0; i < 2 && !pipe->assigns && pipe->variables[i].n; i++) { /* known from here on */
        if (p->n_variables == COUNT(p->variables))
            return format_fail(p->err, start, "too many variables");
        p->variables[p->n_variables++] = pipe->variables[i];
    }
    *ret = pipe;
    return place == IN_BRACKETS ? BERTH_OK : close_action(p);
}

/* --- blocks --- */

static int read_nodes(struct parser *p, const struct format_node **ret, enum stop *ret_stop, size_t *ret_at);

/* The rest of if, with and range: its pipe, its nodes, and what stands behind else. */
static int read_block(struct parser *p, struct format_node *n)
{
    size_t outer = p->n_variables, at;
    enum stop stop = STOP_TEXT;
    int r = read_pipe(p, n->kind == FORMAT_RANGE ? IN_RANGE : IN_ACTION, &n->pipe);
    if (r != BERTH_OK)
        return r;
    if (++p->depth > FORMAT_DEPTH)
        return format_fail(p->err, n->at, "brackets and blocks stand too deep in each other");
    p->ranges += n->kind == FORMAT_RANGE;
    r = read_nodes(p, &n->then, &stop, &at);
    p->ranges -= n->kind == FORMAT_RANGE;
    if (r == BERTH_OK && stop == STOP_ELSE) {
        skip_spaces(p);
        bool again = starts_here(p, STR("if")) || starts_here(p, STR("with"));
        if (again) { /* {{else if x}}: a block of its own, which ends with the whole */
            struct format_node *inner = new_node(p, sizeof(*inner));
            if (!inner)
                return BERTH_E_NOMEM;
            inner->at = p->at;
            inner->kind = str_eq(read_name(p), STR("if")) ? FORMAT_IF : FORMAT_WITH;
            n->otherwise = inner;
            r = read_block(p, inner);
            stop = STOP_END;
        } else {
            r = close_action(p);
            if (r == BERTH_OK)
                r = read_nodes(p, &n->otherwise, &stop, &at);
        }
    }
    p->depth--;
    p->n_variables = outer;
    if (r == BERTH_OK && stop == STOP_ELSE)
        return format_fail(p->err, at, "a second {{else}}");
    if (r == BERTH_OK && stop != STOP_END)
        return format_fail(p->err, n->at, "this block has no {{end}}");
    return r;
}

/* Behind "{{" and its blanks. *@ret_node stays NULL for a comment and for what ends a list. */
static int read_action(struct parser *p, struct format_node **ret_node, enum stop *stop)
{
    static const struct {
        const char *word;
        int kind;
    } blocks[] = {{"if", FORMAT_IF}, {"with", FORMAT_WITH}, {"range", FORMAT_RANGE}};
    size_t start = p->at;
    if (starts_here(p, STR("/*"))) {
        const char *end = memmem(p->text.p + p->at, p->text.n - p->at, "*/", 2);
        if (!end)
            return format_fail(p->err, start, "the comment does not end");
        p->at = (size_t)(end - p->text.p) + 2;
        return close_action(p);
    }
    berth_str word = read_name(p);
    if (str_eq(word, STR("end"))) {
        *stop = STOP_END;
        return close_action(p);
    }
    if (str_eq(word, STR("else"))) {
        *stop = STOP_ELSE;
        return BERTH_OK;
    }
    if (str_eq(word, STR("define")) || str_eq(word, STR("template")) || str_eq(word, STR("block")))
        return format_fail(p->err, start, "templates inside templates are not known here");
    struct format_node *n = new_node(p, sizeof(*n));
    if (!n)
        return BERTH_E_NOMEM;
    n->at = start;
    *ret_node = n;
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (str_eq(word, str_from(blocks[i].word))) {
            n->kind = blocks[i].kind;
            return read_block(p, n);
        }
    if (str_eq(word, STR("break")) || str_eq(word, STR("continue"))) {
        n->kind = word.p[0] == 'b' ? FORMAT_BREAK : FORMAT_CONTINUE;
        return p->ranges ? close_action(p) : format_fail(p->err, start, "this belongs inside {{range}}");
    }
    p->at = start;
    n->kind = FORMAT_PRINT;
    return read_pipe(p, IN_ACTION, &n->pipe);
}

/* Text up to the next action, with \n and \t as docker takes them. */
static int read_text(struct parser *p, struct format_node **ret)
{
    berth_str rest = str_from_offset(p->text, p->at);
    const char *open = rest.n ? memmem(rest.p, rest.n, "{{", 2) : NULL;
    size_t n = open ? (size_t)(open - rest.p) : rest.n;
    berth_str text = str_head(rest, n);
    bool trims = open && n + 3 < rest.n && open[2] == '-' && is_space(open[3]);
    p->at += n;
    while (p->trim && text.n && is_space(text.p[0]))
        text = str_from_offset(text, 1);
    p->trim = false;
    while (trims && text.n && is_space(text.p[text.n - 1]))
        text.n--;
    if (!text.n)
        return BERTH_OK;
    struct format_node *node = new_node(p, sizeof(*node));
    char *copy = node ? new_node(p, text.n) : NULL;
    if (!copy)
        return BERTH_E_NOMEM;
    node->kind = FORMAT_TEXT;
    node->text = (berth_str){copy, 0};
    for (size_t i = 0; i < text.n; i++) {
        char next = text.p[i] == '\\' && i + 1 < text.n ? text.p[i + 1] : '\0';
        bool escape = next == 'n' || next == 't';
        copy[node->text.n++] = escape ? (next == 'n' ? '\n' : '\t') : text.p[i];
        i += escape;
    }
    *ret = node;
    return BERTH_OK;
}

static int read_nodes(struct parser *p, const struct format_node **ret, enum stop *ret_stop, size_t *ret_at)
{
    struct format_node *first = NULL, **end = &first;
    enum stop stop = STOP_TEXT;
    int r = BERTH_OK;
    while (r == BERTH_OK && stop == STOP_TEXT) {
        r = read_text(p, end);
        if (r == BERTH_OK && *end)
            end = &(*end)->next;
        if (r != BERTH_OK || p->at >= p->text.n)
            break;
        *ret_at = p->at;
        p->at += 2;
        if (peek(p) == '-' && p->at + 1 < p->text.n && is_space(p->text.p[p->at + 1]))
            p->at++;
        skip_spaces(p);
        r = read_action(p, end, &stop);
        if (r == BERTH_OK && *end)
            end = &(*end)->next;
    }
    *ret = first;
    *ret_stop = stop;
    return r;
}

void format_free(struct format *f)
{
    if (!f)
        return;
    json_decref(f->constants);
    berth_arena_done(&f->arena);
    mem_free(f);
}

int format_parse(const char *text, struct format **ret_format, berth_error *err)
{
    struct format *f = mem_zalloc(1, sizeof(*f));
    struct parser p = {.text = str_from(text), .format = f, .err = err};
    enum stop stop = STOP_TEXT;
    size_t at = 0;
    if (!f || !(f->constants = json_array())) {
        format_free(f);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    int r = read_nodes(&p, &f->root, &stop, &at);
    if (r == BERTH_OK && stop != STOP_TEXT)
        r = format_fail(p.err, at, "{{%s}} without a block", stop == STOP_END ? "end" : "else");
    if (r != BERTH_OK) {
        format_free(f);
        return r;
    }
    *ret_format = f;
    return BERTH_OK;
}
