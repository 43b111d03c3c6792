/* content/tar.c - the reader; see tar.h. A state machine over blocks of 512 bytes: a header, what belongs to
 * it, padding. Headers that only describe the next one (pax 'x', GNU's 'L' and 'K') are collected under a
 * ceiling and applied to it. */
#include "content/tar.h"

#include "util/fault.h"

#define EXTRA_MAX MIB /* of one describing header; no path needs more */

enum state {
    HEADER,
    DATA,    /* handed on */
    EXTRA,   /* collected */
    SKIP,    /* passed over */
    PADDING, /* up to the next block */
    END,     /* two blocks of zeros have come */
};

struct tar_reader {
    const struct tar_events *events;
    void *arg;
    enum state state;
    unsigned char block[TAR_BLOCK]; /* a header that is coming */
    size_t n_block;
    uint64_t left;  /* of data, extra or skip */
    size_t padding; /* behind it */
    unsigned zeros; /* blocks of them, one after the other */
    char type;      /* of the header that extra belongs to */
    berth_buf extra;

    berth_buf path, link; /* for the next entry; empty: its own */
    bool has_size;
    uint64_t size;
    bool within; /* an entry's data */
};

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int corrupt(berth_error *err, const char *why)
{
    return berth_error_set(err, BERTH_E_CORRUPT, "the tar archive %s", why);
}

int tar_reader_new(const struct tar_events *events, void *arg, struct tar_reader **ret, berth_error *err)
{
    struct tar_reader *t = fault_hit() ? NULL : calloc(1, sizeof(*t));
    if (!t)
        return no_memory(err);
    t->events = events;
    t->arg = arg;
    berth_buf_init(&t->extra, EXTRA_MAX + 1);
    berth_buf_init(&t->path, EXTRA_MAX + 1);
    berth_buf_init(&t->link, EXTRA_MAX + 1);
    *ret = t;
    return BERTH_OK;
}

void tar_reader_free(struct tar_reader *t)
{
    if (!t)
        return;
    berth_buf_done(&t->extra);
    berth_buf_done(&t->path);
    berth_buf_done(&t->link);
    free(t);
}

size_t tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* --- the fields of a header (POSIX.1-2001, pax, "ustar Interchange Format") --- */

enum {
    NAME = 0,
    MODE = 100,
    SIZE = 124,
    MTIME = 136,
    CHECKSUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    PREFIX = 345
};

static berth_str text_field(const unsigned char *block, size_t at, size_t n)
{
    const char *p = (const char *)block + at;
    return (berth_str){p, strnlen(p, n)};
}

/* Octal digits with blanks around them; or, as GNU has it, binary behind a byte with the highest bit. */
static bool number_field(const unsigned char *block, size_t at, size_t n, int64_t *ret)
{
    const unsigned char *p = block + at;
    uint64_t v = 0;
    size_t i = 0;
    if (p[0] & 0x80) {
        bool negative = p[0] & 0x40;
        v = negative ? UINT64_MAX : 0;
        for (i = 0; i < n; i++) {
            uint64_t byte = i ? p[i] : (negative ? p[0] | 0x80u : p[0] & 0x7fu);
            if ((v >> 55) != (negative ? 0x1ff : 0)) /* more than 63 bits */
                return false;
            v = v << 8 | byte;
        }
        *ret = (int64_t)v;
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 60)
            return false;
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return false;
    *ret = (int64_t)v;
    return true;
}

static bool checksum_right(const unsigned char *block)
{
    int64_t want;
    int64_t as_unsigned = 0, as_signed = 0; /* some old programs added signed bytes */
    if (!number_field(block, CHECKSUM, 8, &want))
        return false;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        unsigned char c = i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : block[i];
        as_unsigned += c;
        as_signed += (signed char)c;
    }
    return want == as_unsigned || want == as_signed;
}

static enum tar_type type_of(char flag, berth_str path)
{
    switch (flag) {
    case '\0': /* old archives have folders as files whose name ends in '/' */
    case '0':
    case '7':
        return path.n && path.p[path.n - 1] == '/' ? TAR_FOLDER : TAR_FILE;
    case '1':
        return TAR_HARDLINK;
    case '2':
        return TAR_SYMLINK;
    case '5':
        return TAR_FOLDER;
    default:
        return TAR_OTHER;
    }
}

/* --- headers that describe the next --- */

/* "<length> <key>=<value>\n", the length being that of the whole record. */
static int apply_pax(struct tar_reader *t, berth_error *err)
{
    berth_str rest = berth_buf_str(&t->extra);
    while (rest.n) {
        berth_str digits, record, key, value;
        uint64_t length;
        if (!str_cut(rest, ' ', &digits, &record) || !str_to_u64(digits, &length) || length > rest.n ||
            length < digits.n + 3 || rest.p[length - 1] != '\n')
            return corrupt(err, "has a pax header that is none");
        record = str_head(record, (size_t)length - digits.n - 2);
        if (!str_cut(record, '=', &key, &value))
            return corrupt(err, "has a pax header that is none");
        if (memchr(value.p, '\0', value.n) && (str_eq(key, STR("path")) || str_eq(key, STR("linkpath"))))
            return corrupt(err, "has a name with a NUL in it");
        if (str_eq(key, STR("path"))) {
            berth_buf_reset(&t->path);
            berth_buf_add_str(&t->path, value);
        } else if (str_eq(key, STR("linkpath"))) {
            berth_buf_reset(&t->link);
            berth_buf_add_str(&t->link, value);
        } else if (str_eq(key, STR("size"))) {
            if (!str_to_u64(value, &t->size) || t->size > INT64_MAX)
                return corrupt(err, "has a size that is none");
            t->has_size = true;
        } else if (str_starts(key, STR("GNU.sparse.")))
            return berth_error_set(err, BERTH_E_UNSUPPORTED, "the tar archive has sparse files");
        rest = str_from_offset(rest, (size_t)length);
    }
    return berth_buf_failed(&t->path) || berth_buf_failed(&t->link) ? no_memory(err) : BERTH_OK;
}

static int apply_extra(struct tar_reader *t, berth_error *err)
{
    berth_buf *name = t->type == 'L' ? &t->path : &t->link;
    if (t->type == 'x')
        return apply_pax(t, err);
    berth_str text = berth_buf_str(&t->extra);
    berth_buf_reset(name);
    berth_buf_add(name, text.p, strnlen(text.p, text.n));
    return berth_buf_failed(name) ? no_memory(err) : BERTH_OK;
}

/* --- entries --- */

static int end_entry(struct tar_reader *t, berth_error *err)
{
    t->within = false;
    return t->events->end ? t->events->end(t->arg, err) : BERTH_OK;
}

/* The path and link of this entry, from the headers before it or its own fields. */
static int name_entry(struct tar_reader *t, berth_error *err)
{
    const unsigned char *b = t->block;
    bool ustar = memcmp(b + MAGIC, "ustar\0", 6) == 0; /* GNU's own form uses the prefix otherwise */
    if (t->path.n == 0) {
        berth_str prefix = ustar ? text_field(b, PREFIX, 155) : STR("");
        berth_buf_add_str(&t->path, prefix);
        if (prefix.n)
            berth_buf_putc(&t->path, '/');
        berth_buf_add_str(&t->path, text_field(b, NAME, 100));
    }
    if (t->link.n == 0)
        berth_buf_add_str(&t->link, text_field(b, LINK, 100));
    return berth_buf_failed(&t->path) || berth_buf_failed(&t->link) ? no_memory(err) : BERTH_OK;
}

static int begin_entry(struct tar_reader *t, char flag, uint64_t size, berth_error *err)
{
    struct tar_entry e = {.size = t->has_size ? t->size : size};
    int64_t mode = 0;
    int r = name_entry(t, err);
    if (r != BERTH_OK)
        return r;
    if (!number_field(t->block, MODE, 8, &mode) || !number_field(t->block, MTIME, 12, &e.mtime))
        return corrupt(err, "has a header with a number that is none");
    e.type = type_of(flag, berth_buf_str(&t->path));
    if (e.type != TAR_FILE && e.type != TAR_OTHER) /* links may have the size of what they point at */
        e.size = 0;
    e.mode = (unsigned)mode & 07777;
    e.path = berth_buf_cstr(&t->path);
    e.link = berth_buf_cstr(&t->link);
    if (!e.path || !e.link)
        return no_memory(err);
    r = t->events->entry(t->arg, &e, err);
    berth_buf_reset(&t->path);
    berth_buf_reset(&t->link);
    t->has_size = false;
    t->left = e.size;
    t->padding = tar_padding(e.size);
    t->state = DATA;
    t->within = true;
    return r == BERTH_OK && e.size == 0 ? end_entry(t, err) : r;
}

static bool all_zero(const unsigned char *p)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (p[i])
            return false;
    return true;
}

static int take_header(struct tar_reader *t, berth_error *err)
{
    int64_t size;
    if (all_zero(t->block)) {
        if (++t->zeros == 2)
            t->state = END;
        return BERTH_OK;
    }
    t->zeros = 0;
    if (!checksum_right(t->block))
        return corrupt(err, "has a header with a wrong checksum");
    if (!number_field(t->block, SIZE, 12, &size) || size < 0)
        return corrupt(err, "has a header with a size that is none");
    char flag = (char)t->block[TYPE];
    if (flag != 'x' && flag != 'L' && flag != 'K' && flag != 'g')
        return begin_entry(t, flag, (uint64_t)size, err);
    if (flag != 'g' && (uint64_t)size > EXTRA_MAX)
        return corrupt(err, "has a name that is too long");
    t->state = flag == 'g' ? SKIP : EXTRA; /* what holds for all is nothing that is looked at here */
    t->type = flag;
    t->left = (uint64_t)size;
    t->padding = tar_padding((uint64_t)size);
    berth_buf_reset(&t->extra);
    return BERTH_OK;
}

/* The next bytes of what belongs to a header; how many were taken. */
static int take_body(struct tar_reader *t, const unsigned char *p, size_t n, size_t *ret_n, berth_error *err)
{
    size_t take = (size_t)MIN((uint64_t)n, t->left);
    int r = BERTH_OK;
    if (t->state == DATA && take)
        r = t->events->data(t->arg, p, take, err);
    if (t->state == EXTRA)
        berth_buf_add(&t->extra, p, take);
    t->left -= take;
    *ret_n = take;
    if (r != BERTH_OK || t->left)
        return r;
    if (t->state == EXTRA)
        r = berth_buf_failed(&t->extra) ? no_memory(err) : apply_extra(t, err);
    if (t->state == DATA && t->within)
        r = end_entry(t, err);
    t->state = t->padding ? PADDING : HEADER;
    return r;
}

int tar_reader_write(struct tar_reader *t, const void *p, size_t n, berth_error *err)
{
    const unsigned char *at = p;
    int r = BERTH_OK;
    while (n && r == BERTH_OK && t->state != END) {
        size_t took = 0;
        switch (t->state) {
        case HEADER:
            took = MIN(n, TAR_BLOCK - t->n_block);
            memcpy(t->block + t->n_block, at, took);
            t->n_block = (t->n_block + took) % TAR_BLOCK;
            if (t->n_block == 0)
                r = take_header(t, err);
            break;
        case DATA:
        case EXTRA:
        case SKIP:
            r = take_body(t, at, n, &took, err);
            break;
        case PADDING:
            took = MIN(n, t->padding);
            t->padding -= took;
            if (t->padding == 0)
                t->state = HEADER;
            break;
        case END:
            break;
        }
        at += took;
        n -= took;
    }
    return r;
}

int tar_reader_end(struct tar_reader *t, berth_error *err)
{
    bool complete = t->state == END || (t->state == HEADER && t->n_block == 0) || t->state == PADDING ||
                    (t->state == DATA && t->left == 0);
    return complete ? BERTH_OK : corrupt(err, "ends early");
}
