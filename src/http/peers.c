/* http/peers.c - counts connections and requests by address, for limits.…_per_peer. All loops share it. */
#include "http/internal.h"

#include "util/fault.h"
#include "util/io.h"

#define BUCKETS 1024

struct peer {
    struct peer *next;
    struct http_address address;
    uint32_t n[HTTP_PEER_KINDS_];
};

struct http_peers {
    pthread_mutex_t lock;
    uint32_t limits[HTTP_PEER_KINDS_];
    uint64_t seed; /* nobody outside can aim at one bucket */
    struct peer *buckets[BUCKETS];
};

struct http_peers *http_peers_new(uint32_t connections, uint32_t requests)
{
    struct http_peers *p = fault_hit() ? NULL : mem_zalloc(1, sizeof(*p));
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->limits[HTTP_PEER_CONNECTIONS] = connections;
    p->limits[HTTP_PEER_REQUESTS] = requests;
    io_random(&p->seed, sizeof(p->seed));
    return p;
}

void http_peers_free(struct http_peers *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct peer *e = p->buckets[i], *next; e; e = next) {
            next = e->next;
            mem_free(e);
        }
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

/* The link that points at the entry of @a, or at the NULL where it would be. */
static struct peer **find(struct http_peers *p, const struct http_address *a)
{
    uint64_t h = p->seed, half;
    for (size_t i = 0; i < sizeof(a->bytes); i += sizeof(half)) {
        memcpy(&half, a->bytes + i, sizeof(half));
        h = (h ^ half) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    struct peer **link = &p->buckets[h % BUCKETS];
    while (*link && memcmp((*link)->address.bytes, a->bytes, sizeof(a->bytes)) != 0)
        link = &(*link)->next;
    return link;
}

bool http_peers_enter(struct http_peers *p, const struct http_address *a, enum http_peer_kind kind)
{
    pthread_mutex_lock(&p->lock);
    struct peer **link = find(p, a);
    if (!*link) {
        *link = fault_hit() ? NULL : mem_zalloc(1, sizeof(**link));
        if (*link)
            (*link)->address = *a;
    }
    bool in = *link && (*link)->n[kind] < p->limits[kind];
    if (in)
        (*link)->n[kind]++;
    pthread_mutex_unlock(&p->lock);
    return in;
}

void http_peers_leave(struct http_peers *p, const struct http_address *a, enum http_peer_kind kind)
{
    pthread_mutex_lock(&p->lock);
    struct peer **link = find(p, a), *e = *link;
    if (e)
        e->n[kind]--;
    if (e && !e->n[HTTP_PEER_CONNECTIONS] && !e->n[HTTP_PEER_REQUESTS]) {
        *link = e->next;
        mem_free(e);
    }
    pthread_mutex_unlock(&p->lock);
}
