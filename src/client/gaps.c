/* client/gaps.c - see gaps.h. */
#include "client/gaps.h"

#include "util/hash.h"

/* --- the list --- */

bool gaps_add(struct gaps *g, uint64_t at, uint64_t end)
{
    struct gap **to = &g->first, *gap = mem_alloc(sizeof(*gap));
    if (!gap)
        return false;
    while (*to)
        to = &(*to)->next;
    *gap = (struct gap){.at = at, .end = end};
    *to = gap;
    return true;
}

void gaps_done(struct gaps *g)
{
    for (struct gap *gap; (gap = g->first);) {
        g->first = gap->next;
        mem_free(gap);
    }
}

struct gap *gaps_take(struct gaps *g, uint64_t most)
{
    struct gap *gap = g->first;
    while (gap && (gap->taken || gap->at == gap->end))
        gap = gap->next;
    if (!gap)
        return NULL;
    struct gap *rest = gap->end - gap->at > most ? mem_alloc(sizeof(*rest)) : NULL;
    if (rest) { /* else all of it: one that is longer than was wished does no harm */
        *rest = (struct gap){.at = gap->at + most, .end = gap->end, .next = gap->next};
        gap->end = rest->at;
        gap->next = rest;
    }
    gap->taken = true;
    return gap;
}

void gaps_give(struct gaps *g, struct gap *gap)
{
    struct gap **at = &g->first;
    gap->taken = false;
    if (gap->at < gap->end)
        return;
    while (*at != gap)
        at = &(*at)->next;
    *at = gap->next;
    mem_free(gap);
}

uint64_t gaps_front(const struct gaps *g, uint64_t size)
{
    const struct gap *gap = g->first;
    while (gap && gap->at == gap->end)
        gap = gap->next;
    return gap ? gap->at : size;
}

uint64_t gaps_left(const struct gaps *g)
{
    uint64_t left = 0;
    for (const struct gap *gap = g->first; gap; gap = gap->next)
        left += gap->end - gap->at;
    return left;
}

/* --- the record: magic, size, number; begin and end of each; at the end a hash of all that. Big-endian ---
 */

static const char magic[16] = "berth's gaps 1\n";
#define PAIRS     (sizeof(magic) + 16)
#define CHECK     (GAPS_RECORD - 32)
#define PAIRS_MAX ((CHECK - PAIRS) / 16)

static void put(unsigned char *p, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(n >> (56 - 8 * i));
}

static uint64_t get(const unsigned char *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | p[i];
    return n;
}

static void check_of(const unsigned char *record, unsigned char check[HASH_MAX_SIZE])
{
    berth_hash hash;
    hash_init(&hash, HASH_SHA256);
    hash_update(&hash, record, CHECK);
    hash_final(&hash, check);
}

void gaps_save(const struct gaps *g, uint64_t size, unsigned char record[GAPS_RECORD])
{
    unsigned char check[HASH_MAX_SIZE], *pair = record + PAIRS;
    uint64_t n = 0, end = UINT64_MAX;
    memset(record, 0, GAPS_RECORD);
    memcpy(record, magic, sizeof(magic));
    for (const struct gap *gap = g->first; gap; gap = gap->next) {
        if (gap->at == gap->end)
            continue;
        bool goes_on = gap->at == end || n == PAIRS_MAX;
        if (!goes_on)
            put(record + PAIRS + 16 * n++, gap->at);
        pair = record + PAIRS + 16 * (n - 1);
        put(pair + 8, end = gap->end);
    }
    put(record + sizeof(magic), size);
    put(record + sizeof(magic) + 8, n);
    check_of(record, check);
    memcpy(record + CHECK, check, GAPS_RECORD - CHECK);
}

bool gaps_load(struct gaps *g, const unsigned char record[GAPS_RECORD], uint64_t *ret_size)
{
    unsigned char check[HASH_MAX_SIZE];
    uint64_t size = get(record + sizeof(magic)), n = get(record + sizeof(magic) + 8), last = 0;
    check_of(record, check);
    if (memcmp(record, magic, sizeof(magic)) != 0 || memcmp(record + CHECK, check, GAPS_RECORD - CHECK) != 0)
        return false;
    bool ok = n <= PAIRS_MAX && size <= INT64_MAX;
    for (uint64_t i = 0; ok && i < n; i++) {
        const unsigned char *pair = record + PAIRS + 16 * i;
        uint64_t at = get(pair), end = get(pair + 8);
        ok = at >= last && at < end && end <= size && gaps_add(g, at, end);
        last = end;
    }
    if (!ok)
        gaps_done(g);
    else
        *ret_size = size;
    return ok;
}
