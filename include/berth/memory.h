/* berth/memory.h - whose memory libberth takes: malloc()'s, or that of an allocator of the program's own.
 *
 * The allocator is the process's, not a client's: references and documents belong to no client. It is set
 * once, before the first call that needs memory:
 *
 *     berth_allocator mine = BERTH_ALLOCATOR_INIT;
 *     mine.alloc = pool_alloc;
 *     mine.realloc = pool_realloc;
 *     mine.free = pool_free;
 *     mine.user = pool;
 *     if (berth_allocator_set(&mine, &err) != BERTH_OK)
 *         fprintf(stderr, "%s\n", err.message);
 *
 * From then on every block that libberth takes comes from there and goes back there. What it uses takes
 * memory of its own: the C library, libcurl, jansson, OpenSSL, libarchive, zlib and zstd. Some of these have
 * an allocator by process, which is left as it is, for the program may use them too: curl_global_init_mem(),
 * json_set_alloc_funcs() and CRYPTO_set_mem_functions() are the program's to call, and first. */
#ifndef BERTH_MEMORY_H
#define BERTH_MEMORY_H

#include <stddef.h>

#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What takes and gives memory. The functions are called by every thread that calls libberth, several at a
 * time, and may call nothing of libberth. Blocks fit any type, as malloc()'s do. Lack of memory is NULL, and
 * the call that needed it then fails with BERTH_E_NOMEM. */
typedef struct berth_allocator {
    size_t size;                                     /* set by the initialiser */
    void *(*alloc)(void *user, size_t n);            /* @n is never 0 */
    void *(*realloc)(void *user, void *p, size_t n); /* neither is 0; NULL: @p stays as it was */
    void (*free)(void *user, void *p);               /* @p is never NULL */
    void *user;                                      /* handed to each; lives as long as the process */
} berth_allocator;
#define BERTH_ALLOCATOR_INIT BERTH_INIT(berth_allocator, BERTH_SET(size, sizeof(berth_allocator)))

/** Has libberth take its memory from @allocator, which is copied, until the process ends. Any thread, but
 * once. BERTH_E_INVALID: a function is missing. BERTH_E_CONFLICT: there is memory already that another gave,
 * be it malloc(), or an allocator has been set before; nothing is changed. */
BERTH_API int berth_allocator_set(const berth_allocator *allocator, berth_error *err);

/** Memory as libberth takes it, for what its functions want to own: the tags of berth_tag_name_fn. NULL:
 * there is none. */
BERTH_API void *berth_malloc(size_t n);

/** Frees what libberth gave its caller to free, and berth_malloc(). NULL is fine. Where no allocator is set,
 * free() and malloc() do the same. */
BERTH_API void berth_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
