/* cli/format_functions.c - what templates can call; see format.h. */
#include <ctype.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/format_private.h"

#define TEXT_MAX  (64 * MIB) /* of what a function makes */
#define WIDTH_MAX 10000      /* of a column in printf */

typedef json_t *const *values;

static json_t *fail(berth_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static json_t *fail(berth_error *err, const char *fmt, ...)
{
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    berth_error_set(err, BERTH_E_INVALID, "%s", what);
    return NULL;
}

/* The text of a buffer, which it empties. */
static json_t *take_text(berth_buf *b)
{
    berth_str s = berth_buf_str(b);
    json_t *text = berth_buf_failed(b) ? NULL : json_stringn(s.p, s.n);
    berth_buf_done(b);
    return text;
}

/* Numbers, words and lists as text; the value of a text is itself. */
static json_t *text_of(json_t *v)
{
    berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    if (json_is_string(v))
        return json_incref(v);
    format_value(&b, v);
    return take_text(&b);
}

static berth_str view(const json_t *text)
{
    return (berth_str){json_string_value(text), json_string_length(text)};
}

/* --- logic and comparison --- */

static json_t *call_not(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return json_boolean(!format_true(v[0]));
}

static bool both_numbers(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b);
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return (x > y) - (x < y);
}

static bool same(const json_t *a, const json_t *b)
{
    return both_numbers(a, b) ? compare_numbers(a, b) == 0
                              : json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

/* Go refuses to compare what has different types: most often a number was written in quotes. */
static bool comparable(const json_t *a, const json_t *b)
{
    return both_numbers(a, b) || json_is_null(a) || json_is_null(b) || json_typeof(a) == json_typeof(b) ||
           (json_is_boolean(a) && json_is_boolean(b));
}

static json_t *call_eq(values v, size_t n, berth_error *err)
{
    for (size_t i = 1; i < n; i++) {
        if (!comparable(v[0], v[i]))
            return fail(err, "%s and %s are not compared", format_kind(v[0]), format_kind(v[i]));
        if (same(v[0], v[i]))
            return json_true();
    }
    return json_false();
}

static json_t *call_ne(values v, size_t n, berth_error *err)
{
    json_t *equal = call_eq(v, n, err);
    return equal ? json_boolean(!json_is_true(equal)) : NULL;
}

static bool order(values v, int *ret, berth_error *err)
{
    bool texts = json_is_string(v[0]) && json_is_string(v[1]);
    if (!texts && !both_numbers(v[0], v[1])) {
        fail(err, "numbers are compared, or texts, not %s and %s", format_kind(v[0]), format_kind(v[1]));
        return false;
    }
    *ret = texts ? str_cmp(view(v[0]), view(v[1])) : compare_numbers(v[0], v[1]);
    return true;
}

static json_t *call_lt(values v, size_t n, berth_error *err)
{
    int o;
    (void)n;
    return order(v, &o, err) ? json_boolean(o < 0) : NULL;
}

static json_t *call_le(values v, size_t n, berth_error *err)
{
    int o;
    (void)n;
    return order(v, &o, err) ? json_boolean(o <= 0) : NULL;
}

static json_t *call_gt(values v, size_t n, berth_error *err)
{
    int o;
    (void)n;
    return order(v, &o, err) ? json_boolean(o > 0) : NULL;
}

static json_t *call_ge(values v, size_t n, berth_error *err)
{
    int o;
    (void)n;
    return order(v, &o, err) ? json_boolean(o >= 0) : NULL;
}

static json_t *call_default(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return json_incref(format_true(v[1]) ? v[1] : v[0]);
}

/* --- parts --- */

static json_t *call_len(values v, size_t n, berth_error *err)
{
    (void)n;
    if (json_is_array(v[0]))
        return json_integer((json_int_t)json_array_size(v[0]));
    if (json_is_object(v[0]))
        return json_integer((json_int_t)json_object_size(v[0]));
    if (json_is_string(v[0]))
        return json_integer((json_int_t)json_string_length(v[0]));
    return json_is_null(v[0]) ? json_integer(0) : fail(err, "%s has no length", format_kind(v[0]));
}

static json_t *call_index(values v, size_t n, berth_error *err)
{
    json_t *at = v[0];
    for (size_t i = 1; i < n && !json_is_null(at); i++) {
        if (json_is_array(at) && json_is_integer(v[i])) {
            json_int_t k = json_integer_value(v[i]);
            if (k < 0 || (size_t)k >= json_array_size(at))
                return fail(err, "%lld is beyond a list of %zu", (long long)k, json_array_size(at));
            at = json_array_get(at, (size_t)k);
        } else if (json_is_object(at) && json_is_string(v[i])) {
            at = json_object_getn(at, json_string_value(v[i]), json_string_length(v[i]));
            at = at ? at : json_null();
        } else {
            return fail(err, "%s is no index of %s", format_kind(v[i]), format_kind(at));
        }
    }
    return json_incref(at);
}

static bool cut_at(const json_t *v, size_t n, size_t *ret, berth_error *err)
{
    json_int_t k = json_integer_value(v);
    if (!json_is_integer(v) || k < 0 || (size_t)k > n) {
        fail(err, "a place from 0 to %zu is needed", n);
        return false;
    }
    *ret = (size_t)k;
    return true;
}

static json_t *call_slice(values v, size_t n, berth_error *err)
{
    bool list = json_is_array(v[0]);
    if (!list && !json_is_string(v[0]))
        return fail(err, "lists and texts are cut, not %s", format_kind(v[0]));
    size_t from = 0, to = list ? json_array_size(v[0]) : json_string_length(v[0]), all = to;
    if ((n > 1 && !cut_at(v[1], all, &from, err)) || (n > 2 && !cut_at(v[2], all, &to, err)))
        return NULL;
    if (from > to)
        return fail(err, "it ends before it begins");
    if (!list) {
        json_t *part = json_stringn(json_string_value(v[0]) + from, to - from);
        return part ? part : fail(err, "the cut goes through a letter");
    }
    json_t *part = json_array();
    for (size_t i = from; i < to; i++)
        if (json_array_append(part, json_array_get(v[0], i)) < 0) {
            json_decref(part);
            return NULL;
        }
    return part;
}

/* --- printing --- */

static json_t *print_values(values v, size_t n, bool line)
{
    berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i && (line || (!json_is_string(v[i - 1]) && !json_is_string(v[i])))) /* as fmt.Print parts them */
            berth_buf_putc(&b, ' ');
        format_value(&b, v[i]);
    }
    if (line)
        berth_buf_putc(&b, '\n');
    return take_text(&b);
}

static json_t *call_print(values v, size_t n, berth_error *err)
{
    (void)err;
    return print_values(v, n, false);
}

static json_t *call_println(values v, size_t n, berth_error *err)
{
    (void)err;
    return print_values(v, n, true);
}

static json_t *dump(const json_t *v, size_t flags)
{
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    bool printed = json_dump_callback(v, berth_buf_write, &b, flags | JSON_ENCODE_ANY) == 0;
    return printed ? take_text(&b) : NULL;
}

static json_t *call_json(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return dump(v[0], JSON_COMPACT);
}

static json_t *call_json_pretty(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return dump(v[0], JSON_INDENT(2));
}

/* "%-10s": what stands between '%' and the letter. */
struct verb {
    bool left, zero, sign, alternate;
    size_t width, precision;
    bool has_precision;
    char letter;
};

static bool read_count(berth_str *rest, size_t *ret)
{
    for (*ret = 0; rest->n && isdigit((unsigned char)rest->p[0]) && *ret <= WIDTH_MAX;
         *rest = str_from_offset(*rest, 1))
        *ret = *ret * 10 + (size_t)(rest->p[0] - '0');
    return *ret <= WIDTH_MAX;
}

static bool read_verb(berth_str *rest, struct verb *ret)
{
    static const char flags[] = "-0+# ";
    for (const char *f; rest->n && (f = strchr(flags, rest->p[0])) && *f; *rest = str_from_offset(*rest, 1)) {
        ret->left |= *f == '-';
        ret->zero |= *f == '0';
        ret->sign |= *f == '+';
        ret->alternate |= *f == '#';
    }
    if (!read_count(rest, &ret->width))
        return false;
    if (rest->n && rest->p[0] == '.') {
        *rest = str_from_offset(*rest, 1);
        ret->has_precision = true;
        if (!read_count(rest, &ret->precision))
            return false;
    }
    if (!rest->n)
        return false;
    ret->letter = rest->p[0];
    *rest = str_from_offset(*rest, 1);
    return true;
}

/* Width counts letters, not bytes. */
static size_t letters(berth_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* The first @n letters. */
static berth_str first_letters(berth_str s, size_t n)
{
    size_t i = 0;
    for (; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n-- == 0)
            break;
    return str_head(s, i);
}

static void add_padded(berth_buf *out, const struct verb *verb, berth_str s)
{
    size_t n = letters(s), fill = verb->width > n ? verb->width - n : 0;
    bool zero = verb->zero && !verb->left;
    if (zero && fill && s.n && (s.p[0] == '-' || s.p[0] == '+')) { /* the sign comes before the zeros */
        berth_buf_putc(out, s.p[0]);
        s = str_from_offset(s, 1);
    }
    for (; !verb->left && fill; fill--)
        berth_buf_putc(out, zero ? '0' : ' ');
    berth_buf_add_str(out, s);
    for (; fill; fill--)
        berth_buf_putc(out, ' ');
}

static bool print_number(berth_buf *made, const struct verb *verb, const json_t *v)
{
    long long i = json_integer_value(v);
    double d = json_number_value(v);
    int precision = verb->has_precision ? (int)verb->precision : verb->letter == 'g' ? -1 : 6;
    bool negative = json_is_integer(v) ? i < 0 : d < 0;
    if (verb->sign && !negative)
        berth_buf_putc(made, '+');
    switch (verb->letter) {
    case 'd':
        berth_buf_add_int(made, i);
        return json_is_integer(v);
    case 'x':
        berth_buf_addf(made, verb->alternate ? "%#llx" : "%llx", (unsigned long long)i);
        return json_is_integer(v);
    case 'f':
        berth_buf_addf(made, "%.*f", precision, d);
        return true;
    case 'e':
        berth_buf_addf(made, "%.*e", precision, d);
        return true;
    case 'g':
        berth_buf_addf(made, "%.*g", precision < 0 ? 6 : precision, d);
        return true;
    default:
        return false;
    }
}

static bool print_verb(berth_buf *out, const struct verb *verb, json_t *v)
{
    CLEANUP(berth_buf_done) berth_buf made = BERTH_BUF_INIT(TEXT_MAX);
    bool fits = true;
    if (verb->letter == 'q' && json_is_string(v)) {
        if (json_dump_callback(v, berth_buf_write, &made, JSON_ENCODE_ANY) != 0)
            berth_buf_reset(&made);
    } else if (verb->letter == 't') {
        fits = json_is_boolean(v);
        format_value(&made, v);
    } else if (strchr("dxfeg", verb->letter)) {
        fits = json_is_number(v) && print_number(&made, verb, v);
    } else {
        fits = verb->letter == 'v' || (verb->letter == 's' && json_is_string(v));
        format_value(&made, v);
    }
    berth_str s = berth_buf_str(&made);
    if (verb->has_precision && (verb->letter == 's' || verb->letter == 'v') && json_is_string(v))
        s = first_letters(s, verb->precision);
    add_padded(out, verb, s);
    return fits;
}

static json_t *call_printf(values v, size_t n, berth_error *err)
{
    berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    size_t used = 1;
    if (!json_is_string(v[0]))
        return fail(err, "the first value is its text, not %s", format_kind(v[0]));
    for (berth_str rest = view(v[0]); rest.n;) {
        struct verb verb = {0};
        char c = rest.p[0];
        rest = str_from_offset(rest, 1);
        if (c != '%') {
            berth_buf_putc(&b, c);
            continue;
        }
        bool read = read_verb(&rest, &verb);
        if (read && verb.letter == '%') {
            berth_buf_putc(&b, '%');
            continue;
        }
        if (!read || used >= n || !print_verb(&b, &verb, v[used])) {
            berth_buf_done(&b);
            return !read ? fail(err, "a '%%' is not complete")
                   : used >= n
                       ? fail(err, "%%%c has no value", verb.letter)
                       : fail(err, "%%%c does not print %s; there are %%v %%s %%q %%d %%x %%t %%f %%e %%g",
                              verb.letter, format_kind(v[used]));
        }
        used++;
    }
    if (used == n)
        return take_text(&b);
    berth_buf_done(&b);
    return fail(err, "%zu value%s too many", n - used, n - used == 1 ? "" : "s");
}

/* --- texts --- */

static json_t *change_case(json_t *v, int (*to)(int c))
{
    berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    format_value(&b, v);
    for (size_t i = 0; i < b.n; i++)
        if ((unsigned char)b.p[i] < 0x80)
            b.p[i] = (char)to((unsigned char)b.p[i]);
    return take_text(&b);
}

static json_t *call_lower(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return change_case(v[0], tolower);
}

static json_t *call_upper(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    return change_case(v[0], toupper);
}

static json_t *call_join(values v, size_t n, berth_error *err)
{
    (void)n;
    bool list_first = !json_is_string(v[0]); /* docker's order; sprig has the other one, for pipes */
    const json_t *list = v[!list_first], *by = v[list_first];
    if (json_is_null(list))
        return json_string("");
    if (!json_is_array(list) || !json_is_string(by))
        return fail(err, "a list and a text are needed, not %s and %s", format_kind(v[0]), format_kind(v[1]));
    berth_buf b = BERTH_BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i)
            berth_buf_add_str(&b, view(by));
        format_value(&b, json_array_get(list, i));
    }
    return take_text(&b);
}

static json_t *call_split(values v, size_t n, berth_error *err)
{
    (void)n;
    if (!json_is_string(v[0]) || !json_is_string(v[1]) || !json_string_length(v[1]))
        return fail(err, "a text is needed, and what parts it");
    berth_str rest = view(v[0]), by = view(v[1]);
    json_t *list = json_array();
    for (bool more = true; more && list;) {
        const char *at = rest.n ? memmem(rest.p, rest.n, by.p, by.n) : NULL;
        more = at;
        size_t end = at ? (size_t)(at - rest.p) : rest.n;
        json_t *part = json_stringn(rest.n ? rest.p : "", end);
        if (!part || json_array_append_new(list, part) < 0) {
            json_decref(list);
            return NULL;
        }
        rest = str_from_offset(rest, end + by.n);
    }
    return list;
}

static json_t *call_truncate(values v, size_t n, berth_error *err)
{
    (void)n;
    if (!json_is_string(v[0]) || !json_is_integer(v[1]) || json_integer_value(v[1]) < 0)
        return fail(err, "a text and a number are needed");
    berth_str s = first_letters(view(v[0]), (size_t)json_integer_value(v[1]));
    return json_stringn(s.p, s.n);
}

static json_t *call_trim(values v, size_t n, berth_error *err)
{
    (void)n, (void)err;
    json_t *text = text_of(v[0]);
    if (!text)
        return NULL;
    berth_str s = view(text);
    while (s.n && isspace((unsigned char)s.p[0]))
        s = str_from_offset(s, 1);
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    json_t *trimmed = json_stringn(s.n ? s.p : "", s.n);
    json_decref(text);
    return trimmed;
}

static json_t *call_has_prefix(values v, size_t n, berth_error *err)
{
    (void)n;
    return json_is_string(v[0]) && json_is_string(v[1]) ? json_boolean(str_starts(view(v[0]), view(v[1])))
                                                        : fail(err, "two texts are needed");
}

static json_t *call_contains(values v, size_t n, berth_error *err)
{
    (void)n;
    if (!json_is_string(v[0]) || !json_is_string(v[1]))
        return fail(err, "two texts are needed");
    return json_boolean(memmem(json_string_value(v[0]), json_string_length(v[0]), json_string_value(v[1]),
                               json_string_length(v[1])));
}

/* --- the table --- */

const struct format_function format_and = {"and", 1, 0, NULL}, format_or = {"or", 1, 0, NULL};

static const struct format_function functions[] = {
    {"not", 1, 1, call_not},
    {"eq", 2, 0, call_eq},
    {"ne", 2, 2, call_ne},
    {"lt", 2, 2, call_lt},
    {"le", 2, 2, call_le},
    {"gt", 2, 2, call_gt},
    {"ge", 2, 2, call_ge},
    {"default", 2, 2, call_default},
    {"len", 1, 1, call_len},
    {"index", 1, 0, call_index},
    {"slice", 1, 3, call_slice},
    {"print", 0, 0, call_print},
    {"println", 0, 0, call_println},
    {"printf", 1, 0, call_printf},
    {"json", 1, 1, call_json},
    {"toJson", 1, 1, call_json},
    {"jsonPretty", 1, 1, call_json_pretty},
    {"toPrettyJson", 1, 1, call_json_pretty},
    {"lower", 1, 1, call_lower},
    {"upper", 1, 1, call_upper},
    {"join", 2, 2, call_join},
    {"split", 2, 2, call_split},
    {"truncate", 2, 2, call_truncate},
    {"trim", 1, 1, call_trim},
    {"hasPrefix", 2, 2, call_has_prefix},
    {"contains", 2, 2, call_contains},
};

const struct format_function *format_function_find(berth_str name)
{
    if (str_eq(name, str_from(format_and.name)))
        return &format_and;
    if (str_eq(name, str_from(format_or.name)))
        return &format_or;
    for (size_t i = 0; i < COUNT(functions); i++)
        if (str_eq(name, str_from(functions[i].name)))
            return &functions[i];
    return NULL;
}

const char *format_function_nearest(berth_str name)
{
    const char *names[COUNT(functions)];
    for (size_t i = 0; i < COUNT(functions); i++)
        names[i] = functions[i].name;
    CLEANUP(freep) char *word = str_dup(name);
    return word ? cli_nearest(word, names, COUNT(names)) : NULL;
}
