/* util/compress.c - the only user of zlib and zstd; see compress.h. Output is handed on in pieces of one
 * size, so that memory does not grow with what a few bytes may unpack to. */
#include "util/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "util/fault.h"

#define PIECE     (64 * KIB)
#define MAGIC_MAX 4

enum format { UNKNOWN, PLAIN, GZIP, ZSTD };

struct inflater {
    compress_sink_fn fn;
    void *arg;
    enum format format;
    unsigned char magic[MAGIC_MAX]; /* the first bytes, until they tell the format */
    size_t n_magic;
    z_stream z;
    ZSTD_DStream *zstd;
    bool within; /* a member or a frame has begun, and not ended */
    unsigned char out[PIECE];
};

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

int inflater_new(compress_sink_fn fn, void *arg, struct inflater **ret, berth_error *err)
{
    struct inflater *i = fault_hit() ? NULL : mem_zalloc(1, sizeof(*i));
    if (!i)
        return no_memory(err);
    i->fn = fn;
    i->arg = arg;
    *ret = i;
    return BERTH_OK;
}

void inflater_free(struct inflater *i)
{
    if (!i)
        return;
    if (i->format == GZIP)
        inflateEnd(&i->z);
    ZSTD_freeDStream(i->zstd);
    mem_free(i);
}

static int write_gzip(struct inflater *i, const unsigned char *p, size_t n, berth_error *err)
{
    int r = BERTH_OK;
    while (n && r == BERTH_OK) {
        if (!i->within) {
            if (inflateReset(&i->z) != Z_OK)
                return no_memory(err);
            i->within = true; /* members may follow each other (RFC 1952, 2.2) */
        }
        uInt have = (uInt)MIN(n, (size_t)1 << 30);
        int z;
        i->z.next_in = (Bytef *)(uintptr_t)p;
        i->z.avail_in = have;
        do {
            i->z.next_out = i->out;
            i->z.avail_out = PIECE;
            z = inflate(&i->z, Z_NO_FLUSH);
            if (z == Z_MEM_ERROR)
                return no_memory(err);
            if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
                return berth_error_set(err, BERTH_E_CORRUPT, "it is not valid gzip: %s",
                                       i->z.msg ? i->z.msg : "no such stream");
            if (PIECE - i->z.avail_out)
                r = i->fn(i->arg, i->out, PIECE - i->z.avail_out, err);
        } while (r == BERTH_OK && z == Z_OK && (i->z.avail_in || i->z.avail_out == 0));
        if (z == Z_STREAM_END)
            i->within = false;
        p += have - i->z.avail_in;
        n -= have - i->z.avail_in;
    }
    return r;
}

static int write_zstd(struct inflater *i, const void *p, size_t n, berth_error *err)
{
    ZSTD_inBuffer in = {p, n, 0};
    ZSTD_outBuffer out;
    int r = BERTH_OK;
    do {
        size_t before = in.pos;
        out = (ZSTD_outBuffer){i->out, PIECE, 0};
        size_t left = ZSTD_decompressStream(i->zstd, &out, &in);
        if (ZSTD_isError(left))
            return berth_error_set(err, BERTH_E_CORRUPT, "it is not valid zstd: %s", ZSTD_getErrorName(left));
        if (in.pos > before || out.pos) /* else it tells what a next frame would need */
            i->within = left != 0;
        if (out.pos)
            r = i->fn(i->arg, i->out, out.pos, err);
    } while (r == BERTH_OK && (in.pos < in.size || out.pos == out.size));
    return r;
}

static int write_known(struct inflater *i, const void *p, size_t n, berth_error *err)
{
    if (n == 0)
        return BERTH_OK;
    switch (i->format) {
    case GZIP:
        return write_gzip(i, p, n, err);
    case ZSTD:
        return write_zstd(i, p, n, err);
    case PLAIN:
    case UNKNOWN:
        break;
    }
    return i->fn(i->arg, p, n, err);
}

static int decide(struct inflater *i, berth_error *err)
{
    static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    i->format = PLAIN;
    if (i->n_magic >= 2 && i->magic[0] == 0x1f && i->magic[1] == 0x8b) {
        if (fault_hit() || inflateInit2(&i->z, 15 + 16) != Z_OK)
            return no_memory(err);
        i->format = GZIP;
    } else if (i->n_magic == MAGIC_MAX && memcmp(i->magic, zstd, MAGIC_MAX) == 0) {
        i->zstd = fault_hit() ? NULL : ZSTD_createDStream();
        if (!i->zstd || ZSTD_isError(ZSTD_initDStream(i->zstd)))
            return no_memory(err);
        i->format = ZSTD;
    }
    return write_known(i, i->magic, i->n_magic, err);
}

int inflater_write(struct inflater *i, const void *p, size_t n, berth_error *err)
{
    const unsigned char *at = p;
    int r = BERTH_OK;
    while (i->format == UNKNOWN && n && r == BERTH_OK) {
        i->magic[i->n_magic++] = *at++;
        n--;
        if (i->n_magic == MAGIC_MAX)
            r = decide(i, err);
    }
    return r == BERTH_OK ? write_known(i, at, n, err) : r;
}

int inflater_end(struct inflater *i, berth_error *err)
{
    int r = i->format == UNKNOWN ? decide(i, err) : BERTH_OK;
    if (r == BERTH_OK && i->within)
        return berth_error_set(err, BERTH_E_CORRUPT, "its compressed stream ends early");
    return r;
}

/* --- packing --- */

struct gzipper {
    compress_sink_fn fn;
    void *arg;
    z_stream z;
    unsigned char out[PIECE];
};

int gzipper_new(compress_sink_fn fn, void *arg, struct gzipper **ret, berth_error *err)
{
    struct gzipper *g = fault_hit() ? NULL : mem_zalloc(1, sizeof(*g));
    if (!g ||
        deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(g);
        return no_memory(err);
    }
    g->fn = fn;
    g->arg = arg;
    *ret = g;
    return BERTH_OK;
}

void gzipper_free(struct gzipper *g)
{
    if (!g)
        return;
    deflateEnd(&g->z);
    mem_free(g);
}

static int pack(struct gzipper *g, const unsigned char *p, size_t n, int flush, berth_error *err)
{
    int r = BERTH_OK;
    do {
        uInt have = (uInt)MIN(n, (size_t)1 << 30);
        g->z.next_in = (Bytef *)(uintptr_t)p;
        g->z.avail_in = have;
        do {
            g->z.next_out = g->out;
            g->z.avail_out = PIECE;
            if (deflate(&g->z, flush) == Z_STREAM_ERROR)
                return berth_error_set(err, BERTH_E_IO, "packing failed");
            if (PIECE - g->z.avail_out)
                r = g->fn(g->arg, g->out, PIECE - g->z.avail_out, err);
        } while (r == BERTH_OK && g->z.avail_out == 0);
        p += have;
        n -= have;
    } while (n && r == BERTH_OK);
    return r;
}

int gzipper_write(struct gzipper *g, const void *p, size_t n, berth_error *err)
{
    return n ? pack(g, p, n, Z_NO_FLUSH, err) : BERTH_OK;
}

int gzipper_end(struct gzipper *g, berth_error *err)
{
    return pack(g, (const unsigned char *)"", 0, Z_FINISH, err);
}
