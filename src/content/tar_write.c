/* content/tar_write.c - headers of archives; see tar.h. The form is ustar, with a pax header before it only
 * where that has no room, so that any tar reads it. */
#include <stdio.h>

#include "content/tar.h"

#define NAME_MAX_USTAR    100
#define SIZE_MAX_USTAR    077777777777ull
#define RECORD_LENGTH_MAX 20 /* digits of a 64-bit number */

static void put_octal(char *at, size_t n, uint64_t v)
{
    char digits[32];
    snprintf(digits, sizeof(digits), "%0*llo", (int)n - 1, (unsigned long long)v);
    memcpy(at, digits, n - 1); /* a NUL stands behind it */
}

static void print_block(berth_buf *out, char flag, berth_str path, berth_str link, uint64_t size,
                        unsigned mode, int64_t mtime)
{
    char b[TAR_BLOCK] = {0};
    unsigned sum = 0;
    memcpy(b, path.p, MIN(path.n, (size_t)NAME_MAX_USTAR));
    put_octal(b + 100, 8, mode & 07777);
    put_octal(b + 108, 8, 0);
    put_octal(b + 116, 8, 0);
    put_octal(b + 124, 12, size > SIZE_MAX_USTAR ? 0 : size);
    put_octal(b + 136, 12, mtime < 0 || (uint64_t)mtime > SIZE_MAX_USTAR ? 0 : (uint64_t)mtime);
    b[156] = flag;
    memcpy(b + 157, link.p, MIN(link.n, (size_t)NAME_MAX_USTAR));
    memcpy(b + 257,
           "ustar\0"
           "00",
           8);
    memset(b + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)b[i];
    put_octal(b + 148, 7, sum); /* six digits, NUL, blank */
    berth_buf_add(out, b, sizeof(b));
}

/* A record says its own length, and the digits of that count. */
static void add_record(berth_buf *out, const char *key, berth_str value)
{
    char digits[RECORD_LENGTH_MAX + 1];
    size_t rest = strlen(key) + value.n + 3, length = rest;
    for (int i = 0; i < 2; i++) /* one digit more may make it one longer once */
        length = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", length);
    berth_buf_addf(out, "%zu %s=", length, key);
    berth_buf_add_str(out, value);
    berth_buf_putc(out, '\n');
}

static void print_pax(berth_buf *out, const struct tar_entry *e, berth_str path, berth_str link)
{
    CLEANUP(berth_buf_done) berth_buf records = BERTH_BUF_INIT(4 * MIB);
    static const char zeros[TAR_BLOCK];
    if (path.n > NAME_MAX_USTAR)
        add_record(&records, "path", path);
    if (link.n > NAME_MAX_USTAR)
        add_record(&records, "linkpath", link);
    if (e->size > SIZE_MAX_USTAR) {
        char digits[RECORD_LENGTH_MAX + 1];
        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)e->size);
        add_record(&records, "size", str_from(digits));
    }
    if (records.failed)
        out->failed = true;
    if (records.n == 0)
        return;
    print_block(out, 'x', STR("PaxHeaders/entry"), STR(""), records.n, 0644, 0);
    berth_buf_add_str(out, berth_buf_str(&records));
    berth_buf_add(out, zeros, tar_padding(records.n));
}

void tar_print_header(berth_buf *out, const struct tar_entry *e)
{
    static const char flags[] = {
        [TAR_FILE] = '0', [TAR_FOLDER] = '5', [TAR_SYMLINK] = '2', [TAR_HARDLINK] = '1', [TAR_OTHER] = '0'};
    berth_str path = str_from(e->path), link = str_from(e->link);
    print_pax(out, e, path, link);
    print_block(out, flags[e->type], path, link, e->size, e->mode, e->mtime);
}
