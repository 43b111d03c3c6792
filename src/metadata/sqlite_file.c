/* metadata/sqlite_file.c - see sqlite_file.h. */
#include "metadata/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "oci/digest.h"
#include "util/fault.h"
#include "util/io.h"

#define PAGE_SIZE_DEFAULT 4096 /* SQLite's own; berth never asks for another */
#define DEPTH_MAX         20   /* as SQLite's */
#define ROW_MAX           (256 * MIB)

enum { INDEX_INNER = 2, TABLE_INNER = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };

/* --- bytes and bits --- */

static uint32_t get16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* The bytes that it takes; 0: it is cut off. */
static size_t get_varint(const unsigned char *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        if (i == 8) {
            *ret = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7f);
        if (!(p[i] & 0x80)) {
            *ret = v;
            return i + 1;
        }
    }
    return 0;
}

static bool bit_get(const unsigned char *bits, uint32_t page)
{
    return bits[page / 8] & 1U << page % 8;
}

static void bit_set(unsigned char *bits, uint32_t page)
{
    bits[page / 8] |= (unsigned char)(1U << page % 8);
}

/* --- the file --- */

static unsigned char *new_bits(const struct db_file *f)
{
    return fault_hit() ? NULL : mem_zalloc(1, (size_t)f->pages / 8 + 1);
}

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "reading a damaged database: no memory");
}

static void read_header(struct db_file *f, const unsigned char *p)
{
    uint32_t size = get16(p + 16) == 1 ? 65536 : get16(p + 16);
    f->sound = memcmp(p, "SQLite format 3", 16) == 0 && size >= 512 && (size & (size - 1)) == 0 &&
               p[20] < 32 && size - p[20] >= 480;
    f->page_size = f->sound ? size : PAGE_SIZE_DEFAULT;
    f->usable = f->page_size - (f->sound ? p[20] : 0);
}

int file_open(const char *path, struct db_file *ret, berth_error *err)
{
    unsigned char header[100] = {0};
    struct stat st;
    size_t n;
    struct db_file f = {.fd = fault_io() ? -1 : open(path, O_RDONLY | O_CLOEXEC),
                        .payload = BERTH_BUF_INIT(ROW_MAX)};
    if (f.fd < 0 || fault_io() || fstat(f.fd, &st) < 0) {
        closep(&f.fd);
        return berth_error_set(err, errno == ENOENT ? BERTH_E_NOT_FOUND : BERTH_E_IO, "opening '%s': %s",
                               path, strerror(errno));
    }
    int r = io_pread(f.fd, header, sizeof(header), 0, &n, err);
    if (r == BERTH_OK) {
        read_header(&f, header);
        f.pages = (uint32_t)MIN((uint64_t)st.st_size / f.page_size, (uint64_t)UINT32_MAX - 1);
        f.reached = new_bits(&f);
        f.seen = new_bits(&f);
        if (!f.reached || !f.seen)
            r = no_memory(err);
    }
    if (r != BERTH_OK) {
        file_done(&f);
        return r;
    }
    *ret = f;
    return BERTH_OK;
}

void file_done(struct db_file *f)
{
    closep(&f->fd);
    mem_free(f->reached);
    mem_free(f->seen);
    mem_free(f->referred);
    berth_buf_done(&f->payload);
    *f = (struct db_file){.fd = -1};
}

/* --- pages --- */

struct page {
    unsigned char *p; /* page_size bytes */
    uint32_t number;
    uint32_t start; /* of the tree's header: 100 on page 1 */
    uint32_t cells, cell_array;
    bool leaf, rowids;
};

/* As io_pread(). What the disk could not read it is asked for once more: after that it counts as lost. */
static int read_at(const struct db_file *f, void *p, size_t n, uint64_t at, size_t *ret_n, berth_error *err)
{
    int r = io_pread(f->fd, p, n, at, ret_n, err);
    return r != BERTH_OK && errno == EIO ? io_pread(f->fd, p, n, at, ret_n, err) : r;
}

/* 1: it is a page of a tree. A sector that the disk can't read is no page; any other trouble with reading,
 * and lack of memory, ends the salvage. */
static int page_load(struct db_file *f, uint32_t number, struct page *ret, berth_error *err)
{
    CLEANUP(freep) unsigned char *p = fault_hit() ? NULL : mem_alloc(f->page_size);
    if (!p)
        return no_memory(err);
    size_t n = 0;
    berth_error why = BERTH_ERROR_INIT;
    if (number == 0 || number > f->pages)
        return 0;
    int r = read_at(f, p, f->page_size, (uint64_t)(number - 1) * f->page_size, &n, &why);
    if (r != BERTH_OK && errno != EIO)
        return berth_error_set(err, r, "%s", why.message);
    if (r != BERTH_OK || n < f->page_size)
        return 0;
    struct page page = {.number = number, .start = number == 1 ? 100 : 0};
    const unsigned char *head = p + page.start;
    page.leaf = head[0] == INDEX_LEAF || head[0] == TABLE_LEAF;
    page.rowids = head[0] == TABLE_INNER || head[0] == TABLE_LEAF;
    if (!page.leaf && head[0] != INDEX_INNER && head[0] != TABLE_INNER)
        return 0;
    page.cells = get16(head + 3);
    page.cell_array = page.start + (page.leaf ? 8 : 12);
    if (page.cell_array + 2 * page.cells > f->usable)
        return 0;
    page.p = steal(&p);
    *ret = page;
    return 1;
}

static void page_free(struct page *page)
{
    mem_free(page->p);
}

/* Where cell @i begins; 0: nowhere. */
static uint32_t cell_at(const struct db_file *f, const struct page *page, uint32_t i)
{
    uint32_t at = get16(page->p + page->cell_array + 2 * i);
    return at >= page->cell_array + 2 * page->cells && at + 4 <= f->usable ? at : 0;
}

/* --- rows --- */

/* How much of @n bytes stands in the cell itself. */
static uint64_t local_size(const struct db_file *f, bool table, uint64_t n)
{
    uint64_t max = table ? f->usable - 35 : (f->usable - 12) * 64 / 255 - 23;
    uint64_t min = (f->usable - 12) * 32 / 255 - 23;
    if (n <= max)
        return n;
    uint64_t local = min + (n - min) % (f->usable - 4);
    return local <= max ? local : min;
}

/* The rest of a row: a chain of pages, each of which is met once in a walk. 1, or 0: it can't be read. */
static int read_chain(struct db_file *f, uint32_t next, uint64_t n, berth_error *err)
{
    while (n > 0) {
        unsigned char link[4];
        size_t got = 0, piece = (size_t)MIN(n, (uint64_t)f->usable - 4);
        if (next == 0 || next > f->pages || bit_get(f->seen, next))
            return 0;
        bit_set(f->seen, next);
        bit_set(f->reached, next);
        uint64_t at = (uint64_t)(next - 1) * f->page_size;
        char *to = berth_buf_reserve(&f->payload, piece);
        if (!to)
            return no_memory(err);
        if (read_at(f, link, sizeof(link), at, &got, NULL) != BERTH_OK || got < sizeof(link) ||
            read_at(f, to, piece, at + 4, &got, NULL) != BERTH_OK || got < piece)
            return errno == EIO || got < piece
                       ? 0
                       : berth_error_set(err, BERTH_E_IO, "reading a damaged database: %s", strerror(errno));
        berth_buf_grow(&f->payload, piece);
        next = get32(link);
        n -= piece;
    }
    return 1;
}

static bool read_value(uint64_t type, const unsigned char *p, size_t n, struct file_value *ret,
                       size_t *ret_size)
{
    static const unsigned char sizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    uint64_t size = type < COUNT(sizes) ? sizes[type] : (type - 12) / 2;
    if (type == 10 || type == 11 || size > n)
        return false;
    *ret_size = (size_t)size;
    *ret = (struct file_value){.type = type == 0 ? 'n' : type == 7 ? 'r' : 'i', .i = type == 9};
    if (type >= 12)
        *ret = (struct file_value){.type = type % 2 ? 't' : 'b', .s = {(const char *)p, (size_t)size}};
    else if (type <= 6 && size) {
        uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = 0; i < size; i++)
            v = v << 8 | p[i];
        ret->i = (int64_t)v;
    }
    return true;
}

static bool read_record(berth_str record, struct file_row *row)
{
    const unsigned char *p = (const unsigned char *)record.p;
    uint64_t head, type;
    size_t at = get_varint(p, record.n, &head), size = 0;
    if (!at || head > record.n)
        return false;
    for (size_t body = (size_t)head; at < head; body += size) {
        size_t n = get_varint(p + at, (size_t)head - at, &type);
        if (!n || row->n == FILE_COLUMNS_MAX ||
            !read_value(type, p + body, record.n - body, &row->v[row->n++], &size))
            return false;
        at += n;
    }
    return true;
}

static bool value_fits(const struct file_value *v, char want)
{
    if (v->type == 'n')
        return want >= 'A' && want <= 'Z';
    switch (want | 0x20) {
    case 'i':
    case 'b':
        return v->type == (want | 0x20);
    case 'd':
        return v->type == 't' && digest_well_formed(v->s);
    case 'k':
        return v->type == 't' && v->s.n == IO_KEY_SIZE - 1 && !memchr(v->s.p, ':', v->s.n);
    default:
        return v->type == 't';
    }
}

static bool row_fits(const struct file_row *row, const char *columns)
{
    if (!columns)
        return true;
    if (row->n != strlen(columns))
        return false;
    for (size_t i = 0; i < row->n; i++)
        if (!value_fits(&row->v[i], columns[i]))
            return false;
    return true;
}

/* The row in cell @i, which may have a page below it. 1, or 0: it can't be read. */
static int read_row(struct db_file *f, const struct page *page, uint32_t i, struct file_row *row,
                    berth_error *err)
{
    uint64_t n, rowid = 0;
    uint32_t at = cell_at(f, page, i);
    if (!at)
        return 0;
    at += page->leaf ? 0 : 4;
    size_t size = get_varint(page->p + at, f->usable - at, &n);
    at += (uint32_t)size;
    if (page->rowids && size) {
        size = get_varint(page->p + at, f->usable - at, &rowid);
        at += (uint32_t)size;
    }
    if (!size || n > ROW_MAX || n > (uint64_t)f->pages * f->usable)
        return 0;
    uint64_t local = local_size(f, page->rowids, n);
    if (at + local + (local < n ? 4 : 0) > f->usable)
        return 0;
    berth_buf_reset(&f->payload);
    berth_buf_add(&f->payload, page->p + at, (size_t)local);
    if (berth_buf_failed(&f->payload))
        return no_memory(err);
    int r = local < n ? read_chain(f, get32(page->p + at + local), n - local, err) : 1;
    *row = (struct file_row){.rowid = (int64_t)rowid};
    return r <= 0 ? r : read_record(berth_buf_str(&f->payload), row);
}

/* --- trees --- */

struct walk {
    struct db_file *f;
    const struct file_shape *shape;
    file_row_fn *fn;
    void *arg;
    uint64_t bad;
};

static int walk_rows(struct walk *w, const struct page *page, berth_error *err)
{
    if (page->rowids && !page->leaf)
        return BERTH_OK;
    for (uint32_t i = 0; i < page->cells; i++) {
        struct file_row row;
        int r = read_row(w->f, page, i, &row, err);
        if (r < 0)
            return r;
        if (r == 0 || !row_fits(&row, w->shape->columns)) {
            w->bad++;
            continue;
        }
        r = w->fn ? w->fn(w->arg, &row, err) : BERTH_OK;
        if (r != BERTH_OK)
            return r;
    }
    return BERTH_OK;
}

/* The page below cell @i; the last is in the header. */
static uint32_t child_at(const struct db_file *f, const struct page *page, uint32_t i)
{
    uint32_t at = i < page->cells ? cell_at(f, page, i) : page->start + 8;
    return at ? get32(page->p + at) : 0;
}

static int walk_page(struct walk *w, uint32_t number, unsigned depth, berth_error *err)
{
    CLEANUP(page_free) struct page page = {0};
    int r = depth < DEPTH_MAX && number && number <= w->f->pages && !bit_get(w->f->seen, number)
                ? page_load(w->f, number, &page, err)
                : 0;
    if (r < 0)
        return r;
    if (r == 0 || page.rowids != w->shape->rowids) {
        w->bad++;
        return BERTH_OK;
    }
    bit_set(w->f->seen, number);
    bit_set(w->f->reached, number);
    r = walk_rows(w, &page, err);
    for (uint32_t i = 0; r == BERTH_OK && !page.leaf && i <= page.cells; i++)
        r = walk_page(w, child_at(w->f, &page, i), depth + 1, err);
    return r;
}

static void walk_begin(struct db_file *f)
{
    memset(f->seen, 0, (size_t)f->pages / 8 + 1);
}

int file_walk(struct db_file *f, uint32_t root, const struct file_shape *shape, file_row_fn *fn, void *arg,
              uint64_t *ret_bad, berth_error *err)
{
    struct walk w = {f, shape, fn, arg, 0};
    walk_begin(f);
    int r = walk_page(&w, root, 0, err);
    *ret_bad += w.bad;
    return r;
}

int file_loose(struct db_file *f, const struct file_shape *shape, file_row_fn *fn, void *arg,
               berth_error *err)
{
    struct walk w = {f, shape, fn, arg, 0};
    walk_begin(f);
    for (uint32_t number = 1; number <= f->pages; number++) {
        CLEANUP(page_free) struct page page = {0};
        int r = bit_get(f->reached, number) ? 0 : page_load(f, number, &page, err);
        if (r > 0 && page.rowids == shape->rowids)
            r = walk_rows(&w, &page, err);
        if (r < 0)
            return r;
    }
    return BERTH_OK;
}

/* --- roots --- */

static int mark_referred(struct db_file *f, berth_error *err)
{
    f->referred = new_bits(f);
    if (!f->referred)
        return no_memory(err);
    for (uint32_t number = 1; number <= f->pages; number++) {
        CLEANUP(page_free) struct page page = {0};
        int r = page_load(f, number, &page, err);
        if (r < 0)
            return r;
        for (uint32_t i = 0; r > 0 && !page.leaf && i <= page.cells; i++) {
            uint32_t child = child_at(f, &page, i);
            if (child && child <= f->pages)
                bit_set(f->referred, child);
        }
    }
    return BERTH_OK;
}

/* 1: the first row at or below the page is of @shape. */
static int first_row_fits(struct db_file *f, uint32_t number, const struct file_shape *shape,
                          berth_error *err)
{
    walk_begin(f);
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        CLEANUP(page_free) struct page page = {0};
        struct file_row row;
        int r = page_load(f, number, &page, err);
        if (r <= 0 || page.rowids != shape->rowids || !page.cells)
            return MIN(r, 0);
        if (page.leaf || !page.rowids) {
            r = read_row(f, &page, 0, &row, err);
            return r > 0 ? row_fits(&row, shape->columns) : r;
        }
        number = child_at(f, &page, 0);
    }
    return 0;
}

int file_find_root(struct db_file *f, const struct file_shape *shape, uint32_t *ret, berth_error *err)
{
    *ret = 0;
    int r = f->referred ? BERTH_OK : mark_referred(f, err);
    CLEANUP(freep) unsigned char *reached = r == BERTH_OK ? new_bits(f) : NULL;
    if (!reached)
        return r == BERTH_OK ? no_memory(err) : r;
    memcpy(reached, f->reached, (size_t)f->pages / 8 + 1); /* looking at a page must not reach its rows */
    for (uint32_t number = 2; r == BERTH_OK && number <= f->pages; number++) {
        if (bit_get(reached, number) || bit_get(f->referred, number))
            continue;
        r = first_row_fits(f, number, shape, err);
        if (r > 0) {
            *ret = number;
            break;
        }
    }
    memcpy(f->reached, reached, (size_t)f->pages / 8 + 1);
    return MIN(r, BERTH_OK);
}

/* A trunk: the next one, how many pages it names, those. */
int file_mark_free(struct db_file *f, berth_error *err)
{
    unsigned char head[8];
    CLEANUP(freep) unsigned char *p = fault_hit() ? NULL : mem_alloc(f->page_size);
    size_t n = 0;
    if (!p)
        return no_memory(err);
    if (!f->sound || read_at(f, head, sizeof(head), 32, &n, NULL) != BERTH_OK || n < sizeof(head))
        return BERTH_OK;
    for (uint32_t trunk = get32(head); trunk && trunk <= f->pages && !bit_get(f->reached, trunk);) {
        bit_set(f->reached, trunk);
        if (read_at(f, p, f->page_size, (uint64_t)(trunk - 1) * f->page_size, &n, NULL) != BERTH_OK ||
            n < f->page_size || get32(p + 4) > f->usable / 4 - 2)
            return BERTH_OK;
        for (uint32_t i = 0; i < get32(p + 4); i++) {
            uint32_t leaf = get32(p + 8 + 4 * i);
            if (leaf && leaf <= f->pages)
                bit_set(f->reached, leaf);
        }
        trunk = get32(p);
    }
    return BERTH_OK;
}

/* --- the log --- */

#define LOG_HEADER   32
#define FRAME_HEADER 24

struct db_log {
    int fd;
    bool big_endian; /* how the sums were made */
    uint32_t page_size, sum[2];
    unsigned char salt[8];
    unsigned char *frame;
};

static void log_done(struct db_log *l)
{
    closep(&l->fd);
    mem_free(l->frame);
}

static void add_sum(struct db_log *l, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint32_t a = get32(p + i), b = get32(p + i + 4);
        l->sum[0] += (l->big_endian ? a : __builtin_bswap32(a)) + l->sum[1];
        l->sum[1] += (l->big_endian ? b : __builtin_bswap32(b)) + l->sum[0];
    }
}

/* 1: there is a log; 0: none, or nothing in it counts. */
static int log_open(const char *path, struct db_log *l, berth_error *err)
{
    unsigned char head[LOG_HEADER];
    size_t n = 0;
    l->fd = fault_io() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0)
        return errno == ENOENT ? 0
                               : berth_error_set(err, BERTH_E_IO, "opening '%s': %s", path, strerror(errno));
    int r = io_pread(l->fd, head, sizeof(head), 0, &n, err);
    if (r != BERTH_OK)
        return r;
    l->page_size = n == sizeof(head) ? get32(head + 8) : 0;
    if ((get32(head) & ~1U) != 0x377f0682 || l->page_size < 512 || l->page_size > 65536 ||
        (l->page_size & (l->page_size - 1)))
        return 0;
    l->big_endian = get32(head) & 1;
    memcpy(l->salt, head + 16, sizeof(l->salt));
    add_sum(l, head, 24);
    if (l->sum[0] != get32(head + 24) || l->sum[1] != get32(head + 28))
        return 0;
    l->frame = fault_hit() ? NULL : mem_alloc(FRAME_HEADER + l->page_size);
    return l->frame ? 1 : no_memory(err);
}

/* 1: frame @i follows from those before it. */
static int log_frame(struct db_log *l, uint64_t i, berth_error *err)
{
    size_t size = FRAME_HEADER + l->page_size, n = 0;
    int r = io_pread(l->fd, l->frame, size, LOG_HEADER + i * size, &n, err);
    if (r != BERTH_OK || n < size || get32(l->frame) == 0 || memcmp(l->frame + 8, l->salt, 8) != 0)
        return r;
    add_sum(l, l->frame, 8);
    add_sum(l, l->frame + FRAME_HEADER, l->page_size);
    return l->sum[0] == get32(l->frame + 16) && l->sum[1] == get32(l->frame + 20);
}

/* How many frames are committed, and the pages that the database has then. */
static int log_end(struct db_log *l, uint64_t *ret_frames, uint32_t *ret_pages, berth_error *err)
{
    int r;
    *ret_frames = 0;
    for (uint64_t i = 0; (r = log_frame(l, i, err)) > 0; i++)
        if (get32(l->frame + 4)) {
            *ret_frames = i + 1;
            *ret_pages = get32(l->frame + 4);
        }
    return r;
}

static int write_page(int fd, const unsigned char *p, size_t n, uint64_t at, berth_error *err)
{
    if (fault_io() || lseek(fd, (off_t)at, SEEK_SET) < 0)
        return berth_error_set(err, BERTH_E_IO, "writing to a damaged database: %s", strerror(errno));
    return io_write_all(fd, p, n, err);
}

static int copy_log(struct db_log *l, const char *path, berth_error *err)
{
    uint64_t frames;
    uint32_t pages = 0;
    int r = log_end(l, &frames, &pages, err);
    if (r != BERTH_OK || frames == 0)
        return r;
    CLEANUP(closep) int fd = fault_io() ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return berth_error_set(err, BERTH_E_IO, "opening '%s': %s", path, strerror(errno));
    size_t size = FRAME_HEADER + l->page_size, n;
    for (uint64_t i = 0; r == BERTH_OK && i < frames; i++) {
        r = io_pread(l->fd, l->frame, size, LOG_HEADER + i * size, &n, err);
        if (r == BERTH_OK)
            r = write_page(fd, l->frame + FRAME_HEADER, l->page_size,
                           (uint64_t)(get32(l->frame) - 1) * l->page_size, err);
    }
    if (r == BERTH_OK && (fault_io() || ftruncate(fd, (off_t)pages * l->page_size) < 0))
        r = berth_error_set(err, BERTH_E_IO, "cutting '%s': %s", path, strerror(errno));
    return r == BERTH_OK ? io_sync(fd, err) : r;
}

int file_fold_log(const char *path, berth_error *err)
{
    CLEANUP(freep) char *name = str_dupf("%s-wal", path), *index = str_dupf("%s-shm", path);
    CLEANUP(log_done) struct db_log l = {.fd = -1};
    if (!name || !index)
        return no_memory(err);
    int r = log_open(name, &l, err);
    if (r > 0)
        r = copy_log(&l, path, err);
    if (r < 0)
        return r;
    if (fault_io() || (unlink(name) < 0 && errno != ENOENT) || (unlink(index) < 0 && errno != ENOENT))
        return berth_error_set(err, BERTH_E_IO, "removing '%s': %s", name, strerror(errno));
    return io_sync_parent(path, err);
}
