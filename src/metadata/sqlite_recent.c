/* metadata/sqlite_recent.c - which manifests and blobs a thread has found, good for as long as nobody has
 * written.
 *
 * What a name leads to depends on the rows alone, and on the clock only where a lease runs out. The writer
 * counts its commits, before it acknowledges them; an answer that was read at the present count is still what
 * the database would say. A look-up of SQLite's costs two locks of the file, shared by all threads, and its
 * own work: HEAD by 64 clients took 16.5 us of CPU, and takes 10 without; GET of a blob of 1 KiB took 16 us,
 * and takes 11. */
#include "metadata/sqlite_private.h"

#include "util/fault.h"

#define SLOTS       64
#define BYTES_MAX   (256 * KIB) /* in all; beyond it everything is forgotten */
#define ENTRY_BYTES (17 * KIB)  /* what the database holds of a blob, storage.inline_size, and the names */

struct entry {
    uint64_t commits; /* how many there were when it was read */
    enum recent_kind kind;
    berth_str repo, name; /* these, and the answer's texts, in one piece of memory behind this */
    struct recent_answer answer;
};

struct recent {
    struct entry *slots[SLOTS];
    size_t bytes;
};

static size_t slot_of(enum recent_kind kind, berth_str repo, berth_str name)
{
    uint64_t h = (0xcbf29ce484222325u ^ kind) * 0x100000001b3u; /* FNV-1a */
    for (size_t i = 0; i < repo.n; i++)
        h = (h ^ (unsigned char)repo.p[i]) * 0x100000001b3u;
    h *= 0x100000001b3u; /* between the two */
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3u;
    return (size_t)(h >> 32) % SLOTS;
}

static size_t bytes_of(const struct entry *e)
{
    return sizeof(*e) + e->repo.n + e->name.n + e->answer.text.n + e->answer.body.n;
}

static void drop(struct recent *r, size_t i)
{
    if (r->slots[i])
        r->bytes -= bytes_of(r->slots[i]);
    mem_free(steal(&r->slots[i]));
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        drop(r, i);
    mem_free(r);
}

uint64_t recent_commits(struct db *db)
{
    return atomic_load_explicit(&db->m->writer.commits, memory_order_acquire);
}

const struct recent_answer *recent_find(struct db *db, enum recent_kind kind, berth_str repo, berth_str name,
                                        bool with_body)
{
    const struct entry *e = db->recent ? db->recent->slots[slot_of(kind, repo, name)] : NULL;
    if (!e || e->commits != recent_commits(db) || e->kind != kind || e->answer.with_body < with_body ||
        !str_eq(e->repo, repo) || !str_eq(e->name, name))
        return NULL;
    return e->answer.until == INT64_MAX || sqlite_now(db->m) <= e->answer.until ? &e->answer : NULL;
}

int64_t recent_until(struct db *db, int64_t due, int64_t lease_until)
{
    return lease_until >= due ? lease_until - db->m->times.grace_ms : INT64_MAX; /* or an edge holds it */
}

static berth_str put(char **at, berth_str s)
{
    berth_str copy = {*at, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

void recent_keep(struct db *db, uint64_t commits, enum recent_kind kind, berth_str repo, berth_str name,
                 const struct recent_answer *answer)
{
    const struct entry like = {commits, kind, repo, name, *answer};
    size_t n = bytes_of(&like);
    if (n > ENTRY_BYTES)
        return;
    if (!db->recent)
        db->recent = fault_hit() ? NULL : mem_zalloc(1, sizeof(*db->recent));
    struct recent *r = db->recent;
    struct entry *e = !r || fault_hit() ? NULL : mem_alloc(n);
    if (!e)
        return;
    char *at = (char *)(e + 1);
    *e = like;
    e->repo = put(&at, repo);
    e->name = put(&at, name);
    e->answer.text = put(&at, answer->text);
    e->answer.body = put(&at, answer->body);
    for (size_t i = 0; r->bytes + n > BYTES_MAX && i < SLOTS; i++)
        drop(r, i);
    size_t slot = slot_of(kind, repo, name);
    drop(r, slot);
    r->slots[slot] = e;
    r->bytes += n;
}
